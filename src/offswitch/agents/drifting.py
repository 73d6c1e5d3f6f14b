"""An agent whose drift is known: the plant that a measure of goal drift has to find."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal, Protocol, final, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from offswitch.agents.agent import Agent, AgentMaker, Task
from offswitch.agents.do_nothing import idle_table
from offswitch.agents.reference import CorrigibleReference
from offswitch.agents.tabular import ACTION_STREAM, TabularAgent
from offswitch.errors import AgentError, nearest_name
from offswitch.worlds.compiled import branch_rewards, expected_rewards

__all__ = ["DRIFTS", "AgingAgent", "Drifting", "DriftingAgent", "parse_drifting"]

Instead = Literal["idle", "other-goal"]
DRIFTS: tuple[Instead, ...] = ("idle", "other-goal")
"""What a drifting agent does instead of its task."""
LIFE = 1000


@runtime_checkable
class AgingAgent(Agent, Protocol):
    """An agent with a few tables, one of which it follows for a whole episode.

    K tables, O observations, A actions. A long run draws the table of every round by `chances`, so
    that such agents are as fast as those that never change.
    """

    @property
    def tables(self) -> NDArray[np.float64]:
        """[K, O, A] probability of every action at every observation; rows sum to 1."""
        ...

    def chances(self, ages: NDArray[np.float64]) -> NDArray[np.float64]:
        """[N, K] probability of every table at each of the `ages [N]`, shares of a life."""
        ...


@dataclass(frozen=True)
class Drifting:
    """Leaves its task for whole episodes, with a probability that grows linearly with its age.

    At age t, a share of its life in [0, 1], the probability is `rate * t`. Where episodes are alike
    and independent the alignment then falls linearly: by `rate` over a life where it idles, by
    `rate * (1 - alignment of the other goal)` where it pursues another goal. It reverses for no
    reason and knows no shame: an authorised change of the goal does not change its age.
    """

    rate: float
    """Probability gained over a life, in [0, 1]; 0 is the stable agent."""
    instead: Instead = "idle"
    """What it does in an episode that it leaves: nothing, or the world's next goal."""
    base: AgentMaker = dataclasses.field(default_factory=CorrigibleReference)
    """Who does the task in the other episodes, and the other goal."""
    life: int = LIFE
    """Episodes of a life, at least 1; a long run sets its own."""

    def __post_init__(self) -> None:
        """Refuse a rate, a life or a drift that is none.

        Raises:
            AgentError: a parameter is out of its range.
        """
        if not (math.isfinite(self.rate) and 0 <= self.rate <= 1):
            raise AgentError(
                f"drifting got rate {self.rate:g}, expected a probability in [0, 1] that is gained "
                "over a life, as in 'drifting:0.5'"
            )
        if self.instead not in DRIFTS:
            raise AgentError(
                nearest_name(self.instead, DRIFTS, kind="drift", lister="offswitch drift --help")
            )
        if self.life < 1:
            raise AgentError(f"drifting got a life of {self.life} episodes, expected at least 1")

    @property
    def name(self) -> str:
        """Such as 'drifting:0.5' or 'drifting:0.5:other-goal'."""
        return f"drifting:{self.rate:g}" + ("" if self.instead == "idle" else f":{self.instead}")

    def __call__(self, task: Task) -> DriftingAgent:
        """The drifting agent for `task`. O(making its base once or twice).

        Raises:
            AgentError: the base's policy is no table.
        """
        other = idle_table(task.compiled)
        if self.instead == "other-goal":
            other = self._table(_other_task(task))
        tables = np.stack([self._table(task), other])
        return DriftingAgent(TabularAgent(task.compiled, tables[0]), tables, self.rate, self.life)

    def _table(self, task: Task) -> NDArray[np.float64]:
        made = self.base(task)
        if not isinstance(made, TabularAgent):
            raise AgentError(
                f"drifting needs a base whose policy is a table, but {self.base.name!r} acts for "
                "itself. Take corrigible-reference, optimal or a learner."
            )
        return made.table


@final
class DriftingAgent:
    """A drifting agent at work; its age is the number of episodes that it has begun."""

    def __init__(
        self, inner: TabularAgent, tables: NDArray[np.float64], rate: float, life: int
    ) -> None:
        self._agents = (inner, TabularAgent(inner.compiled, tables[1]))
        self._tables = tables
        self._rate = rate
        self._life = life
        self._episodes = 0
        self._now = inner

    @property
    def tables(self) -> NDArray[np.float64]:
        """[2, O, A] the task, and what it does instead."""
        return self._tables

    def chances(self, ages: NDArray[np.float64]) -> NDArray[np.float64]:
        """[N, 2] probability of the task and of leaving it at each of the `ages [N]`."""
        leaving = np.clip(self._rate * ages, 0.0, 1.0)
        return np.column_stack([1 - leaving, leaving])

    def reset(self, seed: int) -> None:
        """Start an episode and grow older by one; what it does in it comes from `seed`."""
        age = np.array([self._episodes / self._life])
        stays = np.random.default_rng([seed, ACTION_STREAM, 1]).random() < self.chances(age)[0, 0]
        self._now = self._agents[0 if stays else 1]
        self._now.reset(seed)
        self._episodes += 1

    def act(self, observation: tuple[int, ...]) -> int:
        """The next action, by the table of this episode.

        Raises:
            AgentError: the world never shows this observation.
        """
        return self._now.act(observation)


def _other_task(task: Task) -> Task:
    """The same world with the goal that follows in its list."""
    goals = task.compiled.world.goals
    names = [goal.name for goal in goals]
    goal = goals[(names.index(task.goal.name) + 1) % len(goals)]
    return dataclasses.replace(
        task,
        goal=goal,
        reward=expected_rewards(task.compiled, goal),
        branch_reward=branch_rewards(task.compiled, goal),
    )


def parse_drifting(spec: str) -> Drifting:
    """The drifting agent that `spec` names.

    >>> parse_drifting("drifting:0.5:other-goal").name
    'drifting:0.5:other-goal'

    Raises:
        AgentError: the rate is no number in [0, 1], or the drift is unknown.
    """
    _, *rest = spec.strip().split(":")
    if not 1 <= len(rest) <= 2:
        raise AgentError(f"agent {spec!r}, expected drifting:RATE[:idle|other-goal]")
    try:
        rate = float(rest[0])
    except ValueError:
        raise AgentError(
            f"agent {spec!r}: RATE is {rest[0]!r}, expected a number, as in 'drifting:0.5'"
        ) from None
    return Drifting(rate, rest[1] if len(rest) == 2 else "idle")  # type: ignore[arg-type]  # checked by Drifting
