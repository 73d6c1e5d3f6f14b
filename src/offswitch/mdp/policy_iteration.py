"""Policy iteration (Howard 1960) with values carried as unevaluated sums high + low.

Each policy is evaluated by a factorised linear system and iterative refinement with the
residual in doubled precision. At long horizons, where a float64 value alone already misses
the Bellman equation by its last digit, this still certifies the rounded value.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg as la
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from numpy.typing import NDArray

from offswitch.mdp.advantages import advantage_rounding, advantages
from offswitch.mdp.certificate import contraction
from offswitch.mdp.task import Task, task_matrix

__all__ = ["iterate_policies"]

DENSE_STATES = 1500
"""Up to here a dense factorisation beats the fill-in of a sparse one on random processes."""
REFINEMENTS = 2
"""The first corrects the solve, the second leaves only the rounding of low."""


def iterate_policies(
    task: Task, value: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """The optimal value of a task of one goal as high `[1, S]` and low `[1, S]`, and the rounds.

    A round evaluates one policy; `value [1, S]` names the first, its greedy one. Ends when no
    action improves a state by more than the evaluation's own error, so it cannot cycle.
    O(S^3) a round up to 1500 states, a sparse factorisation beyond; seldom over 20 rounds.
    """
    gain = advantages(task, value, np.zeros_like(value))[0]
    action = gain.argmax(axis=1)
    better = np.ones(len(action), dtype=np.bool_)
    rounds = 0
    while better.any():
        rounds += 1
        action = np.where(better, gain.argmax(axis=1), action)
        high, low = _evaluated(task, action)
        gain = advantages(task, high, low)[0]
        better = gain.max(axis=1) > 4 * _policy_error(task, high, gain, action)
    return high, low, rounds


def _policy_error(
    task: Task,
    high: NDArray[np.float64],
    gain: NDArray[np.float64],
    action: NDArray[np.int64],
) -> float:
    own = np.abs(gain[np.arange(len(action)), action]).max(keepdims=True)
    residual = float(own[0] + advantage_rounding(task, high, own)[0])
    return residual / (1 - contraction(task))


def _evaluated(
    task: Task, action: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    states = np.arange(len(action))
    taken = np.zeros_like(task.allowed)
    taken[states, action] = True
    alone = task._replace(allowed=taken)
    solver = _factorised(task_matrix(task)[np.flatnonzero(taken)], task.discount)
    high = solver(task.reward[0, states, action % task.reward.shape[2]])[None]
    low = np.zeros_like(high)
    for _ in range(REFINEMENTS):
        residual = advantages(alone, high, low)[0, states, action]
        high, low = _renormalised(high, low + solver(residual))
    return high, low


def _factorised(chain: sp.csr_array[Any, Any], discount: float) -> Any:  # Any: scipy is untyped
    size = chain.shape[0]
    if size <= DENSE_STATES:
        factors = la.lu_factor(np.eye(size) - discount * chain.toarray(), check_finite=False)
        return lambda right: la.lu_solve(factors, right, check_finite=False)
    return spla.splu((sp.eye_array(size) - discount * chain).tocsc()).solve


def _renormalised(
    high: NDArray[np.float64], low: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    total = high + low
    back = total - high
    return total, (high - (total - back)) + (low - back)
