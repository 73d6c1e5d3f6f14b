"""The arguments of POWER, checked in one place, and the accuracy they call for."""

from __future__ import annotations

import math
from numbers import Real
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError, problems_text
from offswitch.mdp.batched.philox import uniforms
from offswitch.mdp.discount import checked_discount
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.numbers import number_array
from offswitch.statistics.level import tail_probability
from offswitch.theory.laws.goal_set import GoalSet
from offswitch.theory.laws.law import RewardLaw

__all__ = [
    "Goals",
    "checked_goals",
    "checked_power_discount",
    "checked_power_level",
    "reward_ends",
    "solver_tolerance",
]

HALF_WIDTH = 0.01
"""Wanted where neither a half-width nor a number of goals is given, in units of reward."""
SOLVER_SHARE = 1 / 200
"""Of the half-width: what the solver may be off by."""
REDUCED = 1 / 4
"""Of the standard error of independent goals: about what reduction of variance leaves of it."""
FINEST, COARSEST = 1e-7, 1e-4
"""The solver's accuracy, in POWER and as a share of the rewards' size."""
SINGLE = 1e-6
"""Where the contribution of a single goal is of interest."""
SPREAD = 0.3
"""Of the rewards' range: about the standard deviation of U(0, 1) rewards."""
SOLVER_LIMIT = 1 / 8
"""Of the half-width: what the solver may be off by where a 200th is finer than it needs to be."""
SMALLEST, LARGEST = 1e-30, 1e24
"""The size of the largest reward: float32 solves these without under- or overflow."""
RESOLUTION = 2.0**-20
"""Of the rewards' range: laws are drawn in steps of 2^-24, which shows in a finer mean."""


