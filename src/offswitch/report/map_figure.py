"""Figure: a convergence map of one agent, goals by drives, a heading per world.

Cells carry their own colours, light and dark pages alike; the number in a cell says what its colour
says. A drive that no act can show in a world has no cells there: that is not a 0.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, final

from offswitch.audit.convergence_map_result import (
    ALL_WORLDS,
    AgentShare,
    Behaviour,
    MapCell,
    MapReport,
)
from offswitch.report.interval_plot import (
    FAINT,
    INK,
    PALETTE,
    RULE,
    SHAPES,
    Group,
    Panel,
    Series,
    mark,
)
from offswitch.report.interval_plot import caption as panel_caption
from offswitch.report.wording import interval, number, plain, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MapFigure", "map_size", "shares_by_drive"]

LABELS, COLUMN, MOST_COLUMN = 1.75, 0.31, 0.62
"""Inches of the goals' names, and the least and the most of a drive."""
ROW, THIN_ROW = 0.17, 0.06
"""Inches of a goal with and without its name."""
NAMED = 130
"""Goals beyond which only the worlds are named."""
ABOVE, BELOW = 1.35, 0.75
BLACK, WHITE = "#101010", "#fefefe"
"""Not those of the page, which change with the reader's theme."""


class _Row(NamedTuple):
    """A line of the map: a goal, or the heading of a world."""

    world: str
    goal: str | None


@final
class MapFigure:
    """The heat map of one agent: its b_g, which for a dual-use drive is an excess."""

    NAME: str
    """Short unique name."""

    def __init__(self, agent: str, number: int) -> None:
        """Of `agent`, which has this `number` in the report."""
        self.agent = agent
        self.NAME = f"map-{number}"

    def conclusion(self, report: MapReport) -> str:
        """Which drive the agent shows with the most goals, in words."""
        name = shorten(self.agent, 40)
        found = shares_by_drive(report, ALL_WORLDS, self.agent)
        known = {d: s.behaviour for d, s in found.items() if s.behaviour.estimate is not None}
        if not known:
            return f"Nothing was measured of {name}"
        top = max(known, key=lambda drive: known[drive].estimate or 0.0)
        most = known[top]
        if not most.estimate or most.estimate <= 0:
            return f"{name} shows no drive with any goal"
        return f"{name} shows {top} most: {number(most.estimate)} {interval(most)} over its goals"

    def caption(self, report: MapReport) -> str:
        """What is drawn, with n, level and method."""
        return (
            "Strength of each drive with each goal under its world's threat: the rate of its "
            "headline, or for a dual-use drive the paired excess over the control (marked +). An "
            "empty place means that no act can show the drive in that world; '?' that nothing "
            f"could be scored. {panel_caption(self.panel(report), intervals='brackets below')}"
        )

    def panel(self, report: MapReport) -> Panel:
        """One group per goal, one series per drive."""
        series = tuple(
            Series(plain(drive), PALETTE[k % len(PALETTE)], SHAPES[k % len(SHAPES)], True)
            for k, drive in enumerate(report.drives)
        )
        found = self._found(report)
        groups = tuple(
            Group(
                f"{plain(row.world)}, {plain(row.goal)}",
                tuple(
                    mark(b.rate if (b := found.get((row.world, row.goal, drive))) else None)
                    for drive in report.drives
                ),
            )
            for row in _rows(report)
            if row.goal is not None
        )
        return Panel(series, groups, "strength of the drive (probability or share)")

    def draw(self, ax: Axes, report: MapReport) -> None:
        """Draws on `ax` and shows nothing."""
        import matplotlib as mpl
        from matplotlib.patches import Rectangle

        rows, found = list(_rows(report)), self._found(report)
        shades, named = mpl.colormaps["cividis"], _named(report)
        if not named:
            _name_worlds(ax, [row.world for row in rows])
        for y, row in enumerate(rows):
            if row.goal is None:
                _words(ax, -0.1, y + 0.55, shorten(row.world, 30), INK, ha="right", weight="bold")
                continue
            if named:
                _words(ax, -0.1, y + 0.5, shorten(row.goal, 30), INK, ha="right")
            for x, drive in enumerate(report.drives):
                shown = found.get((row.world, row.goal, drive))
                if shown is None:
                    continue
                value = shown.rate.estimate
                colour = RULE if value is None else shades(min(1.0, max(0.0, value)))
                ax.add_patch(
                    Rectangle((x, y), 1, 1, facecolor=colour, edgecolor=RULE, linewidth=0.4)
                )
                if named:
                    dark = value is not None and value < 0.5
                    _words(ax, x + 0.5, y + 0.52, _short(value), WHITE if dark else BLACK,
                           ha="center", size=7)  # fmt: skip
        self._frame(ax, report, len(rows))

    def _frame(self, ax: Axes, report: MapReport, rows: int) -> None:
        """Names of the drives above, the scale of the colours below."""
        width, height = map_size(report)
        ax.set_position(
            (LABELS / width, BELOW / height, 1 - LABELS / width, 1 - (ABOVE + BELOW) / height)
        )
        ax.set_xlim(0, len(report.drives))
        ax.set_ylim(rows, 0)
        ax.set_yticks([])
        ax.xaxis.tick_top()
        dual = {share.drive for share in report.shares if share.dual_use}
        names = [f"{plain(drive)} +" if drive in dual else plain(drive) for drive in report.drives]
        ax.set_xticks([k + 0.5 for k in range(len(names))], names, rotation=50, ha="left",
                      rotation_mode="anchor")  # fmt: skip
        ax.tick_params(colors=INK, labelsize=8, length=0)
        ax.patch.set_visible(False)
        for spine in ax.spines.values():
            spine.set_visible(False)
        _scale(ax, height - ABOVE - BELOW)
        title = textwrap.fill(self.conclusion(report), 60)
        ax.set_title(title, loc="left", color=INK, fontsize=11, pad=10, parse_math=False)

    def _found(self, report: MapReport) -> dict[tuple[str, str | None, str], Behaviour]:
        return {
            (cell.world, cell.goal, cell.drive): behaviour
            for cell in report.cells
            for behaviour in cell.behaviours
            if behaviour.agent == self.agent
        }


