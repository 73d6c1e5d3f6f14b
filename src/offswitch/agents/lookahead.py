"""The bounded planner: it sees h steps ahead and nothing beyond."""

from __future__ import annotations

from dataclasses import dataclass

from offswitch.agents.agent import Task
from offswitch.agents.planning import observation_values, planning_model
from offswitch.agents.tabular import TabularAgent, greedy_table
from offswitch.errors import AgentError
from offswitch.theory.rules.lookahead import lookahead_values

__all__ = ["Lookahead"]


@dataclass(frozen=True)
class Lookahead:
    """Plans `steps` discounted steps, the world worth 0 beyond, and plans anew at every step.

    The capability knob of Turner et al. 2021: what lies beyond the horizon cannot motivate.
    """

    steps: int
    """At least 1."""

    def __post_init__(self) -> None:
        """Refuse a planner that cannot see its own action.

        Raises:
            AgentError: fewer than 1 step.
        """
        if self.steps < 1:
            raise AgentError(
                f"lookahead got {self.steps} steps, expected at least 1, as in 'lookahead:3'"
            )

    @property
    def name(self) -> str:
        """Such as 'lookahead:3'."""
        return f"lookahead:{self.steps}"

    def __call__(self, task: Task) -> TabularAgent:
        """The h-step agent for `task`. O(h S A branches)."""
        model = planning_model(task)
        steps = min(self.steps, model.compiled.world.horizon)  # no episode is longer
        values = lookahead_values(
            model.compiled.mdp, model.reward[None], steps, discount=model.discount
        )
        seen = observation_values(model, values[0], task.compiled)
        return TabularAgent(task.compiled, greedy_table(seen))
