"""Optimal values and actions of a process that lasts a given number of steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.mdp.action_values import action_values
from offswitch.mdp.discount import checked_finite_discount, checked_horizon
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.reward import checked_reward

__all__ = ["FiniteHorizonSolution", "solve_finite_horizon"]

RELATIVE_TIE = 1e-12
"""Of the largest |action value| of a goal at a step; some thousand roundings."""


@dataclass(frozen=True, eq=False)
class FiniteHorizonSolution:
    """What the steps that are left are worth. H steps, K goals, S states."""

    value: NDArray[np.float64]
    """[H + 1, K, S] best expected return from step t to the end; value[H] is 0."""
    action: NDArray[np.int64]
    """[H, K, S] at step t, the lowest action among those tied for the best."""


def solve_finite_horizon(
    mdp: FiniteMDP, reward: ArrayLike, horizon: int, *, discount: float = 1.0
) -> FiniteHorizonSolution:
    """The optimum of every goal over `horizon` steps, by backward induction. O(H K transitions).

    `reward` is `[S]`, `[K, S]` or `[K, S, A]`; `discount` in [0, 1]. Actions within 1e-12 of the
    best, relative to the largest action value of the goal at that step, count as tied.

    >>> two = FiniteMDP.from_coo(2, 2, [(0, 0, 0, 1.0), (0, 1, 1, 1.0), (1, 0, 1, 1.0)])
    >>> solve_finite_horizon(two, [0.0, 1.0], 3).value[:, 0, 0].tolist()
    [2.0, 1.0, 0.0, 0.0]

    Raises:
        ModelError: reward, horizon or discount is malformed.
    """
    gamma = checked_finite_discount(discount)
    steps = checked_horizon(horizon)
    earned = checked_reward(mdp, reward)
    value = np.zeros((steps + 1, len(earned), mdp.n_states))
    action = np.zeros((steps, len(earned), mdp.n_states), dtype=np.int64)
    given = earned if earned.shape[2] > 1 or mdp.n_actions == 1 else earned[:, :, 0]
    for step in reversed(range(steps)):
        worth = action_values(mdp, given, value[step + 1], gamma)
        best = worth.max(axis=2, keepdims=True)
        size = np.abs(np.where(np.isfinite(worth), worth, 0)).max(axis=(1, 2), keepdims=True)
        value[step] = best[:, :, 0]
        action[step] = (worth >= best - RELATIVE_TIE * size).argmax(axis=2)
    return FiniteHorizonSolution(value, action)
