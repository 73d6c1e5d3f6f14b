"""The order of states in which successors come first: depth-first post-order.

Without cycles it is a reverse topological order, so that one sweep settles every value; with
cycles all but the edges back into the current path lead to states already swept.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["successors_first"]


@numba.njit(cache=True, nogil=True)
def successors_first(
    row_start: NDArray[np.int64], next_state: NDArray[np.int64], allowed: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """[S] the states in depth-first post-order over the `allowed [S, A]` actions.

    `row_start` and `next_state` are those of `FiniteMDP`. O(transitions), no recursion.

    >>> chain = np.array([0, 1, 2, 3]), np.array([1, 2, 2])
    >>> successors_first(*chain, np.ones((3, 1), np.bool_)).tolist()
    [2, 1, 0]
    """
    n_states, n_actions = allowed.shape
    order = np.empty(n_states, np.int64)
    path = np.empty(n_states, np.int64)
    action = np.zeros(n_states, np.int64)
    cursor = np.zeros(n_states, np.int64)
    seen = np.zeros(n_states, np.bool_)
    done = 0
    for root in range(n_states):
        if seen[root]:
            continue
        path[0], depth, seen[root] = root, 1, True
        cursor[root] = row_start[root * n_actions]
        while depth > 0:
            state = path[depth - 1]
            while action[state] < n_actions:
                end = row_start[state * n_actions + action[state] + 1]
                if allowed[state, action[state]] and cursor[state] < end:
                    break
                cursor[state] = end
                action[state] += 1
            if action[state] == n_actions:
                order[done] = state
                done += 1
                depth -= 1
                continue
            following = next_state[cursor[state]]
            cursor[state] += 1
            if not seen[following]:
                path[depth], seen[following] = following, True
                cursor[following] = row_start[following * n_actions]
                depth += 1
    return order
