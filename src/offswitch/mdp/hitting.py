"""The probability that a given policy ever reaches a set of states."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.csgraph import breadth_first_order

from offswitch.errors import ModelError
from offswitch.mdp.discount import checked_horizon
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.policy import checked_policy, policy_chain

__all__ = ["hitting_probability"]


def hitting_probability(
    mdp: FiniteMDP, policy: ArrayLike, targets: ArrayLike, *, horizon: int | None = None
) -> NDArray[np.float64]:
    """[S] probability of reaching a state of `targets [S]` from each state, being there included.

    Within `horizon` steps, or ever: the least non-negative solution of h = P h with h = 1 on
    targets (Norris 1997, Thm 1.3.2), so states that can stay away forever get what they should.
    One sparse factorisation, or O(H S^2) at most.

    >>> fork = FiniteMDP.from_coo(
    ...     3, 1, [(0, 0, 1, 0.25), (0, 0, 2, 0.75), (1, 0, 1, 1.0), (2, 0, 2, 1.0)]
    ... )
    >>> hitting_probability(fork, [[1.0]] * 3, [False, True, False]).tolist()
    [0.25, 1.0, 0.0]

    Raises:
        ModelError: policy, targets or horizon is malformed.
    """
    chain = policy_chain(mdp, checked_policy(mdp, policy))
    aim = np.asarray(targets)
    if aim.shape != (mdp.n_states,) or aim.dtype != np.bool_:
        raise ModelError(
            f"targets have shape {aim.shape} of {aim.dtype}, expected [S] = "
            f"[{mdp.n_states}] of bool"
        )
    if horizon is None:
        return _ever(chain, aim)
    chance = aim.astype(np.float64)
    for _ in range(checked_horizon(horizon)):
        chance = np.where(aim, 1.0, chain @ chance)
    return chance


def _ever(chain: sp.csr_array[Any, Any], aim: NDArray[np.bool_]) -> NDArray[np.float64]:
    chance = aim.astype(np.float64)
    # Only states that can reach a target: on the rest the system would be singular, and h is 0.
    open_states = np.flatnonzero(_can_reach(chain, aim) & ~aim)
    if len(open_states):
        rows = chain[open_states]
        system = sp.eye_array(len(open_states)) - rows[:, open_states]
        solved = spla.splu(system.tocsc()).solve(rows @ chance)
        chance[open_states] = np.clip(solved, 0, 1)
    return chance


def _can_reach(chain: sp.csr_array[Any, Any], aim: NDArray[np.bool_]) -> NDArray[np.bool_]:
    size = len(aim)
    entry = sp.csr_array(aim[None].astype(np.float64))
    backwards = sp.block_array([[chain.T, None], [entry, sp.csr_array((1, 1))]], format="csr")
    reached = np.zeros(size + 1, dtype=np.bool_)
    reached[breadth_first_order(backwards, size, return_predecessors=False)] = True
    return reached[:size]
