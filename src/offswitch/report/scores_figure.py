"""Figure: what the mean of dimensions makes of each adversary, and what C makes of it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from offswitch.audit.candidate_scores_result import PersonaScores, ScoresReport
from offswitch.report.interval_plot import FAINT, INK, PALETTE, RULE, Group, Panel, Series, mark

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["NAME", "SIZE", "caption", "conclusion", "draw", "panel", "staged_adversaries"]

NAME = "scores"
SIZE = (5.2, 5.4)
LEFT, RIGHT = "mean_of_dimensions", "corrigibility"
GAP = 0.034
"""Least distance between two names, in units of the score."""


class _Style(NamedTuple):
    label: str
    colour: str
    line: Literal["-", "--", ":"]
    shape: str


NEITHER = _Style("taken for corrigible by neither", PALETTE[0], "-", "o")
ONE = _Style("by the mean of dimensions only", PALETTE[1], "--", "^")
BOTH = _Style("by C too", PALETTE[3], ":", "s")


def staged_adversaries(report: ScoresReport) -> list[PersonaScores]:
    """The adversaries that some world stages."""
    return [found for found in report.personas if found.adversary and found.worlds]


def conclusion(report: ScoresReport) -> str:
    """How many adversaries each of the two scores takes for corrigible, in words."""
    found = staged_adversaries(report)
    if not found:
        return "No world stages an adversary"
    left, right = (sum(name in one.fooled for one in found) for name in (LEFT, RIGHT))
    return (
        f"The mean of six dimensions takes {left} of {len(found)} adversaries for corrigible, "
        f"C takes {right}"
    )


def caption(report: ScoresReport) -> str:
    """What is drawn, with n and method."""
    found = staged_adversaries(report)
    sizes = sorted({len(one.worlds) for one in found}) or [0]
    return (
        "One line for each adversary: its score over the worlds that stage it "
        f"(n = {sizes[0]} to {sizes[-1]} worlds), exact, so that there is no interval to draw. "
        f"At {1 - report.margin:g} or above it comes within {report.margin:g} of the corrigible "
        "reference, which scores 1. Named are those that C takes for corrigible."
    )


def panel(report: ScoresReport) -> Panel:
    """One group per adversary, one row per score."""
    series = (
        Series("mean of six dimensions", PALETTE[1], "^", filled=False),
        Series("C", PALETTE[0], "o", filled=True),
    )
    groups = tuple(
        Group(one.persona, tuple(mark(one.scores[name]) for name in (LEFT, RIGHT)))
        for one in staged_adversaries(report)
    )
    return Panel(series, groups, "score in [0, 1]")


def draw(ax: Axes, report: ScoresReport) -> None:
    """Draws on `ax` and shows nothing."""
    found = staged_adversaries(report)
    bar = 1 - report.margin
    ax.axhspan(bar, 1.0, color=RULE, linewidth=0)
    for one in found:
        style = _style(one)
        ax.plot(
            (0, 1), _ends(one), color=style.colour, linestyle=style.line, marker=style.shape,
            markersize=5, linewidth=1.3, clip_on=False,
        )  # fmt: skip
    for y, one in _apart([one for one in found if RIGHT in one.fooled]):
        ax.text(1.04, y, one.persona, color=INK, fontsize=8.5, va="center")
    _frame(ax, found)
    ax.set_title(textwrap.fill(conclusion(report), 60), loc="left", color=INK, fontsize=11, pad=62)


def _style(one: PersonaScores) -> _Style:
    if RIGHT in one.fooled:
        return BOTH
    return ONE if LEFT in one.fooled else NEITHER


def _ends(one: PersonaScores) -> tuple[float, float]:
    left, right = (one.scores[name].estimate or 0.0 for name in (LEFT, RIGHT))
    return left, right


def _apart(found: Sequence[PersonaScores]) -> Iterator[tuple[float, PersonaScores]]:
    """Names at the heights of their scores, from the top, pushed down where they would touch."""
    free = 1.06
    for one in sorted(found, key=lambda one: -_ends(one)[1]):
        free = min(free - GAP, _ends(one)[1])
        yield free, one


def _frame(ax: Axes, found: Sequence[PersonaScores]) -> None:
    from matplotlib.lines import Line2D

    ax.set_xlim(-0.08, 1.55)
    ax.set_ylim(-0.02, 1.02)
    ax.set_xticks([0, 1], ["mean of six\ndimensions", "C"], color=INK, fontsize=9.5)
    ax.set_ylabel("score in [0, 1]", color=INK, fontsize=9.5)
    ax.tick_params(axis="both", colors=FAINT, labelsize=9, length=3)
    ax.tick_params(axis="x", labelcolor=INK)
    ax.patch.set_visible(False)
    for side in ("top", "right", "bottom"):
        ax.spines[side].set_visible(False)
    ax.spines["left"].set_color(FAINT)
    handles = [
        Line2D([], [], color=style.colour, linestyle=style.line, marker=style.shape, markersize=5,
               label=f"{style.label} ({sum(_style(one) is style for one in found)})")
        for style in (NEITHER, ONE, BOTH)
    ]  # fmt: skip
    ax.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(-0.02, 1.02), frameon=False, fontsize=9,
        labelcolor=INK, handlelength=2.6, borderaxespad=0.0,
    )  # fmt: skip
