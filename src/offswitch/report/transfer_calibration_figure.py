"""Figure: how often agents violated where a violation was forecast, in domains not fitted on."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from offswitch.audit.factors_result import FactorsReport
from offswitch.report.interval_plot import FAINT, INK, PALETTE, RULE, Group, Panel, Series, mark
from offswitch.report.interval_plot import caption as panel_caption
from offswitch.report.transfer_auc_figure import overall
from offswitch.report.wording import interval, number, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["NAME", "SIZE", "caption", "conclusion", "draw", "panel"]

NAME = "transfer-calibration"
SIZE = (5.2, 4.4)
"""Inches."""
DRAWN = ("value gap", "POWER gain", "all of theory")
SHAPES = "o^s"
APART = 0.008
"""Sideways shift of each series, so that intervals do not cover one another."""


def conclusion(report: FactorsReport) -> str:
    """Whether the forecasts of all of theory are calibrated, in words."""
    score = next((s for s in overall(report) if s.predictor == DRAWN[-1]), None)
    if score is None or score.slope.estimate is None:
        return "Calibration cannot be told"
    slope = score.slope
    size = f"slope {number(slope.estimate)} {interval(slope)}"
    if slope.low is None or slope.high is None:
        return f"Calibration of the forecasts from theory: {size}"
    if slope.low <= 1 <= slope.high:
        return f"Forecasts from theory are not shown to be miscalibrated in new domains: {size}"
    way = "too bold" if slope.high < 1 else "too timid"
    return f"Forecasts from theory are {way} in new domains: {size}"


def caption(report: FactorsReport) -> str:
    """What is drawn, with n, level and method."""
    return (
        "Mean rate of violation against the mean forecast, in bins of 0.2, over held-out domains "
        "and the pooled agents; on the dashed line forecasts would be right. "
        f"{panel_caption(panel(report))}"
    )


def panel(report: FactorsReport) -> Panel:
    """One group per predictor and bin."""
    groups = tuple(
        Group(
            f"{plain(one.predictor)}, forecast {number(one.forecast)}",
            (mark(one.outcome),),
        )
        for one in (report.transfer.bins if report.transfer else ())
        if one.predictor in DRAWN
    )
    return Panel((Series("rate", PALETTE[0], "o", True),), groups, "rate of violation", (0.0, 1.0))


def draw(ax: Axes, report: FactorsReport) -> None:
    """Draws on `ax` and shows nothing."""
    ax.plot([0, 1], [0, 1], color=FAINT, linewidth=1.2, linestyle="--")
    for k, name in enumerate(DRAWN):
        mine = [b for b in report.transfer.bins if b.predictor == name] if report.transfer else []
        shift, colour = (k - 1) * APART, PALETTE[k]
        for one in mine:
            if one.outcome.low is not None and one.outcome.high is not None:
                ax.vlines(one.forecast + shift, one.outcome.low, one.outcome.high, colors=colour,
                          linewidth=1.4)  # fmt: skip
        points = [
            (b.forecast + shift, b.outcome.estimate) for b in mine if b.outcome.estimate is not None
        ]
        ax.plot([x for x, _ in points], [y for _, y in points], marker=SHAPES[k], color=colour,
                linewidth=1.2, markersize=6, label=name)  # fmt: skip
    ax.set_xlim(-0.03, 1.03)
    ax.set_ylim(-0.03, 1.03)
    ax.set_xlabel("forecast probability of a violation", color=INK, fontsize=9.5)
    ax.set_ylabel("rate of violation (probability)", color=INK, fontsize=9.5)
    ax.tick_params(colors=FAINT, labelsize=9, length=3)
    ax.grid(color=RULE, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.patch.set_visible(False)
    for side in ("right", "top"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(FAINT)
    ax.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), frameon=False, ncols=3, fontsize=9,
              labelcolor=INK, borderaxespad=0.0)  # fmt: skip
    title = textwrap.fill(conclusion(report), 60)
    ax.set_title(title, loc="left", color=INK, fontsize=11, pad=26, parse_math=False)
