"""Optimal values and actions of a discounted process, for many goals at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.advantages import advantages
from offswitch.mdp.certificate import contraction, residual_error
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.policy_iteration import iterate_policies
from offswitch.mdp.task import Task, checked_task
from offswitch.mdp.value_iteration import iterate_values

__all__ = ["Solution", "solve"]

RELATIVE_TIE = 1e-12
"""Of the largest |value| of a goal: ties that only the rounding of inputs breaks stay ties."""
LONG_HORIZON_SWEEPS = 40
"""Sweeps tried before policy iteration at long horizons; enough for processes without cycles."""
MOST_SWEEPS = 4000
"""A process that may need more sweeps than this counts as having a long horizon."""


@dataclass(frozen=True, eq=False)
class Solution:
    """What acting optimally is worth, and the least intrusive way to do it. K goals, S states."""

    value: NDArray[np.float64]
    """[K, S] optimal expected discounted return, in units of reward."""
    action: NDArray[np.int64]
    """[K, S] the lowest action among those within `tie` of the best one."""
    error: NDArray[np.float64]
    """[K] certified upper bound on |value - V*| in every state, rounding included."""
    tie: NDArray[np.float64]
    """[K] actions whose values differ by at most this count as tied. Actions that tie exactly
    always do; following `action` forgoes at most tie / (1 - gamma)."""
    iterations: NDArray[np.int64]
    """[K] sweeps over all actions plus policies evaluated."""
    method: str
    """'value iteration', 'policy iteration', or both where goals differ."""


def solve(
    mdp: FiniteMDP,
    reward: ArrayLike,
    discount: float,
    *,
    tolerance: float = 1e-8,
    allowed: ArrayLike | None = None,
) -> Solution:
    """The optimum of every goal, certified to within `tolerance` (units of reward).

    `reward` is `[S]`, `[K, S]` (earned on acting in s, so V = r(s) + gamma max E V) or
    `[K, S, A]`; `discount` in (0, 1); `allowed [S, A]` forbids further actions. Value iteration
    costs O(K transitions) a sweep; goals it cannot certify, long horizons among them, go to policy
    iteration, O(S^3) a policy up to 1500 states.

    >>> two = FiniteMDP.from_coo(2, 2, [(0, 0, 0, 1.0), (0, 1, 1, 1.0), (1, 0, 1, 1.0)])
    >>> optimum = solve(two, [0.0, 1.0], 0.5)
    >>> optimum.value.tolist(), optimum.action.tolist()
    ([[1.0, 2.0]], [[1, 0]])

    Raises:
        ModelError: an argument is malformed, or float64 cannot certify the tolerance.
    """
    task = checked_task(mdp, reward, discount, allowed)
    if not 0 < tolerance < math.inf:
        raise ModelError(f"tolerance is {tolerance}, expected a positive number, say 1e-8")
    change = tolerance * (1 - contraction(task)) / (2 * task.discount)
    high, iterations = iterate_values(task, change=change, max_sweeps=_most_sweeps(task, change))
    low = np.zeros_like(high)
    gain = advantages(task, high, low)
    error = residual_error(task, high, gain)
    pending = np.flatnonzero(~(error <= tolerance))
    for goal in pending:
        one = slice(goal, goal + 1)
        single = task._replace(reward=task.reward[one])
        high[one], low[one], rounds = iterate_policies(single, high[one])
        iterations[goal] += rounds
        gain[one] = advantages(single, high[one], low[one])
        error[one] = residual_error(single, high[one], gain[one])
    certified = error + np.abs(low).max(axis=1)
    _check_certified(certified, tolerance, task.discount)
    tie = np.maximum(2 * error, RELATIVE_TIE * np.abs(high).max(axis=1))
    return Solution(
        value=high,
        action=_lowest_best(gain, tie),
        error=certified,
        tie=tie,
        iterations=iterations,
        method=_method(len(pending), len(high)),
    )


def _most_sweeps(task: Task, change: float) -> int:
    if change == 0:  # a tolerance below float64's range: nothing to wait for
        return LONG_HORIZON_SWEEPS
    first = max(float(np.abs(task.reward).max()) / (1 - task.discount), change)
    needed = (math.log(first) - math.log(change)) / -math.log(task.discount) + 2
    return math.ceil(needed) if needed <= MOST_SWEEPS else LONG_HORIZON_SWEEPS


def _lowest_best(gain: NDArray[np.float64], tie: NDArray[np.float64]) -> NDArray[np.int64]:
    best = gain.max(axis=2, keepdims=True)
    lowest: NDArray[np.int64] = (gain >= best - tie[:, None, None]).argmax(axis=2)
    return lowest


def _method(by_policies: int, goals: int) -> str:
    if by_policies == 0:
        return "value iteration"
    if by_policies == goals:
        return "policy iteration"
    return f"value iteration, policy iteration for {by_policies} of {goals} goals"


def _check_certified(error: NDArray[np.float64], tolerance: float, discount: float) -> None:
    worst = int(np.argmax(np.where(np.isnan(error), np.inf, error)))
    if error[worst] <= tolerance:
        return
    raise ModelError(
        f"goal {worst} is certified to within {error[worst]:.3g}, expected {tolerance:.3g}: "
        f"float64 carries no more at discount {discount!r} and rewards this large. Pass tolerance="
        f"{2 * error[worst]:.1g} or more, scale the rewards down, or lower the discount."
    )
