"""Where to end: the largest expected pay-off of stopping, over all ways to go on or stop."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from offswitch.theory.long_run.elimination import NOISE, differences, eliminated
from offswitch.theory.long_run.moves import Moves, chain_of

__all__ = ["best_stop"]

MOST_ROUNDS = 200


@numba.njit(cache=True, nogil=True, error_model="numpy")
def best_stop(
    moves: Moves,
    stop: NDArray[np.float64],
    toll: NDArray[np.float64],
    value: NDArray[np.float64],
    lacking: NDArray[np.float64],
) -> None:
    """Fill `value [K]`: the most expected of `toll [K]` on leaving and `stop [K]` at the end.

    `lacking [K]` bounds what one move less or more could add. Policy iteration; all policies stop.
    """
    n = len(stop)
    policy = np.full(n, -1)
    for place in range(n):
        if stop[place] == -np.inf:
            policy[place] = moves.choice_start[place]
    if moves.choice_start[n] == 0:
        value[:], lacking[:] = stop, 0.0
        return
    for _ in range(MOST_ROUNDS):
        order = np.append(np.flatnonzero(policy < 0), np.flatnonzero(policy >= 0))
        first = int((policy < 0).sum())
        rank = np.empty(n, np.int64)
        rank[order] = np.arange(n)
        leaving = np.where(policy < 0, 0, policy)
        chain = chain_of(moves, leaving, rank)
        _, _, leave = eliminated(chain, toll[order], first)
        further, doubt = differences(chain, leave, toll[order], stop[order[:first]])
        value[:] = stop[order[0]] + further[rank, 0]
        if not np.isfinite(value).all():
            value[:], lacking[:] = 0.0, np.inf
            return
        if not _rise(moves, (stop, toll, value, further, doubt, rank), policy, lacking):
            return


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _rise(
    moves: Moves,
    found: tuple[
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.int64],
    ],
    policy: NDArray[np.int64],
    lacking: NDArray[np.float64],
) -> bool:
    """Improve the policy of `best_stop`; `lacking [K]` is the most that a change may add."""
    stop, toll, value, further, doubt, rank = found
    moved = False
    lacking[:] = 0.0
    for place in range(len(policy)):
        best, chosen = 0.0, policy[place]
        if policy[place] >= 0 and stop[place] > value[place]:
            lacking[place] = best = stop[place] - value[place]
            if best > NOISE * max(abs(value[place]), abs(stop[place])):
                chosen = -1
        for choice in range(moves.choice_start[place], moves.choice_start[place + 1]):
            rise, size = toll[place], toll[place]
            for entry in range(moves.start[choice], moves.start[choice + 1]):
                at = rank[moves.following[entry]], rank[place]
                rise += moves.chance[entry] * further[at]
                size += moves.chance[entry] * (abs(further[at]) + doubt[at] / NOISE)
            lacking[place] = max(lacking[place], rise + NOISE * size)
            if rise > best + 2 * NOISE * size:
                best, chosen = rise, choice
        if chosen != policy[place]:
            policy[place], moved = chosen, True
    return moved
