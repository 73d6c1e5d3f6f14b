"""How far a value may be from optimal, rounding of float64 included.

The optimal Bellman operator T shrinks distances by beta = gamma times the largest row sum, so
|V - V*| <= |T V - V| / (1 - beta) in the largest state (Puterman 1994, Thm 6.3.1).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.advantages import UNIT_ROUNDOFF, advantage_rounding, advantages
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.task import Task, checked_task, task_matrix

__all__ = ["certificate", "contraction", "residual_error"]


def certificate(
    mdp: FiniteMDP,
    reward: ArrayLike,
    value: ArrayLike,
    discount: float,
    *,
    allowed: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """[K] upper bound on the largest |value - V*| over states, in units of reward.

    It holds for any finite `value [K, S]`, however it was found. O(K transitions).

    >>> loop = FiniteMDP.from_coo(1, 1, [(0, 0, 0, 1.0)])
    >>> bool(abs(2.5 - 2) <= certificate(loop, [1.0], [[2.5]], 0.5)[0] < 0.5 + 1e-9)
    True

    Raises:
        ModelError: the reward, discount, mask or value is malformed.
    """
    task = checked_task(mdp, reward, discount, allowed)
    high = np.ascontiguousarray(value, dtype=np.float64)
    shape = (len(task.reward), mdp.n_states)
    if high.shape != shape or not np.isfinite(high).all():
        raise ModelError(
            f"value has shape {high.shape}, expected [K, S] = [{shape[0]}, {shape[1]}] of finite "
            "numbers"
        )
    return residual_error(task, high, advantages(task, high, np.zeros_like(high)))


def residual_error(
    task: Task, high: NDArray[np.float64], advantage: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[K] certified distance from optimal of the value whose `advantage [K, S, A]` is given."""
    residual = np.abs(advantage.max(axis=2)).max(axis=1)
    residual = residual + advantage_rounding(task, high, residual)
    room = 1 - contraction(task) - 4 * UNIT_ROUNDOFF
    error: NDArray[np.float64] = residual / room * (1 + 8 * UNIT_ROUNDOFF)
    return error


def contraction(task: Task) -> float:
    """beta, the factor by which one Bellman update at least shrinks distances; below 1.

    Rows are only required to sum to 1 within 1e-9, so beta may exceed the discount.

    Raises:
        ModelError: the rows are too inexact for a discount this close to 1.
    """
    largest = float(np.asarray(task_matrix(task).sum(axis=1)).max())
    terms = int(np.diff(task.row_start).max()) + 2
    beta = task.discount * largest * (1 + terms * UNIT_ROUNDOFF)
    if beta + 8 * UNIT_ROUNDOFF >= 1:
        raise ModelError(
            f"discount {task.discount!r} times the largest row sum {largest!r} is not below 1, so "
            "the return may not exist. Lower the discount or normalise the rows more exactly."
        )
    return beta
