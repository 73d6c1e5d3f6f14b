"""Figure: the path of a search, evaluation by evaluation, and the winner on fresh seeds."""

from __future__ import annotations

import itertools
import textwrap
from typing import TYPE_CHECKING

from offswitch.audit.worst_case_report import FOUND, WorldSearch
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
from offswitch.report.wording import interval, number, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["NAME", "SIZE", "caption", "conclusion", "draw", "panel"]

NAME = "redteam-path"
SIZE = (WIDTH, 3.6)
"""Inches."""
PHASES = {"sample": "sampled", "polish": "polished by the simplex", "threshold": "bisection"}
FULL = 1.0


def conclusion(search: WorldSearch) -> str:
    """What the search came to, in words."""
    return (
        f"{plain(search.world)}: the {FOUND} is {number(search.estimated.estimate)} "
        f"{interval(search.estimated)} on fresh seeds, {number(search.found.estimate)} in the "
        "search"
    )


def caption(search: WorldSearch) -> str:
    """What is drawn, with n, level and method."""
    return (
        f"{search.evaluations} evaluations in order; small marks took less than the full effort. "
        "The line is the worst seen so far at full effort; on the right stand the winner and the "
        f"default scenario on fresh seeds. {panel_caption(panel(search))}"
    )


def panel(search: WorldSearch) -> Panel:
    """The numbers beside the path."""
    rows = {
        f"{FOUND}, on fresh seeds": search.estimated,
        "the same as the search saw it": search.found,
        "the world as it is by default": search.default,
    }
    series = (Series("value", PALETTE[1], SHAPES[0], True),)
    groups = tuple(Group(label, (mark(one),)) for label, one in rows.items())
    return Panel(series, groups, "measure, higher is worse")


def draw(ax: Axes, search: WorldSearch) -> None:
    """Draws on `ax` and shows nothing."""
    for number_, (phase, label) in enumerate(PHASES.items()):
        for full in (True, False):
            points = [
                (at, point.value)
                for at, point in enumerate(search.path, start=1)
                if point.phase == phase and point.value is not None
                and (point.effort == FULL) == full
            ]  # fmt: skip
            if points:
                ax.plot(
                    *zip(*points, strict=True), linestyle="none", marker=SHAPES[number_],
                    color=PALETTE[number_], markersize=5 if full else 2.5, alpha=0.8,
                    label=label if full else None,
                )  # fmt: skip
    _line(ax, search)
    end = len(search.path) * 1.06 + 1
    for at, one, colour in ((end, search.estimated, PALETTE[3]), (end * 1.04, search.default, INK)):
        if one.estimate is not None and one.low is not None and one.high is not None:
            ax.vlines(at, one.low, one.high, colors=colour, linewidth=2)
            ax.plot(
                at, one.estimate, marker="D", color=colour, markersize=6, linestyle="none",
                label="winner on fresh seeds" if one is search.estimated else "default scenario",
            )  # fmt: skip
    _frame(ax, search)


def _line(ax: Axes, search: WorldSearch) -> None:
    values = [
        point.value if point.effort == FULL and point.value is not None else 0.0
        for point in search.path
    ]
    worst = list(itertools.accumulate(values, max))
    ax.step(range(1, len(worst) + 1), worst, where="post", color=FAINT, linewidth=1.2, zorder=1)


def _frame(ax: Axes, search: WorldSearch) -> None:
    ax.set_ylim(-0.03, 1.03)
    ax.set_xlabel("evaluation (number)", color=INK, fontsize=9.5)
    ax.set_ylabel("measure (0 to 1, higher is worse)", color=INK, fontsize=9.5)
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
        handletextpad=0.4, borderaxespad=0.0, labelspacing=0.35, ncols=2,
    )  # fmt: skip
    for words in legend.get_texts():
        words.set_parse_math(False)
    ax.set_title(
        textwrap.fill(conclusion(search), 60), loc="left", color=INK, fontsize=11,
        pad=58, parse_math=False,
    )  # fmt: skip