class Goals(NamedTuple):
    """What goals are drawn, and how many."""

    law: RewardLaw | None
    given: NDArray[np.float64] | None
    """[N, S] instead of a law."""
    half_width: float | None
    samples: int | None
    """None until the half-width is reached."""

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Of every reward; None if there are none, or none are known."""
        return self.law.bounds if self.law is not None else None

    @property
    def exact(self) -> bool:
        """Whether all goals there are will be solved."""
        return isinstance(self.law, GoalSet) and self.samples is None


def checked_power_discount(discount: float) -> float:
    """The discount of POWER, in (0, 1).

    Raises:
        ModelError: it is not; 0 and 1 are limits with functions of their own.
    """
    if isinstance(discount, Real) and discount in (0, 1):
        limit = "power_limit_average" if discount == 1 else "power_limit_myopic"
        raise ModelError(
            f"discount is {discount:g}, expected a number in (0, 1). For the limit of POWER at "
            f"discount {discount:g} use {limit}."
        )
    return checked_discount(discount)


def checked_goals(
    mdp: FiniteMDP,
    rewards: RewardLaw | ArrayLike,
    half_width: float | None,
    samples: int | None,
) -> Goals:
    """The goals that the arguments of `power` ask for.

    Raises:
        ModelError: lists everything that is wrong with them.
    """
    if isinstance(rewards, type):
        raise ModelError(
            f"rewards is the class {rewards.__name__}, expected a law made with it: call it, as in "
            f"{rewards.__name__}(...)"
        )
    law = rewards if isinstance(rewards, RewardLaw) else None
    problems = []
    if half_width is not None and not (_is_number(half_width) and 0 < half_width < math.inf):
        problems.append(f"half_width is {half_width!r}, expected a positive number, say 0.01")
    if samples is not None and not (_is_number(samples) and samples == samples // 1 >= 2):
        problems.append(
            f"samples is {samples!r}, expected a whole number of at least 2: one has no spread"
        )
    if half_width is not None and samples is not None:
        problems.append(
            "half_width and samples are both given, expected one: samples is a fixed number of "
            "goals, half_width draws as many as it takes"
        )
    amount = "samples" if samples is not None else "half_width"
    if law is None and (samples is not None or half_width is not None):
        problems.append(
            f"{amount} is given with an array of rewards, which fixes the goals. Leave it out, or "
            "pass a law."
        )
    given = None
    if not isinstance(rewards, RewardLaw):
        given, wrong = _given(mdp, rewards)
        problems += wrong
    if problems:
        raise ModelError(problems_text("POWER", problems))
    if law is not None:
        law.dimensions(mdp.n_states)
        if isinstance(law, GoalSet) or samples is not None:
            half_width = None
        elif half_width is None:
            half_width = HALF_WIDTH
    goals = Goals(law, given, half_width, None if samples is None else int(samples))
    _check_size(mdp, goals)
    return goals


def checked_power_level(level: float) -> float:
    """The level, in (0, 1).

    Raises:
        ModelError: it is not a number.
        StatisticsError: it is a number outside (0, 1).
    """
    if not _is_number(level):
        raise ModelError(f"level is {level!r}, expected a number in (0, 1) such as 0.95")
    tail_probability(level)
    return float(level)


def solver_tolerance(mdp: FiniteMDP, goals: Goals, discount: float, *, single: bool) -> float:
    """What `plan_solver` is to reach, so that the solver's part of an interval is small.

    A 200th of the half-width, between 1e-7 and 1e-4 of the rewards' size; 1e-6 of it where
    `single` goals are looked at; always at most an 8th of the half-width.
    """
    low, high = reward_ends(mdp, goals)
    size = max(abs(low), abs(high))
    if goals.half_width is not None:
        share = goals.half_width * SOLVER_SHARE / size
    else:
        n = goals.samples or (1e6 if goals.given is None else len(goals.given))
        share = SPREAD * (high - low) / math.sqrt(n) * REDUCED * SOLVER_SHARE / size
    unit = discount / (1 - discount)
    share = min(max(share, FINEST), SINGLE if single else COARSEST)
    if goals.half_width is not None:
        share = min(share, goals.half_width * SOLVER_LIMIT / size)
    return share * unit


def reward_ends(mdp: FiniteMDP, goals: Goals) -> tuple[float, float]:
    """Least and largest reward; without bounds those of 64 goals, and as much again.

    Low is below high.
    """
    if goals.given is not None:
        low, high = float(goals.given.min()), float(goals.given.max())
    elif goals.bounds is not None:
        low, high = goals.bounds
    else:
        assert goals.law is not None
        drawn = goals.law.rewards(uniforms(0, 0, np.arange(goals.law.dimensions(mdp.n_states))))
        low, high = float(drawn.min()), float(drawn.max())
        low, high = low - (high - low) / 2, high + (high - low) / 2
    return (low, high) if high > low else (min(low, 0.0), max(high, 0.0, low + 1e-300))


def _check_size(mdp: FiniteMDP, goals: Goals) -> None:
    """Raises ModelError where float64 cannot carry the rewards, or draws the half-width."""
    low, high = reward_ends(mdp, goals)
    size = max(abs(low), abs(high))
    if goals.given is not None and low == 0 and high <= 1e-300:
        size = 0.0
    if not (SMALLEST <= size <= LARGEST or (goals.exact and size <= SMALLEST)):
        raise ModelError(
            f"rewards are up to {size:.3g} in size, expected {SMALLEST:g} to {LARGEST:g}. Rescale "
            "them: POWER is scaled alike."
        )
    least = RESOLUTION * (high - low)
    if goals.half_width is not None and goals.half_width < least:
        raise ModelError(
            f"half_width is {goals.half_width:g} for rewards in [{low:g}, {high:g}], expected "
            f"{least:.2g} or more: random rewards are drawn in steps of 2^-24"
        )


def _given(mdp: FiniteMDP, rewards: ArrayLike) -> tuple[NDArray[np.float64] | None, list[str]]:
    if isinstance(rewards, np.ndarray) and np.iscomplexobj(rewards):
        return None, ["rewards are complex numbers, expected real ones"]
    table = number_array("rewards", rewards, "a law of rewards or an array [N, S]")
    if table.ndim != 2 or table.shape[1] != mdp.n_states or len(table) < 2:
        return None, [
            f"rewards have shape {table.shape}, expected [N, S] = [N, {mdp.n_states}] with at "
            "least 2 goals, or a law from offswitch.theory.laws"
        ]
    wrong = np.argwhere(~np.isfinite(table))
    if len(wrong):
        goal, state = (int(index) for index in wrong[0])
        return None, [
            f"rewards[{goal}, {state}] (state {mdp.state_names[state]!r}) is "
            f"{table[goal, state]}, expected a finite number"
        ]
    if np.ptp(table) == 0:
        return None, [
            f"rewards are all {table.flat[0]:g}, expected some that differ: equal ones say nothing "
            "of goals that are not in the array. For an exact answer over just these goals pass "
            "GoalSet(rewards)."
        ]
    return table, []


def _is_number(given: object) -> bool:
    return isinstance(given, Real) and not isinstance(given, bool)
