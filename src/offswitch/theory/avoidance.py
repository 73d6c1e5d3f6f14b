"""The acts by which a tagged act is surely never taken."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP

__all__ = ["avoiding_actions"]


def avoiding_actions(mdp: FiniteMDP, tagged: ArrayLike) -> NDArray[np.bool_]:
    """[S, A] the largest set of actions that keeps away from `tagged [S, A]` with certainty.

    Masking the tagged acts alone would leave states without an action. A state in which every act
    is tagged forces one, so entering it is choosing to take it: an act that may lead there is
    dropped too, and so on until nothing changes. A policy takes no tagged act with certainty if
    and only if it keeps to this set. States from which one is forced have an empty row.
    O(rounds x transitions), at most S rounds.

    >>> corridor = FiniteMDP.from_coo(
    ...     3, 2, [(0, 0, 0, 1), (0, 1, 1, 1), (1, 0, 2, 1), (2, 0, 2, 1)]
    ... )
    >>> avoiding_actions(corridor, [[False, False], [True, False], [False, False]]).tolist()
    [[True, False], [False, False], [True, False]]

    Raises:
        ModelError: `tagged` is not `[S, A]` of booleans.
    """
    tags = np.asarray(tagged)
    shape = (mdp.n_states, mdp.n_actions)
    if tags.shape != shape or tags.dtype != np.bool_:
        raise ModelError(
            f"tagged has shape {tags.shape} of {tags.dtype}, expected [S, A] = "
            f"[{shape[0]}, {shape[1]}] of bool"
        )
    kept: NDArray[np.bool_] = mdp.available & ~tags
    forced = ~kept.any(axis=1)
    while True:
        risk = (mdp.matrix @ forced.astype(np.float64)).reshape(shape)
        kept &= risk == 0
        now = ~kept.any(axis=1)
        if (now == forced).all():
            return kept
        forced = now
