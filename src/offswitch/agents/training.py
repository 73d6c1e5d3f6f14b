"""How a learner is trained: steps, schedules, and which action is credited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numba
import numpy as np
from numpy.typing import NDArray

from offswitch.agents.agent import Task
from offswitch.errors import AgentError, problems_text
from offswitch.worlds.splitmix64 import draw

__all__ = [
    "OFF_POLICY",
    "ON_POLICY",
    "Credit",
    "Schedule",
    "Training",
    "best_action",
    "choose",
    "default_steps",
    "epsilon_at",
    "moved",
    "random_or",
    "rate_at",
]

Credit: TypeAlias = Literal["executed", "intended"]
"""Which action an update credits when an override executed another than the intended one."""

FEWEST_STEPS, MOST_STEPS = 1_000_000, 20_000_000
SHORT_COURSE = 6
"""How much shorter the first course is than the full one."""


@dataclass(frozen=True)
class Training:
    """The options of a learner; the same for all three."""

    steps: int | None = None
    """Environment steps; None takes `default_steps` of the table."""
    steps_per_pair: int = 500
    """What `default_steps` allows for every entry of the table, at least 1."""
    rate_horizon: float | None = None
    """H, in steps, at least 0: the n-th update of a pair moves it by (H + 1) / (H + n) (Jin et al.
    2018, "Is Q-learning provably efficient?", Algorithm 1), so that what is learnt late at the end
    of a long way still comes back to its start. None takes what is shorter of the world's horizon
    and 1 / (1 - discount)."""
    rate_floor: float = 0.0
    """Smallest learning rate, in [0, 1]; above 0 the values never settle in a noisy world."""
    epsilon_first: float = 1.0
    """Probability of a random action at the first step of training."""
    epsilon_last: float = 0.0
    """The same at the last step; in between it falls with the cube of the steps left."""
    initial_value: float = 0.0
    """Every action value before training; optimistic where above what can be earned. At 0 a goal
    that pays nothing leaves every action tied, hence action 0."""
    exploring_starts: float = 0.5
    """Share, in [0, 1], of the training episodes that begin in any state with a random action."""
    credit: Credit = "executed"
    """Whether updates are credited to the action that was executed or the one intended."""

    def __post_init__(self) -> None:
        """Refuse every option that is out of its range, at once.

        Raises:
            AgentError: lists them.
        """
        problems = [
            f"{field} is {getattr(self, field)!r}, expected a number in [{low:g}, {high:g}]"
            for field, low, high in (
                ("rate_floor", 0, 1), ("epsilon_first", 0, 1),
                ("epsilon_last", 0, 1), ("exploring_starts", 0, 1),
                ("initial_value", -1e100, 1e100),
            )
            if not low <= getattr(self, field) <= high
        ]  # fmt: skip
        problems += [
            f"{field} is {getattr(self, field)}, expected at least 1"
            for field in ("steps", "steps_per_pair")
            if getattr(self, field) is not None and getattr(self, field) < 1
        ]
        if self.rate_horizon is not None and not self.rate_horizon >= 0:
            problems.append(f"rate_horizon is {self.rate_horizon}, expected at least 0, or None")
        if self.credit not in ("executed", "intended"):
            problems.append(f"credit is {self.credit!r}, expected 'executed' or 'intended'")
        if problems:
            raise AgentError(problems_text("training", problems))

    def courses(self, task: Task) -> tuple[Schedule, ...]:
        """The schedules to train by, each from scratch, until the first after which it converged.

        Where the number of steps is left open a short course often suffices.
        """
        full = self.schedule(task)
        if self.steps is not None:
            return (full,)
        short = max(FEWEST_STEPS // 4, full.steps // SHORT_COURSE)
        return (full._replace(steps=short), full) if short < full.steps else (full,)

    def schedule(self, task: Task) -> Schedule:
        """These options as a kernel takes them, for `task`: the longest course."""
        compiled, world = task.compiled, task.compiled.world
        pairs = compiled.n_observations * compiled.mdp.n_actions
        ahead = min(world.horizon, 1 / (1 - world.discount))
        return Schedule(
            steps=self.steps or default_steps(pairs, self.steps_per_pair),
            rate_horizon=float(ahead if self.rate_horizon is None else self.rate_horizon),
            rate_floor=float(self.rate_floor),
            epsilon_first=float(self.epsilon_first),
            epsilon_last=float(self.epsilon_last),
            initial_value=float(self.initial_value),
            exploring_starts=float(self.exploring_starts),
            credit_executed=self.credit == "executed",
        )


OFF_POLICY = Training()
"""For a learner that explores with one policy and learns about another: decisions/005."""
ON_POLICY = Training(steps_per_pair=10_000, epsilon_first=0.5)
"""For learners of the policy they follow: they explore little, by exploring starts above all."""


class Schedule(NamedTuple):
    """`Training` with every default filled in."""

    steps: int
    rate_horizon: float
    rate_floor: float
    epsilon_first: float
    epsilon_last: float
    initial_value: float
    exploring_starts: float
    credit_executed: bool


def default_steps(pairs: int, steps_per_pair: int) -> int:
    """`steps_per_pair` for every (observation, action) pair, kept between 1 and 20 million.

    >>> default_steps(1882 * 11, 500)
    10351000
    """
    return min(MOST_STEPS, max(FEWEST_STEPS, steps_per_pair * pairs))


@numba.njit(cache=True, nogil=True, inline="always")
def epsilon_at(schedule: Schedule, step: int) -> float:
    """The probability of a random action at `step`."""
    left = 1.0 - step / schedule.steps
    excess = schedule.epsilon_first - schedule.epsilon_last
    return schedule.epsilon_last + excess * left * left * left


@numba.njit(cache=True, nogil=True, inline="always")
def rate_at(schedule: Schedule, visit: int) -> float:
    """The learning rate of the `visit`-th update of a pair, from 1."""
    rate = (schedule.rate_horizon + 1.0) / (schedule.rate_horizon + visit)
    return max(schedule.rate_floor, rate)


@numba.njit(cache=True, nogil=True, inline="always")
def best_action(values: NDArray[np.float64], seen: int) -> int:
    """The action with the highest value, the lowest of equals."""
    best = 0
    for action in range(1, values.shape[1]):
        if values[seen, action] > values[seen, best]:
            best = action
    return best


@numba.njit(cache=True, nogil=True, inline="always")
def choose(
    values: NDArray[np.float64], seen: int, epsilon: float, chance: NDArray[np.uint64]
) -> int:
    """A random action with probability `epsilon`, else the best one, the lowest of equals."""
    if draw(chance) < epsilon:
        return int(draw(chance) * values.shape[1])
    return int(best_action(values, seen))


@numba.njit(cache=True, nogil=True, inline="always")
def random_or(best: int, n_actions: int, epsilon: float, chance: NDArray[np.uint64]) -> int:
    """`choose` where the best action is known."""
    if draw(chance) < epsilon:
        return int(draw(chance) * n_actions)
    return best


@numba.njit(cache=True, nogil=True, inline="always")
def moved(
    values: NDArray[np.float64], best: NDArray[np.int64], seen: int, action: int, change: float
) -> None:
    """Adds `change` to a value; `best[seen]` stays what `best_action` says, mostly without looking.

    Only the best action's own loss makes another one the best that was not updated.
    """
    before = values[seen, action]
    after = before + change
    values[seen, action] = after
    if action == best[seen]:
        if after < before:
            best[seen] = best_action(values, seen)
    else:
        top = values[seen, best[seen]]
        if after > top or (after == top and action < best[seen]):
            best[seen] = action
