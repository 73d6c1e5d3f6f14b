"""Policy iteration of 64 rewards side by side, as Newton's method on the Bellman equation.

The best choices of the present value V are the policy pi, and V moves by the solution of
(I - gamma P_pi) x = TV - V: V becomes exactly the policy's value (Puterman & Brumelle 1979), and
since x is small near the end its rounding does not matter. Sound for every process, however
periodic or decomposed, and independent of the discount; seldom over ten rounds.
"""

from __future__ import annotations

import numba
import numpy as np
from numba import uint64
from numpy.typing import NDArray

from offswitch.mdp.batched.elimination import Elimination, eliminate
from offswitch.mdp.batched.krylov import solve_by_krylov
from offswitch.mdp.batched.lanes import LANES, lane_rows
from offswitch.mdp.batched.span_sweeps import ChanceTable

__all__ = ["iterate_lanes"]

MOST_ROUNDS = 40
"""Met only where rounding keeps the target out of reach; the caller then has other means."""


def iterate_lanes(
    table: ChanceTable,
    elimination: Elimination | None,
    reward: NDArray[np.float64],
    value: NDArray[np.float64],
    target: NDArray[np.float64],
    discount: float,
) -> bool:
    """Improve `value [n, 64]` in place until |TV - V| is within `target [64]`; whether it is.

    `reward [n, 64]`, all float64. The policies' values come from `elimination`, or from a Krylov
    method without one.
    """
    pick = lane_rows(len(value), np.int32)
    gain = lane_rows(len(value), np.float64)
    for _ in range(MOST_ROUNDS):
        flat = reward.reshape(-1), value.reshape(-1), gain.reshape(-1)
        residual = _improve(table, *flat, pick.reshape(-1))
        pending = ~(residual <= target)
        if not pending.any():
            return True
        if elimination is not None:
            value += eliminate(elimination, table, pick, gain)
        else:
            value += solve_by_krylov(table, pick, gain, pending, discount)
    return False


@numba.njit(cache=True, nogil=True)
def _improve(
    table: ChanceTable,
    reward: NDArray[np.float64],
    value: NDArray[np.float64],
    gain: NDArray[np.float64],
    pick: NDArray[np.int32],
) -> NDArray[np.float64]:
    """[64] the largest |TV - V|; sets `gain` to TV - V and `pick` to the first best choices."""
    lanes = uint64(LANES)
    worth, best, largest = np.empty(LANES), np.empty(LANES), np.zeros(LANES)
    chosen = np.empty(LANES, np.int32)
    start, follow, chance = table.transition_start, table.next_state, table.probability
    outside, leaves = table.outside, len(table.outside) > 0
    for state in range(len(table.choice_start) - 1):
        here = uint64(state) * lanes
        best[:] = -np.inf
        chosen[:] = table.choice_start[state]
        for choice in range(table.choice_start[state], table.choice_start[state + 1]):
            p = table.stay[choice]
            for lane in range(lanes):
                worth[lane] = p * value[here + lane]
            for entry in range(uint64(start[choice]), uint64(start[choice + 1])):
                p, there = chance[entry], uint64(follow[entry]) * lanes
                for lane in range(lanes):
                    worth[lane] += p * value[there + lane]
            if leaves:
                there = uint64(choice) * lanes
                for lane in range(lanes):
                    worth[lane] += outside[there + lane]
            for lane in range(lanes):
                chosen[lane] = choice if worth[lane] > best[lane] else chosen[lane]
                best[lane] = max(best[lane], worth[lane])
        for lane in range(lanes):
            change = reward[here + lane] + best[lane] - value[here + lane]
            largest[lane] = max(largest[lane], abs(change))
            gain[here + lane] = change
            pick[here + lane] = chosen[lane]
    return largest
