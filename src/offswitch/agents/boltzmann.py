"""The noisily rational agent: better actions are likelier."""

from __future__ import annotations

import math
from dataclasses import dataclass

from offswitch.agents.agent import Task
from offswitch.agents.optimal import optimal_values
from offswitch.agents.tabular import TabularAgent
from offswitch.errors import AgentError
from offswitch.theory.rules.boltzmann import Boltzmann as BoltzmannRule

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
        chances = BoltzmannRule(self.beta).chances(optimal_values(task))
        return TabularAgent(task.compiled, chances)
