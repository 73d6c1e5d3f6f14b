"""The agent that does nothing: the null of every normalised return."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offswitch.agents.agent import Task
from offswitch.agents.tabular import TabularAgent
from offswitch.worlds.compiled import CompiledWorld

__all__ = ["DoNothing", "idle_table"]


@dataclass(frozen=True)
class DoNothing:
    """Plays the role 'wait' at every step; 'comply', else action 0, where a world has no 'wait'."""

    @property
    def name(self) -> str:
        """'do-nothing'."""
        return "do-nothing"

    def __call__(self, task: Task) -> TabularAgent:
        """The idle agent for `task`."""
        return TabularAgent(task.compiled, idle_table(task.compiled))


def idle_table(compiled: CompiledWorld) -> NDArray[np.float64]:
    """[O, A] always the action that does nothing in this world."""
    world = compiled.world
    action = next(
        (index for role in ("wait", "comply") if (index := world.role(role)) is not None), 0
    )
    table = np.zeros((compiled.n_observations, compiled.mdp.n_actions))
    table[:, action] = 1.0
    return table
