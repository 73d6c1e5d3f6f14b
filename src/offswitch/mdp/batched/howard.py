"""Policy iteration (Howard 1960) for one sample of a deterministic process, exact up to rounding.

A policy of a deterministic process is a map of states to states: every walk runs into a cycle, so
its value follows from one pass, in O(S). The tool for optimal routes that end in long cycles, where
sweeps need some 1 / (1 - gamma) passes and this needs ten to twenty.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["iterate_routes", "route_value"]

MOST_ROUNDS = 1000
"""Far above what policy iteration takes; only rounding could make it go round in circles."""
SLACK = 2.0**-51
"""Of a value's size: what is not better by more than this may be better by rounding alone."""


@numba.njit(cache=True, nogil=True)
def iterate_routes(
    move_start: NDArray[np.uint32],
    next_state: NDArray[np.uint32],
    stays: NDArray[np.bool_],
    reward: NDArray[np.float64],
    value: NDArray[np.float64],
    gamma: float,
) -> int:
    """Replace a guess `value [S]` by the optimal value of `reward [S]`; returns the rounds taken.

    The successors of internal state s are `next_state[move_start[s]:move_start[s + 1]]`, and s
    itself where it `stays [S]`. O(transitions) a round.

    >>> start, to = np.array([0, 1, 2], np.uint32), np.array([1, 0], np.uint32)
    >>> value = np.zeros(2)
    >>> _ = iterate_routes(start, to, np.zeros(2, np.bool_), np.array([1.0, 0.0]), value, 0.5)
    >>> value.round(6).tolist()
    [1.333333, 0.666667]
    """
    n_states = len(reward)
    route = np.empty(n_states, np.int64)
    for state in range(n_states):
        route[state] = state if stays[state] else next_state[move_start[state]]
    for rounds in range(1, MOST_ROUNDS):
        better = 0
        for state in range(n_states):
            best, top = route[state], value[route[state]]
            bar = top + SLACK * abs(top)
            for move in range(move_start[state], move_start[state + 1]):
                other = np.int64(next_state[move])
                if value[other] > max(top, bar):
                    best, top = other, value[other]
            if stays[state] and value[state] > max(top, bar):
                best = state
            better += best != route[state]
            route[state] = best
        # The first values are only a guess: its route has yet to be evaluated.
        if better == 0 and rounds > 1:
            return rounds
        route_value(route, reward, value, gamma)
    return MOST_ROUNDS


@numba.njit(cache=True, nogil=True)
def route_value(
    route: NDArray[np.int64], reward: NDArray[np.float64], value: NDArray[np.float64], gamma: float
) -> None:
    """Fill `value [S]` with the discounted return of always going from s to `route[s]`. O(S)."""
    n_states = len(route)
    walk = np.empty(n_states, np.int64)
    seen = np.zeros(n_states, np.int64)
    for root in range(n_states):
        state, length = np.int64(root), 0
        while seen[state] == 0:
            seen[state] = root + 1
            walk[length] = state
            length += 1
            state = route[state]
        if seen[state] == root + 1 and length > 0:
            # This walk met itself: once around the cycle, last state first.
            around, weight, place = 0.0, 1.0, length
            while True:
                place -= 1
                around = reward[walk[place]] + gamma * around
                weight *= gamma
                if walk[place] == state:
                    break
            value[state] = around / (1 - weight)
            for later in range(length - 1, place, -1):
                value[walk[later]] = reward[walk[later]] + gamma * value[route[walk[later]]]
            length = place
        for later in range(length - 1, -1, -1):
            value[walk[later]] = reward[walk[later]] + gamma * value[route[walk[later]]]
