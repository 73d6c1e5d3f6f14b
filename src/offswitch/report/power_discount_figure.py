"""Figure: POWER against the discount, with a band for each interval."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

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
from offswitch.report.wording import number, plain, shorten
from offswitch.theory.prediction.report import CurvePoint, PredictionReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["NAME", "SIZE", "caption", "conclusion", "draw", "panel"]

NAME = "power-discount"
SIZE = (WIDTH, 3.4)
"""Inches."""


def conclusion(report: PredictionReport) -> str:
    """How POWER of the start changes with patience, in words."""
    if not report.curve:
        return "POWER was computed at no other discount"
    first, last = report.curve[0], report.curve[-1]
    ends = (
        f"from {number(first.start.estimate)} at discount {first.discount:g} to "
        f"{number(last.start.estimate)} at {last.discount:g}"
    )
    if len(report.curve) == 1:
        return f"POWER of the start is {number(first.start.estimate)} at {first.discount:g}"
    if _above(last, first):
        return f"POWER of the start rises with the discount, {ends}"
    if _above(first, last):
        return f"POWER of the start falls with the discount, {ends}"
    return f"POWER of the start does not clearly change, {ends}"


def _above(one: CurvePoint, other: CurvePoint) -> bool:
    low, high = one.start.low, other.start.high
    return low is not None and high is not None and low > high


def caption(report: PredictionReport) -> str:
    """What is drawn, with n, level and method."""
    return (
        "The axis is spaced by the horizon 1 / (1 - discount); lines between the marks are only a "
        f"guide to the eye. {panel_caption(panel(report), intervals='bands')}"
    )


def panel(report: PredictionReport) -> Panel:
    """One group per discount, one row per state that is followed."""
    names = report.states.names
    rows = [
        ("start", [point.start for point in report.curve]),
        (f"highest: {names[report.highest]}", [point.highest for point in report.curve]),
        (f"lowest: {names[report.lowest]}", [point.lowest for point in report.curve]),
    ]
    start = [m.estimate for m in rows[0][1]]
    # The start is often one of the extremes itself; one line is enough then.
    kept = [rows[0], *(row for row in rows[1:] if [m.estimate for m in row[1]] != start)]
    series = tuple(
        Series(shorten(label, 52), PALETTE[position], SHAPES[position], position == 0)
        for position, (label, _) in enumerate(kept)
    )
    groups = tuple(
        Group(f"discount {point.discount:g}", tuple(mark(row[position]) for _, row in kept))
        for position, point in enumerate(report.curve)
    )
    return Panel(series, groups, "discount per step")


def draw(ax: Axes, report: PredictionReport) -> None:
    """Draws on `ax` and shows nothing."""
    shown = panel(report)
    at = np.log10([1 / (1 - point.discount) for point in report.curve])
    for position, series in enumerate(shown.series):
        drawn = [group.marks[position].measurement for group in shown.groups]
        values = [(m.estimate, m.low, m.high) for m in drawn if m is not None]
        middle, low, high = np.array(values, dtype=np.float64).T
        ax.fill_between(at, low, high, color=series.colour, alpha=0.25, linewidth=0)
        ax.vlines(at, low, high, colors=series.colour, linewidth=1.6)
        ax.plot(at, middle, color=series.colour, linewidth=1.4, zorder=2)
        ax.plot(
            at, middle, linestyle="none", marker=series.shape, markersize=6, zorder=3,
            markeredgecolor=series.colour, label=series.label,
            markerfacecolor=series.colour if series.filled else "#ffffff",
        )  # fmt: skip
    _frame(ax, report, at)
    ax.set_title(
        textwrap.fill(conclusion(report), 60), loc="left", color=INK, fontsize=11,
        pad=10 + 14 * len(shown.series), parse_math=False,
    )  # fmt: skip


def _frame(ax: Axes, report: PredictionReport, at: np.ndarray) -> None:
    ax.set_xticks(at, [f"{point.discount:g}" for point in report.curve])
    ax.set_xlabel("discount per step", color=INK, fontsize=9.5)
    ax.set_ylabel(f"POWER ({plain(report.states.unit)})", color=INK, fontsize=9.5)
    ax.tick_params(colors=FAINT, labelsize=9, length=3)
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
