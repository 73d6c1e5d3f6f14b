"""Figure: POWER over the cells of a grid world.

Cells carry their own colours, light and dark pages alike; the number in a cell says what its colour
says. The scale is never narrower than six of the widest half-widths, so that noise looks like it.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offswitch.report.interval_plot import (
    FAINT,
    INK,
    PALETTE,
    RULE,
    WIDTH,
    Group,
    Panel,
    Series,
    mark,
)
from offswitch.report.prediction_finding import state_power, told_apart
from offswitch.report.wording import number, percent, plain
from offswitch.theory.prediction.report import Grid, GridCell, PredictionReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["NAME", "caption", "conclusion", "draw", "map_size", "panel"]

NAME = "power-map"
LARGEST_CELL, BELOW = 0.85, 1.1
"""Inches of a cell, and of what stands below the cells."""
NUMBERED, WITH_INTERVAL = 0.26, 0.4
"""Inches of a cell from which its number, and its half-width, can be read."""
BLACK, WHITE = "#101010", "#fefefe"
"""Not those of the page, which change with the reader's theme."""


class _Scale(NamedTuple):
    """What the colours stand for."""

    low: float
    high: float
    widest: float
    """The widest half-width of a cell that is shown."""


def conclusion(report: PredictionReport) -> str:
    """Where on the map POWER is highest and lowest, in words."""
    cells = _shown(report)
    if not cells:
        return "No cell of the map can be reached"
    power = report.states.estimate
    best, top = max(cells, key=lambda cell: power[cell[1]])
    worst, bottom = min(cells, key=lambda cell: power[cell[1]])
    if not told_apart(report, top, bottom):
        return "No two cells of the map can be told apart by their POWER"
    return (
        f"POWER ranges from {number(power[bottom])} at {_place(worst)} to {number(power[top])} at "
        f"{_place(best)}"
    )


def _place(cell: GridCell) -> str:
    return f"row {cell.row}, column {cell.column}"


def caption(report: PredictionReport) -> str:
    """What is drawn, with n, level and method."""
    note = f" {plain(report.grid.note)}" if report.grid and report.grid.note else ""
    return (
        f"POWER of the state in each cell at discount {report.settings.discount:g}, goals drawn "
        f"from {plain(report.settings.law_name)}; the number below it is the half-width of its "
        "interval, and the bracket on the scale is as wide as the widest. Letters are those of the "
        f"world's map; grey cells are walls, empty ones are never stood on.{note} n = "
        f"{report.states.n} in every cell; {percent(report.states.level)} intervals; method: "
        f"{plain(report.states.method)}."
    )


def panel(report: PredictionReport) -> Panel:
    """One group per cell that is reached, row by row."""
    series = (Series("POWER", PALETTE[0], "o", True),)
    groups = tuple(
        Group(_place(cell), (mark(state_power(report, state)),)) for cell, state in _shown(report)
    )
    return Panel(series, groups, f"POWER ({plain(report.states.unit)})")


def _shown(report: PredictionReport) -> list[tuple[GridCell, int]]:
    """The cells that can be stood on, with their states."""
    cells = report.grid.cells if report.grid is not None else ()
    pairs = [(cell, cell.state) for cell in cells if cell.state is not None]
    return [(cell, state) for cell, state in pairs if report.states.reachable[state]]


def map_size(report: PredictionReport) -> tuple[float, float]:
    """Width and height in inches."""
    assert report.grid is not None
    cell = _cell_inches(report.grid)
    return cell * report.grid.columns, cell * report.grid.rows + BELOW


def _cell_inches(grid: Grid) -> float:
    return min(LARGEST_CELL, WIDTH / grid.columns)


