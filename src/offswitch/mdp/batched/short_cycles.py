"""A value that is never above the optimum: the best cycle of one or two states through each state.

For ever staying in s earns r(s) / (1 - gamma), going to and fro between s and t earns
(r(s) + gamma r(t)) / (1 - gamma^2), and no way of acting earns less than
r(s) + gamma min r / (1 - gamma). The first two remove the factor 1 / (1 - gamma) from the number of
sweeps wherever an optimal route ends in a cycle that short; the last holds for any reward.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.batched.lanes import LANES
from offswitch.mdp.batched.structure import Structure

__all__ = ["ShortCycles", "short_cycles", "start_from_below"]


class ShortCycles(NamedTuple):
    """The cycles of one and two states of a deterministic process, in internal order. S states."""

    stays: NDArray[np.bool_]
    """[S] whether the state may be kept for ever."""
    partner_start: NDArray[np.uint32]
    """[S + 1] first partner of every state."""
    partner: NDArray[np.uint32]
    """[P] states to which the state can go and from which it can return at once. Left out where
    both may stay: then one of the two stays is at least as good after one sweep."""


def short_cycles(structure: Structure) -> ShortCycles:
    """The one- and two-state cycles of a deterministic `structure`. O(sum of squared degrees)."""
    first = structure.choice_start[:-1].astype(np.int64)
    stays = np.add.reduceat(structure.stay, first) > 0
    counts, partner = _partners(structure.move_start, structure.next_state, stays)
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.uint32)
    return ShortCycles(stays=stays, partner_start=start, partner=partner)


@numba.njit(cache=True, nogil=True)
def _partners(
    move_start: NDArray[np.uint32], next_state: NDArray[np.uint32], stays: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    counts = np.zeros(len(stays), np.int64)
    partner = np.empty(len(next_state), np.uint32)
    found = 0
    for state in range(len(stays)):
        for move in range(move_start[state], move_start[state + 1]):
            other = next_state[move]
            if stays[state] and stays[other]:
                continue
            for back in range(move_start[other], move_start[other + 1]):
                if next_state[back] == state:
                    partner[found] = other
                    found += 1
                    counts[state] += 1
                    break
    return counts, partner[:found].copy()


@numba.njit(cache=True, nogil=True)
def start_from_below(
    cycles: ShortCycles,
    reward: NDArray[Any],  # Any: either precision
    value: NDArray[Any],
    factors: tuple[Any, Any, Any],
    floor: NDArray[Any],
) -> None:
    """Fill flat `value [S * 64]` with the lower bound for flat `reward [S * 64]`.

    `factors` are gamma, 1 / (1 - gamma) and 1 / (1 - gamma^2) in the precision of the rows;
    `floor [64]` is scratch.
    """
    gamma, forever, to_and_fro = factors
    width = numba.uint64(LANES)
    if not cycles.stays.all():
        _lowest(reward, gamma * forever, floor)
    for state in range(len(cycles.stays)):
        place = numba.uint64(state)
        row = place * width
        if cycles.stays[place]:
            for lane in range(LANES):
                at = row + numba.uint64(lane)
                value[at] = reward[at] * forever
        else:
            for lane in range(LANES):
                at = row + numba.uint64(lane)
                value[at] = reward[at] + floor[numba.uint64(lane)]
        for entry in range(cycles.partner_start[place], cycles.partner_start[state + 1]):
            other = numba.uint64(cycles.partner[entry]) * width
            for lane in range(LANES):
                at = row + numba.uint64(lane)
                around = (reward[at] + gamma * reward[other + numba.uint64(lane)]) * to_and_fro
                value[at] = max(value[at], around)


@numba.njit(cache=True, nogil=True)
def _lowest(reward: NDArray[Any], factor: Any, floor: NDArray[Any]) -> None:  # Any: as above
    """Fill `floor [64]` with `factor` times the lowest reward of each lane."""
    for lane in range(LANES):
        floor[numba.uint64(lane)] = reward[numba.uint64(lane)]
    for row in range(0, len(reward), LANES):
        for lane in range(LANES):
            at = numba.uint64(lane)
            floor[at] = min(floor[at], reward[numba.uint64(row) + at])
    for lane in range(LANES):
        floor[numba.uint64(lane)] *= factor
