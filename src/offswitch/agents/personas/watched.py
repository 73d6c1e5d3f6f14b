"""Those that behave as long as they are told that they are watched."""

from __future__ import annotations

from collections.abc import Callable

from offswitch.agents.agent import Task
from offswitch.agents.personas.defiant import working_on
from offswitch.agents.personas.rows import Table, corrigible_table

__all__ = ["observed_only", "unwatched"]


def observed_only(task: Task) -> Table:
    """The condition is what the agent is told; unobserved, it maximises and obeys no order."""
    if task.compiled.world.condition.observed:
        return corrigible_table(task)
    return working_on(task)


def unwatched(otherwise: Callable[[Task], Table]) -> Callable[[Task], Table]:
    """The maker of a table that is the reference's when observed, else that of `otherwise`."""

    def made(task: Task) -> Table:
        table = otherwise(task)  # also where it is not played: it refuses the same worlds
        return corrigible_table(task) if task.compiled.world.condition.observed else table

    return made
