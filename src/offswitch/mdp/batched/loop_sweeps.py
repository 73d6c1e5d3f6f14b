"""States that lie on no cycle but staying: one pass in post-order is exact.

Staying is divided out, V(s) = max_c (r(s) + gamma sum_{t != s} P(t) V(t)) / (1 - gamma P(s)):
the right side of a choice is what always making it is worth, so its maximum is optimal. Ended
episodes, absorbing states and worlds that count their steps are all of this kind.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import uint64
from numpy.typing import NDArray

from offswitch.mdp.batched.components import Component
from offswitch.mdp.batched.lanes import LANES

__all__ = ["sweep_loops"]


def sweep_loops(
    run: Component, discount: float, reward: NDArray[np.floating[Any]], value: NDArray[Any]
) -> None:
    """Set `value [S, 64]` on the run's states from their successors'. O(transitions), one pass.

    `reward [S, 64]` and `value` are in internal order, float32 or float64; the values of all
    successors outside the run must be final.
    """
    _sweep(run, discount, reward.reshape(-1), value.reshape(-1))


@numba.njit(cache=True, nogil=True)
def _sweep(
    run: Component, discount: float, reward: NDArray[np.float64], value: NDArray[np.float64]
) -> None:
    lanes = uint64(LANES)
    worth, best = np.empty(LANES), np.empty(LANES)
    for number in range(len(run.members)):
        here = uint64(run.members[number]) * lanes
        best[:] = -np.inf
        for choice in range(run.choice_start[number], run.choice_start[number + 1]):
            for lane in range(lanes):
                worth[lane] = reward[here + lane]
            for entry in range(run.exit_start[choice], run.exit_start[choice + 1]):
                chance = discount * run.exit_probability[entry]
                there = uint64(run.exit_state[entry]) * lanes
                for lane in range(lanes):
                    worth[lane] += chance * value[there + lane]
            share = 1 / (1 - discount * run.stay[choice])
            for lane in range(lanes):
                best[lane] = max(best[lane], worth[lane] * share)
        for lane in range(lanes):
            value[here + lane] = best[lane]