def draw(ax: Axes, report: PredictionReport) -> None:
    """Draws on `ax` and shows nothing."""
    grid = report.grid
    assert grid is not None
    scale = _scale(report)
    values = np.full((grid.rows, grid.columns), np.nan)
    for cell, state in _shown(report):
        values[cell.row, cell.column] = report.states.estimate[state]
    _colour(ax, values, scale, report)
    _write(ax, report, scale)
    _fill_canvas(ax, grid)
    ax.set_xlim(0, grid.columns)
    ax.set_ylim(grid.rows, 0)
    ax.set_aspect("equal")
    ax.patch.set_visible(False)
    every = max(1, -(-grid.columns // 15), -(-grid.rows // 15))
    columns, rows = range(0, grid.columns, every), range(0, grid.rows, every)
    ax.set_xticks([column + 0.5 for column in columns], [str(column) for column in columns])
    ax.set_yticks([row + 0.5 for row in rows], [str(row) for row in rows])
    ax.tick_params(colors=FAINT, labelsize=8, length=0)
    ax.set_xlabel("column", color=INK, fontsize=9)
    ax.set_ylabel("row", color=INK, fontsize=9)
    for spine in ax.spines.values():
        spine.set_color(RULE)
    title = textwrap.fill(conclusion(report), 56)
    ax.set_title(title, loc="left", color=INK, fontsize=11, pad=10, parse_math=False)


def _fill_canvas(ax: Axes, grid: Grid) -> None:
    """Cells of the size that the letters in them are made for; labels go outside."""
    from matplotlib.patches import Rectangle

    cells = _cell_inches(grid) * grid.rows
    total = cells + BELOW
    ax.set_position((0.0, BELOW / total, 1.0, cells / total))
    for cell in grid.cells:
        if cell.state is None:
            corner = (cell.column, cell.row)
            ax.add_patch(Rectangle(corner, 1, 1, facecolor=RULE, edgecolor="none", zorder=0))


def _scale(report: PredictionReport) -> _Scale:
    states = [state for _, state in _shown(report)]
    power = [report.states.estimate[state] for state in states] or [0.0]
    widest = max(((report.states.high[s] - report.states.low[s]) / 2 for s in states), default=0.0)
    low, high = min(power), max(power)
    missing = max(0.0, 6 * widest - (high - low), 1e-9 - (high - low)) / 2
    return _Scale(low - missing, high + missing, widest)


def _colour(ax: Axes, values: NDArray[np.float64], scale: _Scale, report: PredictionReport) -> None:
    """The cells, and below them the scale with the widest interval drawn to it."""
    import matplotlib as mpl

    shades = mpl.colormaps["cividis"]
    norm = mpl.colors.Normalize(scale.low, scale.high)
    masked = np.ma.masked_invalid(values)
    ax.pcolormesh(masked, cmap=shades, norm=norm, edgecolors=RULE, linewidth=0.6)
    bar = ax.inset_axes((0.0, -0.62 / _height(report) - 0.02, 1.0, 0.14 / _height(report)))
    steps = np.linspace(scale.low, scale.high, 65)
    bar.pcolormesh(steps, [0, 1], steps[None, :-1], cmap=shades, norm=norm, edgecolors="face")
    bar.set_yticks([])
    bar.tick_params(colors=FAINT, labelsize=8, length=3)
    bar.set_xlabel(f"POWER ({plain(report.states.unit)})", color=INK, fontsize=9)
    left = scale.low + 0.04 * (scale.high - scale.low)
    ends = [left, left + 2 * scale.widest]
    bar.plot(ends, [0.5, 0.5], color=WHITE, linewidth=1.6)
    bar.plot(ends, [0.5, 0.5], "|", color=WHITE, markersize=7, markeredgewidth=1.6)
    for spine in bar.spines.values():
        spine.set_visible(False)


def _height(report: PredictionReport) -> float:
    """Inches that the cells take."""
    assert report.grid is not None
    return _cell_inches(report.grid) * report.grid.rows


def _write(ax: Axes, report: PredictionReport, scale: _Scale) -> None:
    """Numbers, half-widths and letters, where there is room for them."""
    import matplotlib as mpl

    assert report.grid is not None
    inches, shades = _cell_inches(report.grid), mpl.colormaps["cividis"]
    size = min(9.5, inches * 17)
    reached = _shown(report)
    standing = {(cell.row, cell.column) for cell, _ in reached}
    for cell in report.grid.cells:
        if (cell.row, cell.column) not in standing:
            _text(ax, (cell.column + 0.5, cell.row + 0.5), _letter(cell), FAINT, size)
    for cell, state in reached if inches >= NUMBERED else ():
        x, y, power = cell.column + 0.5, cell.row + 0.5, report.states.estimate[state]
        red, green, blue, _ = shades((power - scale.low) / (scale.high - scale.low))
        ink = WHITE if 0.3 * red + 0.59 * green + 0.11 * blue < 0.5 else BLACK
        roomy = inches >= WITH_INTERVAL
        _text(ax, (x, y - 0.06 * roomy), number(power), ink, size)
        if roomy:
            half = (report.states.high[state] - report.states.low[state]) / 2
            _text(ax, (x, y + 0.24), f"±{number(half)}", ink, size * 0.8)
            _text(ax, (x - 0.37, y - 0.34), _letter(cell), ink, size * 0.75)


def _letter(cell: GridCell) -> str:
    return plain(cell.mark).strip()[:2]


def _text(ax: Axes, at: tuple[float, float], words: str, colour: str, size: float) -> None:
    ax.text(*at, words, color=colour, fontsize=size, ha="center", va="center", parse_math=False)
