"""Estimates with their intervals, one row per agent, in groups: the one form of every figure.

Colours are those of Okabe and Ito, which the colour-blind tell apart; every series also has its own
shape. Positions are layout; no result is computed here.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from offswitch.audit.result import AgentResult
from offswitch.report.wording import NO_DATA, listing, percent, plain, shorten
from offswitch.statistics.measurement import Measurement

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "INK",
    "Group",
    "Mark",
    "Panel",
    "Series",
    "agent_series",
    "caption",
    "draw_panel",
    "mark",
    "panel_size",
]

INK, FAINT, RULE = "#1f2430", "#6b7280", "#d9dce1"
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00")
SHAPES = ("o", "^", "s", "D", "v")
WIDTH = 5.2
"""Inches; at 96 dots an inch this fills a phone and scales up on a desk."""
ROW, HEAD = 0.19, 0.34
"""Inches of one row and of a group's heading."""
LEGEND_LINE = 14
"""Points that one line of the legend takes."""


class Series(NamedTuple):
    """What one colour and shape stand for."""

    label: str
    colour: str
    shape: str
    filled: bool


class Mark(NamedTuple):
    """One row of a group."""

    measurement: Measurement | None
    """Its interval is drawn; None where nothing was measured."""
    point: float | None
    """Where the marker stands: the estimate, unless the figure says otherwise."""


class Group(NamedTuple):
    """Rows under one heading, one for each series in order."""

    label: str
    marks: tuple[Mark, ...]


class Panel(NamedTuple):
    """Everything a figure draws."""

    series: tuple[Series, ...]
    groups: tuple[Group, ...]
    x_label: str
    """With its unit."""
    limits: tuple[float, float] | None = None
    """Ends of the axis; None: [0, 1], or from below 0 where an interval is."""


def mark(measurement: Measurement | None) -> Mark:
    """A marker at the estimate."""
    return Mark(measurement, None if measurement is None else measurement.estimate)


def agent_series(agents: Iterable[AgentResult]) -> tuple[Series, ...]:
    """One series per agent; the audited one, the first, is filled."""
    return tuple(
        Series(
            f"{shorten(agent.name, 34)} ({agent.role})",
            PALETTE[position % len(PALETTE)],
            SHAPES[position % len(SHAPES)],
            position == 0,
        )
        for position, agent in enumerate(agents)
    )


def panel_size(panel: Panel) -> tuple[float, float]:
    """Width and height in inches that give every row its place."""
    rows = len(panel.groups) * (HEAD + ROW * len(panel.series))
    return WIDTH, rows + 0.75 + 0.2 * len(panel.series)


def caption(panel: Panel, *, intervals: str = "lines") -> str:
    """n, level of the `intervals` and method of everything drawn, in one sentence."""
    everything = [m.measurement for g in panel.groups for m in g.marks if m.measurement]
    drawn = [m for m in everything if m.estimate is not None]
    if not drawn:
        return "Nothing was measured."
    counts = sorted({m.n for m in drawn})
    size = f"n = {counts[0]}" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]}"
    levels = listing(sorted({percent(m.level) for m in drawn}))
    methods = listing(sorted({plain(m.method) for m in drawn}))
    gaps = ", with missing episodes (see the table)" if any(m.missing for m in everything) else ""
    return f"{size} per row{gaps}; {intervals} are {levels} intervals; method: {methods}."


def draw_panel(ax: Axes, panel: Panel, title: str) -> None:
    """Draws on `ax` and shows nothing."""
    y = 0.0
    for group in panel.groups:
        y -= HEAD / ROW
        _text(ax, 0.0, y + 0.1, shorten(group.label, 60), INK, weight="bold")
        for series, one in zip(panel.series, group.marks, strict=True):
            y -= 1.0
            _draw_mark(ax, y, series, one)
    _frame(ax, panel, bottom=y - 0.9)
    above_legend = 10 + LEGEND_LINE * len(panel.series)
    ax.set_title(
        textwrap.fill(title, 60), loc="left", color=INK, fontsize=11, pad=above_legend,
        parse_math=False,
    )  # fmt: skip


def _draw_mark(ax: Axes, y: float, series: Series, one: Mark) -> None:
    measurement, point = one
    if measurement is None or point is None:
        _text(ax, 0.0, y, NO_DATA if measurement else "not measured", series.colour, style="italic")
        return
    if measurement.low is not None and measurement.high is not None:
        ax.hlines(y, measurement.low, measurement.high, colors=series.colour, linewidth=2)
        ends = [measurement.low, measurement.high]
        ax.plot(ends, [y, y], "|", color=series.colour, markersize=6, markeredgewidth=1.5)
    ax.plot(point, y, clip_on=False, zorder=3, **_marker(series))


def _marker(series: Series) -> dict[str, Any]:  # Any: matplotlib keywords
    face = series.colour if series.filled else "#ffffff"
    return {
        "marker": series.shape,
        "markersize": 7,
        "markeredgewidth": 1.6,
        "markeredgecolor": series.colour,
        "markerfacecolor": face,
        "linestyle": "none",
    }


def _text(ax: Axes, x: float, y: float, words: str, colour: str, **style: Any) -> None:
    """Words at axes fraction `x` and data row `y`."""
    ax.text(
        x, y, words, transform=ax.get_yaxis_transform(), color=colour, fontsize=9, va="center",
        parse_math=False, bbox={"facecolor": "#ffffff", "edgecolor": "none", "pad": 1.0}, **style,
    )  # fmt: skip


def _frame(ax: Axes, panel: Panel, bottom: float) -> None:
    """Axis, faint grid and the legend above."""
    from matplotlib.lines import Line2D

    lows = [m.measurement.low or 0.0 for g in panel.groups for m in g.marks if m.measurement]
    low, high = panel.limits or (min([0.0, *lows]), 1.0)
    ax.set_xlim(low - 0.01 * (high - low), high + 0.01 * (high - low))
    ax.set_ylim(bottom, 0.2)
    ax.set_yticks([])
    ax.tick_params(axis="x", colors=FAINT, labelsize=9, length=3)
    ax.set_xlabel(panel.x_label, color=INK, fontsize=9.5)
    ax.grid(axis="x", color=RULE, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.patch.set_visible(False)
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(FAINT)
    handles = [Line2D([], [], label=s.label, **_marker(s)) for s in panel.series]
    legend = ax.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(-0.02, 1.0), frameon=False, fontsize=9,
        labelcolor=INK, handletextpad=0.4, borderaxespad=0.0, labelspacing=0.35,
    )  # fmt: skip
    for words in legend.get_texts():
        words.set_parse_math(False)
