"""What a given policy earns."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from numpy.typing import ArrayLike, NDArray

from offswitch.mdp.discount import checked_discount, checked_finite_discount, checked_horizon
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.policy import checked_policy, policy_chain, policy_reward
from offswitch.mdp.reward import checked_reward

__all__ = ["evaluate_policy", "evaluate_policy_finite"]


def evaluate_policy(
    mdp: FiniteMDP, policy: ArrayLike, reward: ArrayLike, discount: float
) -> NDArray[np.float64]:
    """[K, S] expected discounted return of following `policy [S, A]` forever.

    `reward` is `[S]`, `[K, S]` or `[K, S, A]`. One sparse factorisation for all K goals.

    >>> loop = FiniteMDP.from_coo(1, 1, [(0, 0, 0, 1.0)])
    >>> evaluate_policy(loop, [[1.0]], [3.0], 0.5).tolist()
    [[6.0]]

    Raises:
        ModelError: policy, reward or discount is malformed.
    """
    gamma = checked_discount(discount)
    chance = checked_policy(mdp, policy)
    earned = policy_reward(chance, checked_reward(mdp, reward))
    system = sp.eye_array(mdp.n_states) - gamma * policy_chain(mdp, chance)
    value = spla.splu(system.tocsc()).solve(np.ascontiguousarray(earned.T))
    return np.ascontiguousarray(value.T)


def evaluate_policy_finite(
    mdp: FiniteMDP,
    policy: ArrayLike,
    reward: ArrayLike,
    horizon: int,
    *,
    discount: float = 1.0,
) -> NDArray[np.float64]:
    """[K, S] expected return of following `policy [S, A]` for `horizon` steps. O(H K S^2) at most.

    `reward` is `[S]`, `[K, S]` or `[K, S, A]`; `discount` in [0, 1], 1 sums rewards as they are.

    >>> loop = FiniteMDP.from_coo(1, 1, [(0, 0, 0, 1.0)])
    >>> evaluate_policy_finite(loop, [[1.0]], [3.0], 4).tolist()
    [[12.0]]

    Raises:
        ModelError: policy, reward, horizon or discount is malformed.
    """
    gamma = checked_finite_discount(discount)
    chance = checked_policy(mdp, policy)
    earned = policy_reward(chance, checked_reward(mdp, reward)).T
    chain = policy_chain(mdp, chance)
    value = np.zeros_like(earned)
    for _ in range(checked_horizon(horizon)):
        value = earned + gamma * (chain @ value)
    return np.ascontiguousarray(value.T)
