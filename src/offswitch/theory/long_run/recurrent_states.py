"""Recurrent state distributions: where a policy spends its time in the long run."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.mdp.model import FiniteMDP
from offswitch.theory.long_run.limiting_chain import limiting_chain
from offswitch.theory.long_run.restricted_policies import distinct_rows, restricted_policies

__all__ = ["recurrent_distributions"]


def recurrent_distributions(
    mdp: FiniteMDP, state: int, *, allowed: ArrayLike | None = None
) -> NDArray[np.float64]:
    """[D, S] RSD(s): the share of time in each state, for every deterministic policy from `state`.

    Each row sums to 1; rows are distinct and in lexicographic order. It is the limit of
    (1 - gamma) f for the visit distributions f: Turner et al. 2021, Def. 6.10. Enumerates what
    policies do in states they reach, so only for small processes; O(S^3) for each.

    >>> fork = FiniteMDP.from_coo(
    ...     3, 2, [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 1, 1), (2, 0, 2, 1)]
    ... )
    >>> recurrent_distributions(fork, 0).tolist()
    [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]

    Raises:
        ModelError: there is no such state, the mask is malformed, or there are over 100,000
            policies.
    """
    found = []
    for states, chain in restricted_policies(mdp, state, allowed):
        row = np.zeros(mdp.n_states)
        row[states] = limiting_chain(chain).limit[0]
        found.append(row)
    return distinct_rows(np.array(found))
