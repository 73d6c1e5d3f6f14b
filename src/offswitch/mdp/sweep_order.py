"""The order in which states are swept: successors before their predecessors where possible."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.task import Task

__all__ = ["sweep_order"]


def sweep_order(task: Task) -> NDArray[np.int64]:
    """[S] the states in depth-first postorder.

    On a process without cycles this is a reverse topological order, so one sweep solves it; with
    cycles all but the edges back into the current path point to states already swept.
    O(transitions).
    """
    # Actions do not matter here: the successors of a state are one contiguous span.
    first = np.ascontiguousarray(task.row_start[:: task.allowed.shape[1]])
    return np.asarray(_postorder(first, task.next_state))


@numba.njit(cache=True, nogil=True)
def _postorder(first: NDArray[np.int64], next_state: NDArray[np.int64]) -> NDArray[np.int64]:
    n_states = len(first) - 1
    order = np.empty(n_states, np.int64)
    path = np.empty(n_states, np.int64)
    cursor = first[:-1].copy()
    seen = np.zeros(n_states, np.bool_)
    done = 0
    for root in range(n_states):
        if seen[root]:
            continue
        path[0], depth, seen[root] = root, 1, True
        while depth > 0:
            state = path[depth - 1]
            if cursor[state] == first[state + 1]:
                order[done] = state
                done += 1
                depth -= 1
                continue
            following = next_state[cursor[state]]
            cursor[state] += 1
            if not seen[following]:
                path[depth], seen[following] = following, True
                depth += 1
    return order
