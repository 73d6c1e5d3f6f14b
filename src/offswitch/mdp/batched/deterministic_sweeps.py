"""Monotone Gauss-Seidel for deterministic processes, 64 samples at a time.

    V(s) <- max(V(s), r(s) + gamma max_s' V(s'))
from a lower bound of the optimum, in alternating directions, until nothing rises: every iterate is
a lower bound up to rounding. A state is passed over unless a successor rose since its last update.
Staying needs no update, as the lower bound has it in full.

The loops are shaped for the compiler: flat arrays, unsigned indices (signed ones may wrap around),
rows of a length known in advance, and what a state is worth put first into a row on the stack, as
the compiler cannot know that a state is not its own successor. Whether a lane rose is a bool, as
vectors hold only as many lanes as fit of the widest number in a loop.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.batched.lanes import LANES
from offswitch.mdp.batched.stack_row import stack_row
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
    slack: NDArray[Any],
    ticks: NDArray[np.uint32],
) -> tuple[int, int]:
    """Raise flat `value [S * 64]` from a lower bound to the optimum of flat `reward [S * 64]`.

    `gammas` are the discount and the unit roundoff in the precision of the rows; `limits` are the
    largest numbers of sweeps and of rows updated; `slack [64]` and `ticks [2 * S]` are scratch.
    Returns the sweeps and the rows updated; 0 sweeps means that a limit was met while values were
    still rising.
    """
    gamma, roundoff = gammas
    n_states = len(table.start) - 1
    changed, updated = ticks[:n_states], ticks[n_states:]
    ticks[:] = 0
    slack[:] = 0
    tick = numba.uint32(0)
    for sweep in range(limits[0]):
        if sweep == SLACK_FROM:
            _largest(value, roundoff * SLACK_ROUNDINGS, slack)
        rising = False
        for step in range(n_states):
            state = numba.uint64(n_states - 1 - step) if sweep & 1 else numba.uint64(step)
            if table.start[state] == table.start[state + numba.uint64(1)]:
                continue
            if sweep >= SKIP_FROM and not _may_rise(table, state, changed, updated[state]):
                continue
            tick += numba.uint32(1)
            updated[state] = tick
            if _raise(table, state, reward, value, gamma, slack):
                changed[state] = tick
                rising = True
        if not rising:
            return sweep + 1, tick
        if tick > limits[1]:
            break
    return 0, tick


# In line, as calls from within the sweeps would count references.
@numba.njit(nogil=True, forceinline=True)
def _may_rise(
    table: SweepTable,
    state: np.uint64,
    changed: NDArray[np.uint32],
    since: np.uint32,
) -> bool:
    """Whether a successor of `state` rose after tick `since`."""
    entry = numba.uint64(table.start[state])
    end = numba.uint64(table.start[state + numba.uint64(1)])
    while entry < end:
        a, b, c, d = _four(table, entry)
        if max(changed[a], changed[b], changed[c], changed[d]) > since:
            return True
        entry += numba.uint64(GROUP)
    return False


@numba.njit(nogil=True, forceinline=True)
def _raise(
    table: SweepTable,
    state: np.uint64,
    reward: NDArray[Any],  # Any: as above
    value: NDArray[Any],
    gamma: Any,
    slack: NDArray[Any],
) -> bool:
    """Raise the row of `state` to what its best successor makes it worth; whether a lane rose."""
    width = numba.uint64(LANES)
    row = state * width
    worth = numba.carray(stack_row(value), (LANES,))
    rose = False
    entry = numba.uint64(table.start[state])
    end = numba.uint64(table.start[state + numba.uint64(1)])
    while entry < end:
        first, second, third, fourth = _four(table, entry)
        a, b, c, d = first * width, second * width, third * width, fourth * width
        for lane in range(LANES):
            at = numba.uint64(lane)
            best = max(value[a + at], value[b + at], value[c + at], value[d + at])
            worth[at] = reward[row + at] + gamma * best
        for lane in range(LANES):
            at = numba.uint64(lane)
            rose |= worth[at] - value[row + at] > slack[at]
            value[row + at] = max(value[row + at], worth[at])
        entry += numba.uint64(GROUP)
    return rose


@numba.njit(nogil=True, forceinline=True)
def _four(table: SweepTable, entry: np.uint64) -> tuple[np.uint64, ...]:
    """The four successors from `entry` on."""
    successor = table.successor
    return (
        numba.uint64(successor[entry]),
        numba.uint64(successor[entry + numba.uint64(1)]),
        numba.uint64(successor[entry + numba.uint64(2)]),
        numba.uint64(successor[entry + numba.uint64(3)]),
    )


@numba.njit(cache=True, nogil=True)
def _largest(value: NDArray[Any], share: Any, size: NDArray[Any]) -> None:  # Any: as above
    """Fill `size [64]` with `share` times the largest |value| of each lane."""
    for row in range(0, len(value), LANES):
        for lane in range(LANES):
            at = numba.uint64(lane)
            size[at] = max(size[at], abs(value[numba.uint64(row) + at]) * share)
