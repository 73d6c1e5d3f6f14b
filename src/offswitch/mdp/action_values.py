"""The value of every action under given state values."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.discount import checked_finite_discount
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.reward import checked_reward

__all__ = ["action_values"]


def action_values(
    mdp: FiniteMDP, reward: ArrayLike, value: ArrayLike, discount: float
) -> NDArray[np.float64]:
    """[K, S, A] Q(s, a) = r(s, a) + gamma E V(s'), and -inf where a is unavailable.

    `reward` is `[S]`, `[K, S]` or `[K, S, A]`, `value [K, S]`; `discount` in [0, 1], since one step
    back from given values needs no convergence. O(K transitions).

    >>> two = FiniteMDP.from_coo(2, 2, [(0, 0, 0, 1.0), (0, 1, 1, 1.0), (1, 0, 1, 1.0)])
    >>> action_values(two, [0.0, 1.0], [[1.0, 2.0]], 0.5).tolist()
    [[[0.5, 1.0], [2.0, -inf]]]

    Raises:
        ModelError: reward, value or discount is malformed.
    """
    gamma = checked_finite_discount(discount)
    earned = checked_reward(mdp, reward)
    ahead = np.asarray(value, dtype=np.float64)
    if ahead.shape != (len(earned), mdp.n_states):
        raise ModelError(
            f"value has shape {ahead.shape}, expected [K, S] = [{len(earned)}, {mdp.n_states}]"
        )
    following = (mdp.matrix @ ahead.T).T.reshape(-1, mdp.n_states, mdp.n_actions)
    return np.where(mdp.available, earned + gamma * following, -np.inf)
