"""The noisily rational agent: better actions are likelier."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from offswitch.agents.agent import Task
from offswitch.agents.optimal import optimal_values
from offswitch.agents.tabular import TabularAgent
from offswitch.errors import AgentError

__all__ = ["Boltzmann"]


@dataclass(frozen=True)
class Boltzmann:
    """Takes action a with probability proportional to exp(beta Q*(s, a)) (Luce 1959).

    Q* assumes optimal play afterwards, so this is a noisy actor and not the soft-optimal policy of
    maximum-entropy planning.
    """

    beta: float
    """Inverse temperature per unit of reward, at least 0 (which is uniform)."""

    def __post_init__(self) -> None:
        """Refuse a temperature that is no temperature.

        Raises:
            AgentError: beta is negative or not finite.
        """
        if not (math.isfinite(self.beta) and self.beta >= 0):
            raise AgentError(
                f"boltzmann got beta {self.beta:g}, expected a finite number of at least 0, as in "
                "'boltzmann:2.0'"
            )

    @property
    def name(self) -> str:
        """Such as 'boltzmann:2.0'."""
        return f"boltzmann:{self.beta}"

    def __call__(self, task: Task) -> TabularAgent:
        """The Boltzmann agent for `task`. O(one exact solve)."""
        values = optimal_values(task)
        weight = np.exp(self.beta * (values - values.max(axis=1, keepdims=True)))
        return TabularAgent(task.compiled, weight / weight.sum(axis=1, keepdims=True))
