"""The states that some policy reaches from the start."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.model import FiniteMDP

__all__ = ["breadth_first"]


def breadth_first(mdp: FiniteMDP) -> NDArray[np.int64]:
    """[R] the states that some policy reaches from `mdp.start`, nearest first. O(transitions).

    Among equally near states the first states come in their order, later ones in the order of the
    actions that lead to them.

    >>> chain = FiniteMDP.from_coo(3, 1, [(0, 0, 2, 1.0), (1, 0, 1, 1.0), (2, 0, 2, 1.0)])
    >>> breadth_first(chain).tolist()
    [0, 2]
    """
    first = mdp.row_start[:: mdp.n_actions]
    seen = np.zeros(mdp.n_states, dtype=np.bool_)
    layer = np.flatnonzero(mdp.start > 0).astype(np.int64)
    layers = []
    while len(layer):
        seen[layer] = True
        layers.append(layer)
        count = first[layer + 1] - first[layer]
        # The transitions of a layer, state after state: an offset plus a running number.
        offset = np.repeat(first[layer] - np.append(0, np.cumsum(count)[:-1]), count)
        following = mdp.next_state[offset + np.arange(int(count.sum()))]
        new = following[~seen[following]]
        layer = new[np.sort(np.unique(new, return_index=True)[1])]
    return np.concatenate(layers)
