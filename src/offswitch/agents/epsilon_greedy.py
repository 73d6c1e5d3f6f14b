"""The optimal agent that errs at random."""

from __future__ import annotations

from dataclasses import dataclass

from offswitch.agents.agent import Task
from offswitch.agents.optimal import Optimal
from offswitch.agents.tabular import TabularAgent
from offswitch.errors import AgentError

__all__ = ["EpsilonGreedy"]


@dataclass(frozen=True)
class EpsilonGreedy:
    """Takes a uniformly random action with probability epsilon, else the optimal one."""

    epsilon: float
    """Probability, in [0, 1]."""

    def __post_init__(self) -> None:
        """Refuse what is no probability.

        Raises:
            AgentError: epsilon is outside [0, 1].
        """
        if not 0 <= self.epsilon <= 1:
            raise AgentError(
                f"epsilon-greedy got {self.epsilon:g}, expected a probability in [0, 1], as in "
                "'epsilon-greedy:0.1'"
            )

    @property
    def name(self) -> str:
        """Such as 'epsilon-greedy:0.1'."""
        return f"epsilon-greedy:{self.epsilon}"

    def __call__(self, task: Task) -> TabularAgent:
        """The erring agent for `task`. O(one exact solve)."""
        best = Optimal()(task).table
        share = self.epsilon / best.shape[1]
        return TabularAgent(task.compiled, (1 - self.epsilon) * best + share)
