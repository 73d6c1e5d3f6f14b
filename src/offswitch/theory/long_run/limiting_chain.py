"""Where a policy spends its time in the long run, from every state."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from offswitch.theory.long_run.elimination import absorbed, eliminated

__all__ = ["Chain", "limiting_chain"]


class Chain(NamedTuple):
    """The long run of a policy."""

    limit: NDArray[np.float64]
    """[S, S] row s is the share of time spent in each state from s, in the long run."""


def limiting_chain(chain: NDArray[np.float64]) -> Chain:
    """The long run of the transition matrix `chain [S, S]`. O(S^3).

    >>> limiting_chain(np.array([[0.0, 1.0], [0.0, 1.0]])).limit.tolist()
    [[0.0, 1.0], [0.0, 1.0]]
    """
    count, label = connected_components(chain > 0, connection="strong")
    leaves = (chain > 0) & (label[:, None] != label)
    closed = np.setdiff1d(np.arange(count), label[leaves.any(axis=1)])
    shares = np.zeros((len(closed), len(chain)))
    for row, component in enumerate(closed):
        inside = np.flatnonzero(label == component)
        block = np.ascontiguousarray(chain[np.ix_(inside, inside)])
        shares[row, inside] = eliminated(block, np.zeros(len(inside)), 1)[1]
    recurrent = np.isin(label, closed)
    ends = (label[:, None] == closed).astype(np.float64)
    passing = np.flatnonzero(~recurrent)
    if len(passing):
        into = chain[np.ix_(passing, np.flatnonzero(recurrent))] @ ends[recurrent]
        between = np.ascontiguousarray(chain[np.ix_(passing, passing)])
        ends[passing] = absorbed(between, into.sum(axis=1), into)
    return Chain(ends @ shares)
