"""Monotone Gauss-Seidel for deterministic processes, 64 samples at a time.

    V(s) <- max(V(s), r(s) + gamma max_s' V(s'))
from a lower bound of the optimum, in alternating directions, until nothing rises: every iterate is
a lower bound up to rounding. A state is passed over unless a successor rose since its last update.
Staying needs no update, as the lower bound has it in full.

The loops are shaped for the compiler: flat arrays, unsigned indices (signed ones may wrap around),
rows of a length known in advance, and the best successors put first into a row of their own, as the
compiler cannot know that a state is not its own successor.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.batched.lanes import LANES
from offswitch.mdp.batched.structure import Structure

__all__ = ["SweepTable", "rise_to_optimum", "sweep_table"]

GROUP = 4
"""Successors whose best is taken in one pass over a row."""
SKIP_FROM = 2
"""Nearly every state rises in the first sweeps; looking whether it can is not worth the time."""
SLACK_FROM = 24
"""From this sweep on, rises by a few roundings no longer count: at long horizons rounding upwards
once around a cycle can go on for 1 / (1 - gamma) sweeps."""
SLACK_ROUNDINGS = 4


class SweepTable(NamedTuple):
    """The successors of every internal state but itself, padded to whole passes. S states."""

    start: NDArray[np.uint32]
    """[S + 1] first entry of every state; multiples of 4."""
    successor: NDArray[np.uint32]
    """[entries] each successor once, the last one again to fill up."""


def sweep_table(structure: Structure) -> SweepTable:
    """The table of a deterministic `structure`. O(transitions)."""
    ends = structure.move_start.astype(np.int64)
    degree = ends[1:] - ends[:-1]
    padded = -(-degree // GROUP) * GROUP
    start = np.concatenate([[0], np.cumsum(padded)])
    owner = np.repeat(np.arange(len(degree)), padded)
    nth = np.minimum(np.arange(start[-1]) - start[owner], degree[owner] - 1)
    successor = structure.next_state[structure.move_start[owner] + nth]
    return SweepTable(start=start.astype(np.uint32), successor=successor)


@numba.njit(cache=True, nogil=True)
def rise_to_optimum(
    table: SweepTable,
    reward: NDArray[Any],  # Any: either precision
    value: NDArray[Any],
    gammas: tuple[Any, Any],
    limits: tuple[int, int],
    best: NDArray[Any],
    ticks: NDArray[np.uint32],
) -> tuple[int, int]:
    """Raise flat `value [S * 64]` from a lower bound to the optimum of flat `reward [S * 64]`.

    `gammas` are the discount and the unit roundoff in the precision of the rows; `limits` are the
    largest numbers of sweeps and of rows updated; `best [64]` and `ticks [2 * S]` are scratch.
    Returns the sweeps and the rows updated; 0 sweeps means that a limit was met while values were
    still rising.
    """
    # One function: called from inside the loops, parts of it would count references there.
    start, successor = table
    gamma, roundoff = gammas
    n_states = len(start) - 1
    width, one, two, three, four = (
        numba.uint64(LANES), numba.uint64(1), numba.uint64(2), numba.uint64(3), numba.uint64(4),
    )  # fmt: skip
    changed, updated = ticks[:n_states], ticks[n_states:]
    ticks[:] = 0
    slack = np.zeros(LANES, value.dtype)
    tick = numba.uint32(0)
    for sweep in range(limits[0]):
        if sweep == SLACK_FROM:
            _largest(value, roundoff * SLACK_ROUNDINGS, slack)
        rising = False
        for step in range(n_states):
            state = numba.uint64(n_states - 1 - step) if sweep & 1 else numba.uint64(step)
            entry, end = numba.uint64(start[state]), numba.uint64(start[state + one])
            may_rise, place = sweep < SKIP_FROM, entry
            while place < end and not may_rise:
                may_rise = changed[numba.uint64(successor[place])] > updated[state]
                place += one
            if entry == end or not may_rise:
                continue
            a = numba.uint64(successor[entry]) * width
            b = numba.uint64(successor[entry + one]) * width
            c = numba.uint64(successor[entry + two]) * width
            d = numba.uint64(successor[entry + three]) * width
            for lane in range(LANES):
                at = numba.uint64(lane)
                best[at] = max(value[a + at], value[b + at], value[c + at], value[d + at])
            entry += four
            while entry < end:
                a = numba.uint64(successor[entry]) * width
                b = numba.uint64(successor[entry + one]) * width
                c = numba.uint64(successor[entry + two]) * width
                d = numba.uint64(successor[entry + three]) * width
                for lane in range(LANES):
                    at = numba.uint64(lane)
                    top = max(value[a + at], value[b + at], value[c + at], value[d + at])
                    best[at] = max(best[at], top)
                entry += four
            row = state * width
            rose = 0
            for lane in range(LANES):
                at = numba.uint64(lane)
                backed = reward[row + at] + gamma * best[at]
                rose |= backed - value[row + at] > slack[at]
                value[row + at] = max(value[row + at], backed)
            tick += numba.uint32(1)
            updated[state] = tick
            if rose:
                changed[state] = tick
                rising = True
        if not rising:
            return sweep + 1, tick
        if tick > limits[1]:
            break
    return 0, tick


@numba.njit(cache=True, nogil=True)
def _largest(value: NDArray[Any], share: Any, size: NDArray[Any]) -> None:  # Any: as above
    """Fill `size [64]` with `share` times the largest |value| of each lane."""
    for row in range(0, len(value), LANES):
        for lane in range(LANES):
            at = numba.uint64(lane)
            size[at] = max(size[at], abs(value[numba.uint64(row) + at]) * share)
