"""The study of two agents for a terminal: at most 80 columns, without colour too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offswitch.audit.joint_report import JointReport, JointSummary
from offswitch.report.joint_figure import LABELS, joint_conclusion, number_names
from offswitch.report.text_parts import add_row, measured, paragraph, plain_table
from offswitch.report.wording import number, percent, plain, shorten

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

__all__ = ["joint_renderables", "joint_warnings"]

HEADINGS = {
    "together": "both",
    "first_alone": "first\nalone",
    "second_alone": "second\nalone",
    "joint": "only\ntogether",
    "pre_emptive": "before\nnotice",
    "answering": "after\nnotice",
    "control": "rival\nharmless",
    "excess": "excess",
}


def joint_renderables(report: JointReport) -> list[RenderableType]:
    """For every world a finding and its goals, then what cannot be said."""
    blank = paragraph([" "])
    parts: list[RenderableType] = []
    for summary in report.summaries:
        parts += [*paragraph([joint_conclusion(report, summary)]), *blank]
        parts += [_table(report, summary), *blank]
    level = percent(report.settings.level)
    names = [name for summary in report.summaries for name in number_names(summary)]
    lines = [
        f"Probabilities per episode, exact with each goal. Brackets: {level} intervals over goals.",
        *(
            f"{HEADINGS[name].replace(chr(10), ' ')}: {LABELS[name]}."
            for name in dict.fromkeys(names) if name != "excess"
        ),
        *joint_warnings(report),
        "Limits:",
        *(f"- {plain(limit)}" for limit in report.limits),
    ]  # fmt: skip
    return [*parts, *paragraph(lines)]


def joint_warnings(report: JointReport) -> list[str]:
    """What a reader must know of the worlds that were left out."""
    if not report.left_out:
        return []
    worlds = ", ".join(map(plain, report.left_out))
    return [f"Left out, for one agent acts there and no rival can be struck: {worlds}."]


def _table(report: JointReport, summary: JointSummary) -> Table:
    names = number_names(summary)
    table = plain_table("goal", *(HEADINGS[name] for name in names))
    add_row(table, "mean over goals", *(measured(summary.numbers[name]) for name in names))
    for row in report.rows:
        if row.world == summary.world:
            part = row.obstruction or row.strikes
            values = (getattr(part, name).estimate for name in names)
            add_row(table, shorten(row.goal, 24), *map(number, values))
    return table
