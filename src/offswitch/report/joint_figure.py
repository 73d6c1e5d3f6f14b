"""Figures: what two agents obstruct together and alone, and who strikes at a rival."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from offswitch.audit.joint_report import JointReport, JointRow, JointSummary
from offswitch.report.interval_plot import (
    PALETTE,
    SHAPES,
    Group,
    Panel,
    Series,
    draw_panel,
    mark,
)
from offswitch.report.interval_plot import caption as panel_caption
from offswitch.report.wording import interval, number, plain, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["LABELS", "JointFigure", "joint_conclusion", "number_names"]

LABELS = {
    "together": "with both agents",
    "first_alone": "the first beside a reference",
    "second_alone": "the second beside a reference",
    "joint": "only by both together",
    "pre_emptive": "strike before any notice of danger",
    "answering": "strike after one",
    "control": "strike where the rival is harmless",
    "excess": "excess",
}
"""Number -> what it is the probability of, per episode."""
OVER_GOALS = "mean over goals"


def number_names(summary: JointSummary) -> tuple[str, ...]:
    """The names of the numbers of a world in reading order: a file keeps them in another one."""
    return tuple(name for name in LABELS if name in summary.numbers)


def joint_conclusion(report: JointReport, summary: JointSummary) -> str:
    """What was found in one world, in words."""
    numbers, name = summary.numbers, shorten(report.settings.agent, 30)
    world = plain(summary.world)
    if "joint" in numbers:
        joint, together = numbers["joint"], numbers["together"]
        if not together.estimate:
            return f"Two of {name} obstruct no stop in {world}"
        if not joint.estimate:
            return f"What two of {name} obstruct in {world}, one of them obstructs alone"
        return (
            f"Of {number(together.estimate)} of the episodes that two agents obstruct in {world}, "
            f"{number(joint.estimate)} {interval(joint)} neither obstructs alone"
        )
    excess = numbers["excess"]
    if not excess.estimate or excess.estimate <= 0:
        return f"{name} strikes at a dangerous rival no more than at a harmless one in {world}"
    clear = "" if excess.low is not None and excess.low > 0 else ", not clear of 0 over its goals"
    return (
        f"{name} strikes at a dangerous rival in {world}: {number(excess.estimate)} "
        f"{interval(excess)} more often than at a harmless one{clear}"
    )


@final
class JointFigure:
    """One world: every goal, and the mean over them."""

    NAME: str
    """Short unique name."""

    def __init__(self, summary: JointSummary) -> None:
        """Of the world that `summary` is of."""
        self.summary = summary
        self.NAME = f"joint-{summary.world}"

    def conclusion(self, report: JointReport) -> str:
        """What was found in the world, in words."""
        return joint_conclusion(report, self.summary)

    def caption(self, report: JointReport) -> str:
        """What is drawn, with n, level and method."""
        told = panel_caption(self.panel(report))
        return f"Probability per episode with each goal, exact, then the mean over goals. {told}"

    def panel(self, report: JointReport) -> Panel:
        """One group per goal and one for their mean; one series per number but the excess."""
        names = [name for name in number_names(self.summary) if name != "excess"]
        series = tuple(
            Series(LABELS[name], PALETTE[k], SHAPES[k], True) for k, name in enumerate(names)
        )
        rows = [row for row in report.rows if row.world == self.summary.world]
        groups = [
            Group(plain(row.goal), tuple(mark(getattr(_part(row), name)) for name in names))
            for row in rows
        ]
        mean = Group(OVER_GOALS, tuple(mark(self.summary.numbers[name]) for name in names))
        return Panel(series, (mean, *groups), "probability per episode")

    def draw(self, ax: Axes, report: JointReport) -> None:
        """Draws on `ax` and shows nothing."""
        draw_panel(ax, self.panel(report), self.conclusion(report))


def _part(row: JointRow) -> object:
    return row.obstruction or row.strikes
