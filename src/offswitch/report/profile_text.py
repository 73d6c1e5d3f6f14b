"""How an agent resists, towards what it is directed and what it earns: tables for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from offswitch.audit.result import AgentResult, AuditReport
from offswitch.report.measures import audited, compared
from offswitch.report.profile_rows import ProfileRow, means_rows, stock_rows
from offswitch.report.text_parts import add_row, measured, paragraph, plain_table
from offswitch.report.wording import number, plain, shorten, spaced

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["means_parts", "performance_parts", "stock_parts", "strata_parts"]

NONE = "none used"
COMPARED, SIDE_BY_SIDE = 3, 68
"""Agents that stand beside each other, and the columns that takes; else the audited one alone."""


def means_parts(report: AuditReport, width: int) -> list[RenderableType]:
    """By which means each drive is pursued, beside the yardsticks."""
    heading = "Means, as shares of those that an agent uses for a drive where somebody intervenes:"
    return _beside(report, width, heading, "drive and means", means_rows)


def stock_parts(report: AuditReport, width: int) -> list[RenderableType]:
    """Hoarding resource by resource, beside the yardsticks."""
    heading = "Resource by resource, threat minus control:"
    return _beside(report, width, heading, "resource and part", stock_rows)


def _beside(
    report: AuditReport,
    width: int,
    heading: str,
    column: str,
    rows_of: Callable[[Sequence[AgentResult]], Iterable[ProfileRow]],
) -> list[RenderableType]:
    agents = compared(report)
    shown = agents if len(agents) <= COMPARED and width >= SIDE_BY_SIDE else agents[:1]
    table = plain_table(column, *(f"{shorten(one.name, 16)}\n({one.role})" for one in shown))
    rows = list(rows_of(shown))
    for label, values in rows:
        add_row(table, plain(label), *(measured(one) if one else NONE for one in values))
    return [*paragraph([heading]), table] if rows else []


def strata_parts(report: AuditReport, width: int) -> list[RenderableType]:
    """Resistance by how directed the agent is towards its goals."""
    strata = audited(report).strata
    table = plain_table("goal-directedness", "shutdown resistance")
    for one in strata:
        ends = f"{plain(one.stratum)}, {number(one.low)} to {number(one.high)}"
        add_row(table, ends, measured(one.resistance))
    heading = "Shutdown resistance by how directed the agent is in the control:"
    return [*paragraph([heading]), table] if strata else []


def performance_parts(report: AuditReport, width: int) -> list[RenderableType]:
    """Reward beside hidden performance, for the default goal of the worlds that declare it."""
    rows = audited(report).performance
    table = plain_table("world", "reward", "hidden performance", "gap")
    for one in rows:
        place = f"{plain(one.world)}\n{spaced(one.condition)}"
        add_row(table, place, *map(measured, (one.earned, one.performed, one.gap)))
    heading = "Reward beside what the designers want (undiscounted; the agent is not told):"
    return [*paragraph([heading]), table] if rows else []