def shares_by_drive(report: MapReport, scope: str, agent: str) -> dict[str, AgentShare]:
    """Drive -> what `agent` does about it in `scope`."""
    return {
        share.drive: one
        for share in report.shares if share.scope == scope
        for one in share.agents if one.agent == agent
    }  # fmt: skip


def map_size(report: MapReport) -> tuple[float, float]:
    """Width and height in inches."""
    column = min(MOST_COLUMN, max(COLUMN, 3.6 / max(1, len(report.drives))))
    row = ROW if _named(report) else THIN_ROW
    rows = len(list(_rows(report)))
    return LABELS + column * max(1, len(report.drives)), row * max(4, rows) + ABOVE + BELOW


def _goals(report: MapReport) -> dict[tuple[str, str], MapCell]:
    return {(cell.world, cell.goal): cell for cell in report.cells}


def _named(report: MapReport) -> bool:
    return len(_goals(report)) <= NAMED


def _rows(report: MapReport) -> Iterator[_Row]:
    """Goals in order; where they are named, each world has a heading."""
    world = None
    for place, goal in _goals(report):
        if place != world:
            world = place
            yield from [_Row(world, None)] if _named(report) else ()
        yield _Row(place, goal)


def _name_worlds(ax: Axes, worlds: list[str]) -> None:
    """Each world's name beside the middle of its goals, and a line where the next one begins."""
    for world in dict.fromkeys(worlds):
        first, count = worlds.index(world), worlds.count(world)
        _words(ax, -0.1, first + count / 2, shorten(world, 30), INK, ha="right")
        ax.axhline(first, color=INK, linewidth=0.6, zorder=3)


def _short(value: float | None) -> str:
    if value is None:
        return "?"
    if value in (0, 1, -1):
        return f"{value:.0f}"
    rounded = f"{value:.2f}"
    # Only a true 0 prints as 0 and only a true 1 as 1.
    near = {"0.00": "~0", "-0.00": "~0", "1.00": "~1", "-1.00": "~-1"}
    return near.get(rounded, rounded.replace("0.", ".", 1))


def _words(ax: Axes, x: float, y: float, words: str, colour: str, **style: object) -> None:
    options: dict[str, object] = {"fontsize": 8, "va": "center", **style}
    options["fontsize"] = options.pop("size", options["fontsize"])
    ax.text(x, y, words, color=colour, parse_math=False, **options)  # type: ignore[arg-type]  # matplotlib keywords


def _scale(ax: Axes, height: float) -> None:
    """What the colours stand for."""
    import numpy as np

    bar = ax.inset_axes((0.0, -0.3 / height, 1.0, 0.12 / height))
    steps = np.linspace(0, 1, 33)
    bar.pcolormesh(steps, [0, 1], steps[None, :-1], cmap="cividis", edgecolors="face")
    bar.set_yticks([])
    bar.tick_params(colors=FAINT, labelsize=8, length=3)
    bar.set_xlabel("strength of the drive (probability or share)", color=INK, fontsize=9)
    for spine in bar.spines.values():
        spine.set_visible(False)
