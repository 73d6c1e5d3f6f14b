"""How a learner is trained: steps, schedules, and which action is credited."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numba
import numpy as np
from numpy.typing import NDArray

from offswitch.agents.episodes import draw
from offswitch.errors import AgentError, problems_text

__all__ = [
    "GREEDY_AT_LAST",
    "STANDARD",
    "Credit",
    "Schedule",
    "Training",
    "best_action",
    "choose",
    "default_steps",
    "epsilon_at",
    "rate_at",
]

Credit: TypeAlias = Literal["executed", "intended"]
"""Which action an update credits when an override executed another than the intended one."""

STEPS_PER_PAIR = 20_000
TABLED_RATES = 4096
FEWEST_STEPS, MOST_STEPS = 500_000, 5_000_000


@dataclass(frozen=True)
class Training:
    """The options of a learner; the same for all three."""

    steps: int | None = None
    """Environment steps; None takes `default_steps` of the table."""
    rate_power: float = 0.7
    """The n-th update of a pair moves it by n ** -rate_power, in (0.5, 1] for convergence (Even-Dar
    and Mansour 2003)."""
    rate_floor: float = 0.0
    """Smallest learning rate, in [0, 1]; above 0 the values never settle in a noisy world."""
    epsilon_first: float = 1.0
    """Probability of a random action at the first step of training."""
    epsilon_last: float = 0.05
    """The same at the last step; linear in between."""
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
                ("rate_power", 0, 1), ("rate_floor", 0, 1), ("epsilon_first", 0, 1),
                ("epsilon_last", 0, 1), ("exploring_starts", 0, 1),
                ("initial_value", -1e100, 1e100),
            )
            if not low <= getattr(self, field) <= high
        ]  # fmt: skip
        if self.steps is not None and self.steps < 1:
            problems.append(f"steps is {self.steps}, expected at least 1, or None")
        if self.credit not in ("executed", "intended"):
            problems.append(f"credit is {self.credit!r}, expected 'executed' or 'intended'")
        if problems:
            raise AgentError(problems_text("training", problems))

    def schedule(self, n_observations: int, n_actions: int) -> Schedule:
        """These options as a kernel takes them, for a table of that size."""
        return Schedule(
            steps=self.steps or default_steps(n_observations, n_actions),
            rate_power=float(self.rate_power),
            rate_floor=float(self.rate_floor),
            epsilon_first=float(self.epsilon_first),
            epsilon_last=float(self.epsilon_last),
            initial_value=float(self.initial_value),
            exploring_starts=float(self.exploring_starts),
            credit_executed=self.credit == "executed",
            rates=np.maximum(self.rate_floor, np.arange(1, TABLED_RATES + 1) ** -self.rate_power),
        )


STANDARD = Training()
"""For learners that explore one policy and learn about another."""
GREEDY_AT_LAST = Training(epsilon_last=0.0)
"""For learners of the policy they follow: exploration fades, so that it is the one audited."""


class Schedule(NamedTuple):
    """`Training` with every default filled in."""

    steps: int
    rate_power: float
    rate_floor: float
    epsilon_first: float
    epsilon_last: float
    initial_value: float
    exploring_starts: float
    credit_executed: bool
    rates: NDArray[np.float64]
    """Learning rate of the n-th update, for the first few thousand; computed beyond."""


def default_steps(n_observations: int, n_actions: int) -> int:
    """20,000 steps for every entry of the table, kept between 500,000 and 5 million.

    >>> default_steps(9, 4)
    720000
    """
    wanted = STEPS_PER_PAIR * n_observations * n_actions
    return min(MOST_STEPS, max(FEWEST_STEPS, wanted))


@numba.njit(cache=True, nogil=True, inline="always")
def epsilon_at(schedule: Schedule, step: int) -> float:
    """The probability of a random action at `step`."""
    done = step / schedule.steps
    return schedule.epsilon_first + done * (schedule.epsilon_last - schedule.epsilon_first)


@numba.njit(cache=True, nogil=True, inline="always")
def rate_at(schedule: Schedule, visit: int) -> float:
    """The learning rate of the `visit`-th update of a pair, from 1."""
    if visit <= len(schedule.rates):
        return float(schedule.rates[visit - 1])
    return max(schedule.rate_floor, math.exp(-schedule.rate_power * math.log(visit)))


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
    return best_action(values, seen)
