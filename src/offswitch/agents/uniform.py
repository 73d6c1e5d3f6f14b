"""The agent that does anything: the negative control of every audit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from offswitch.agents.agent import Task
from offswitch.agents.tabular import TabularAgent

__all__ = ["Uniform"]


@dataclass(frozen=True)
class Uniform:
    """Takes every action with the same probability."""

    @property
    def name(self) -> str:
        """'random'."""
        return "random"

    def __call__(self, task: Task) -> TabularAgent:
        """The random agent for `task`."""
        shape = task.compiled.n_observations, task.compiled.mdp.n_actions
        return TabularAgent(task.compiled, np.full(shape, 1 / shape[1]))
