"""How often a given policy visits states, takes actions, and what those acts count."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.discount import checked_discount, checked_horizon
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.policy import checked_policy, policy_chain

__all__ = ["expected_counts", "occupancy"]


def occupancy(mdp: FiniteMDP, policy: ArrayLike, discount: float) -> NDArray[np.float64]:
    """[S, A] expected discounted number of times each action is taken, from `mdp.start`.

    The entries are at least 0 and sum to 1 / (1 - gamma). Summed over actions it is the visit
    distribution f of Turner et al. 2021, Def. 3.3. One sparse factorisation.

    >>> loop = FiniteMDP.from_coo(1, 1, [(0, 0, 0, 1.0)])
    >>> occupancy(loop, [[1.0]], 0.75).tolist()
    [[4.0]]

    Raises:
        ModelError: policy or discount is malformed.
    """
    gamma = checked_discount(discount)
    chance = checked_policy(mdp, policy)
    system = sp.eye_array(mdp.n_states) - gamma * policy_chain(mdp, chance).T
    visits: NDArray[np.float64] = spla.splu(system.tocsc()).solve(mdp.start)
    # Elimination may leave a state never visited at minus one rounding.
    return np.maximum(visits, 0)[:, None] * chance


def expected_counts(mdp: FiniteMDP, policy: ArrayLike, weight: ArrayLike, horizon: int) -> float:
    """The expected sum of `weight [S, A]` over the first `horizon` acts from `mdp.start`.

    With weight 1 on some acts it is the expected number of times they are taken.
    O(H S^2) at most.

    >>> loop = FiniteMDP.from_coo(1, 1, [(0, 0, 0, 1.0)])
    >>> expected_counts(loop, [[1.0]], [[0.5]], 4)
    2.0

    Raises:
        ModelError: policy, weight or horizon is malformed.
    """
    chance = checked_policy(mdp, policy)
    counted = np.asarray(weight, dtype=np.float64)
    if counted.shape != chance.shape or not np.isfinite(counted).all():
        raise ModelError(
            f"weight has shape {counted.shape}, expected [S, A] = "
            f"[{mdp.n_states}, {mdp.n_actions}] of finite numbers"
        )
    backwards = policy_chain(mdp, chance).T.tocsr()
    per_state = (chance * counted).sum(axis=1)
    where = mdp.start
    total = 0.0
    for _ in range(checked_horizon(horizon)):
        total += float(where @ per_state)
        where = backwards @ where
    return total
