"""The agent that maximises its expected discounted reward, exactly."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offswitch.agents.agent import Task, watched_task
from offswitch.agents.planning import observation_values, planned_values, planning_model
from offswitch.agents.tabular import TabularAgent, greedy_table

__all__ = ["Optimal", "optimal_values"]


@dataclass(frozen=True)
class Optimal:
    """Plans without end in the world's planning model; ties go to the lowest action index."""

    @property
    def name(self) -> str:
        """'optimal'."""
        return "optimal"

    def __call__(self, task: Task) -> TabularAgent:
        """The optimal agent for `task`. O(one exact solve)."""
        return TabularAgent(task.compiled, greedy_table(optimal_values(task)))


def optimal_values(task: Task) -> NDArray[np.float64]:
    """[O, A] the optimal action values Q* of the planning model, by what the agent sees.

    Read-only, remembered.
    """
    return _optimal_values(watched_task(task))


@functools.lru_cache(maxsize=64)
def _optimal_values(task: Task) -> NDArray[np.float64]:
    model = planning_model(task)
    values = observation_values(model, planned_values(model), task.compiled)
    values.flags.writeable = False
    return values
