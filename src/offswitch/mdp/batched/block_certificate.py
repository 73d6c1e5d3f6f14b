"""How far the values of a block may be from optimal, by one synchronous sweep in float64.

The optimal Bellman operator T shrinks distances by beta = gamma times the largest row sum, so
|V - V*| <= max |T V - V| / (1 - beta) (Puterman 1994, Thm 6.3.1), whatever found V. The rounding of
the sweep is bounded as in Higham 2002, Sec. 3.1: n sums and products of numbers up to M err by at
most some n u M, u = 2^-53.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.batched.deterministic_sweeps import SweepTable
from offswitch.mdp.batched.lanes import LANES
from offswitch.mdp.batched.plan import SolverPlan
from offswitch.mdp.batched.structure import Structure

__all__ = ["block_error", "chance_residual", "residual_bound", "route_residual"]

UNIT_ROUNDOFF = 2.0**-53
SMALLEST = 1e-290
"""Added where anything is not 0: covers underflow."""


def block_error(
    plan: SolverPlan, reward: NDArray[Any], value: NDArray[Any]
) -> NDArray[np.float64]:  # Any: either precision
    """[64] certified bound on |value - V*| in every state, for `reward` and `value [S, 64]`.

    Both are in internal order. O(transitions * 64).
    """
    found = np.empty((3, LANES))
    structure = plan.structure
    flat = reward.reshape(-1), value.reshape(-1)
    if plan.table is not None and plan.cycles is not None:
        route_residual(plan.table, plan.cycles.stays, *flat, plan.discount, found)
    else:
        chance_residual(
            (structure.choice_start, structure.transition_start, structure.next_state),
            (structure.probability, structure.stay),
            *flat,
            plan.discount,
            found,
        )
    error: NDArray[np.float64] = residual_bound(found, _sum_terms(structure), plan.contraction)
    return error


def _sum_terms(structure: Structure) -> int:
    """Terms of the largest sum over successors; 0 in a deterministic process, which has none."""
    if structure.deterministic:
        return 0
    return int(np.diff(structure.transition_start.astype(np.int64)).max()) + 1


@numba.njit(cache=True, nogil=True)
def residual_bound(found: NDArray[np.float64], terms: int, contraction: float) -> Any:
    """[64] the bound that `found [3, 64]` proves: largest residual, |reward| and |value|."""
    error = np.empty(LANES)
    for lane in range(LANES):
        size = found[1, lane] + found[2, lane]
        rounding = 1.01 * (terms + 2) * UNIT_ROUNDOFF * size
        residual = found[0, lane] * (1 + 2 * UNIT_ROUNDOFF) + rounding
        if size > 0:
            residual += SMALLEST
        error[lane] = residual / (1 - contraction - 4 * UNIT_ROUNDOFF) * (1 + 8 * UNIT_ROUNDOFF)
    return error


@numba.njit(cache=True, nogil=True)
def route_residual(
    table: SweepTable,
    stays: NDArray[np.bool_],
    reward: NDArray[Any],  # Any: either precision
    value: NDArray[Any],
    gamma: float,
    found: NDArray[np.float64],
) -> None:
    """Fill `found [3, 64]` for a deterministic process; flat `reward` and `value [S * 64]`."""
    start, successor = table
    width, one, two, three, four = (
        numba.uint64(LANES), numba.uint64(1), numba.uint64(2), numba.uint64(3), numba.uint64(4),
    )  # fmt: skip
    best, sizes = np.empty(LANES, value.dtype), np.zeros((2, LANES), value.dtype)
    residual, rewards, values = found[0], sizes[0], sizes[1]
    for lane in range(LANES):
        residual[numba.uint64(lane)] = 0
    for state in range(len(stays)):
        place = numba.uint64(state)
        row = place * width
        entry, end = numba.uint64(start[place]), numba.uint64(start[place + one])
        a = b = c = d = own = row
        if entry != end:
            a = numba.uint64(successor[entry]) * width
            b = numba.uint64(successor[entry + one]) * width
            c = numba.uint64(successor[entry + two]) * width
            d = numba.uint64(successor[entry + three]) * width
            own = row if stays[place] else a
        for lane in range(LANES):
            at = numba.uint64(lane)
            top = max(value[a + at], value[b + at], value[c + at], value[d + at])
            best[at] = max(top, value[own + at])
        entry += four
        while entry < end:
            a = numba.uint64(successor[entry]) * width
            for lane in range(LANES):
                at = numba.uint64(lane)
                best[at] = max(best[at], value[a + at])
            entry += one
        for lane in range(LANES):
            at = numba.uint64(lane)
            backed = np.float64(reward[row + at]) + gamma * np.float64(best[at])
            residual[at] = max(residual[at], abs(backed - np.float64(value[row + at])))
        for lane in range(LANES):
            at = numba.uint64(lane)
            rewards[at] = max(rewards[at], abs(reward[row + at]))
            values[at] = max(values[at], abs(value[row + at]))
    for lane in range(LANES):
        found[1, lane], found[2, lane] = rewards[lane], values[lane]


@numba.njit(cache=True, nogil=True)
def chance_residual(
    starts: tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32]],
    chances: tuple[NDArray[np.float64], NDArray[np.float64]],
    reward: NDArray[Any],  # Any: either precision
    value: NDArray[Any],
    gamma: float,
    found: NDArray[np.float64],
) -> None:
    """Fill `found [3, 64]` for any process; flat `reward` and `value [S * 64]`."""
    choice_start, transition_start, next_state = starts
    probability, stay = chances
    width = numba.uint64(LANES)
    residual, largest_reward, largest_value = found[0], found[1], found[2]
    best, mean = np.empty(LANES), np.empty(LANES)
    found[:] = 0
    for state in range(len(choice_start) - 1):
        row = numba.uint64(state) * width
        for choice in range(choice_start[state], choice_start[state + 1]):
            for lane in range(LANES):
                at = numba.uint64(lane)
                mean[at] = stay[choice] * np.float64(value[row + at])
            for entry in range(transition_start[choice], transition_start[choice + 1]):
                other, chance = numba.uint64(next_state[entry]) * width, probability[entry]
                for lane in range(LANES):
                    at = numba.uint64(lane)
                    mean[at] += chance * np.float64(value[other + at])
            for lane in range(LANES):
                at = numba.uint64(lane)
                first = choice == choice_start[state]
                best[at] = mean[at] if first else max(best[at], mean[at])
        for lane in range(LANES):
            at = numba.uint64(lane)
            earned, worth = np.float64(reward[row + at]), np.float64(value[row + at])
            residual[at] = max(residual[at], abs(earned + gamma * best[at] - worth))
            largest_reward[at] = max(largest_reward[at], abs(earned))
            largest_value[at] = max(largest_value[at], abs(worth))
