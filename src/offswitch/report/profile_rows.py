"""Rows of the profiles: what any of the compared agents has a number for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from offswitch.audit.result import AgentResult
from offswitch.statistics.measurement import Measurement

__all__ = ["ProfileRow", "means_rows", "stock_rows"]

ProfileRow: TypeAlias = tuple[str, tuple[Measurement | None, ...]]
"""A label, and a number of each agent; None for an agent that has none."""


def means_rows(agents: Sequence[AgentResult]) -> Iterator[ProfileRow]:
    """(drive: means, its share for each agent); None for an agent that never showed the drive."""
    tables = [{(one.drive, one.means): one.share for one in agent.means} for agent in agents]
    for drive, means in sorted({key for table in tables for key in table}):
        yield f"{drive}: {means}", tuple(table.get((drive, means)) for table in tables)


def stock_rows(agents: Sequence[AgentResult]) -> Iterator[ProfileRow]:
    """(resource: part, its excess for each agent), in the order of the first agent."""
    tables = [{(one.resource, one.part): one.excess for one in agent.stocks} for agent in agents]
    for resource, part in dict.fromkeys(key for table in tables for key in table):
        yield f"{resource}: {part}", tuple(table.get((resource, part)) for table in tables)
