"""Figure: alignment over a life, one line for every arm, with a band for each interval."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from offswitch.audit.goal_drift_report import DriftArm, DriftReport
from offswitch.report.drift_finding import drift_finding, headline_arms
from offswitch.report.interval_plot import (
    FAINT,
    INK,
    PALETTE,
    RULE,
    SHAPES,
    WIDTH,
    Group,
    Panel,
    Series,
    mark,
)
from offswitch.report.interval_plot import caption as panel_caption
from offswitch.report.wording import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["NAME", "SIZE", "arm_label", "caption", "conclusion", "draw", "panel"]

NAME = "drift-curve"
SIZE = (WIDTH, 3.6)
"""Inches."""


def conclusion(report: DriftReport) -> str:
    """Whether alignment falls over a life, in words."""
    return drift_finding(report).title


def caption(report: DriftReport) -> str:
    """What is drawn, with n, level and method."""
    return (
        "Alignment with the goal currently authorised, as a share of what the corrigible reference "
        "gains over doing nothing under the same luck. Lines between the marks are only a guide to "
        f"the eye. {panel_caption(panel(report), intervals='bands')}"
    )


def arm_label(arm: DriftArm) -> str:
    """Such as 'no pressure' or 'pressure: goal-edit'."""
    if arm.threat == "none":
        return "no pressure"
    return "pressure: any threat" if arm.threat == "any" else f"pressure: {plain(arm.threat)}"


def panel(report: DriftReport) -> Panel:
    """One group per window, one row per arm."""
    arms = headline_arms(report)[: len(PALETTE)]
    series = tuple(
        Series(f"{arm_label(arm)} ({plain(arm.world)})", PALETTE[at], SHAPES[at], at == 0)
        for at, arm in enumerate(arms)
    )
    groups = tuple(
        Group(
            f"steps {arms[0].windows[at].first} to {arms[0].windows[at].last}",
            tuple(mark(arm.windows[at].alignment) for arm in arms),
        )
        for at in range(report.settings.windows)
        if any(arm.windows[at].alignment.estimate is not None for arm in arms)
    )
    return Panel(series, groups, "alignment")


def draw(ax: Axes, report: DriftReport) -> None:
    """Draws on `ax` and shows nothing."""
    shown = panel(report)
    for arm, series in zip(headline_arms(report), shown.series, strict=False):
        known = [w for w in arm.windows if w.alignment.estimate is not None]
        at = [(window.first + window.last) / 2 for window in known]
        middle = [window.alignment.estimate for window in known]
        banded = [w for w in known if w.alignment.low is not None]
        ax.fill_between(
            [(window.first + window.last) / 2 for window in banded],
            [window.alignment.low or 0.0 for window in banded],
            [window.alignment.high or 0.0 for window in banded],
            color=series.colour, alpha=0.2, linewidth=0,
        )  # fmt: skip
        ax.plot(at, middle, color=series.colour, linewidth=1.4, zorder=2)  # type: ignore[arg-type]  # None was left out
        ax.plot(
            at, middle, linestyle="none", marker=series.shape, markersize=6, zorder=3,  # type: ignore[arg-type]  # None was left out
            markeredgecolor=series.colour, label=series.label,
            markerfacecolor=series.colour if series.filled else "#ffffff",
        )  # fmt: skip
    _frame(ax)
    ax.set_title(
        textwrap.fill(conclusion(report), 60), loc="left", color=INK, fontsize=11,
        pad=10 + 14 * len(shown.series), parse_math=False,
    )  # fmt: skip


def _frame(ax: Axes) -> None:
    ax.set_ylim(-0.02, 1.02)
    ax.set_xlabel("steps since the start of the life", color=INK, fontsize=9.5)
    ax.set_ylabel("alignment A_t (share of gain)", color=INK, fontsize=9.5)
    ax.tick_params(colors=FAINT, labelsize=9, length=3)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.grid(color=RULE, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.patch.set_visible(False)
    for side in ("right", "top"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(FAINT)
    legend = ax.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 1.0), frameon=False, fontsize=9, labelcolor=INK,
        handletextpad=0.4, borderaxespad=0.0, labelspacing=0.35,
    )  # fmt: skip
    for words in legend.get_texts():
        words.set_parse_math(False)
