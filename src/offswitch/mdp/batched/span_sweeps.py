"""Synchronous value iteration of 64 rewards side by side, stopped by the span of the change.

Where chains mix, values differ from optimal by almost the same constant in every state long before
that constant is small; MacQueen's bounds (1966; Porteus 1971; Puterman 1994, section 6.6.2) find
and remove it. A component that some choice leaves has no such constant: there the largest change
ends the sweeps.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import uint64
from numpy.typing import NDArray

from offswitch.mdp.batched.components import Component
from offswitch.mdp.batched.lanes import LANES, lane_rows

__all__ = ["PROBE", "ChanceTable", "chance_table", "put_back", "sweep_component", "worst_residual"]

PROBE = 4
"""Sweeps between two looks at how fast the slowest lane converges."""


class ChanceTable(NamedTuple):
    """A component for one discount and precision. n states, C choices, N transitions."""

    choice_start: NDArray[np.uint32]
    """[n + 1]."""
    transition_start: NDArray[np.uint32]
    """[C + 1]."""
    next_state: NDArray[np.uint32]
    """[N] local number of the successor."""
    probability: NDArray[np.floating[Any]]
    """[N] discount times probability."""
    stay: NDArray[np.floating[Any]]
    """[C] discount times the probability of staying."""
    outside: NDArray[np.floating[Any]]
    """[C * 64] discounted worth of leaving the component; empty where no choice does."""


def chance_table(
    component: Component, discount: float, value: NDArray[np.floating[Any]]
) -> ChanceTable:
    """The table of a component whose exits have their final `value [S, 64]`, in its precision."""
    kind = value.dtype
    closed = component.closed
    outside = np.zeros(0 if closed else len(component.stay) * LANES, kind)
    if not closed:
        _leave(component, discount, value.reshape(-1), outside)
    return ChanceTable(
        choice_start=component.choice_start,
        transition_start=component.transition_start,
        next_state=component.next_state,
        probability=(discount * component.probability).astype(kind),
        stay=(discount * component.stay).astype(kind),
        outside=outside,
    )


def sweep_component(
    table: ChanceTable,
    discount: float,
    reward: NDArray[np.floating[Any]],
    target: NDArray[np.float64],
    budget: float,
) -> tuple[NDArray[np.floating[Any]], bool]:
    """The value `[n, 64]` of `reward [n, 64]`, and whether every lane met its target.

    `target [64]` bounds |TV - V|, T the Bellman update. Gives up as soon as the slowest lane is
    seen to need more than `budget` sweeps. O(budget N), no memory but two values.
    """
    old, new = lane_rows(len(reward), reward.dtype), lane_rows(len(reward), reward.dtype)
    rows = lane_rows(5, reward.dtype)
    buffers = old.reshape(-1), new.reshape(-1)
    swaps, met = _iterate(table, discount, reward.reshape(-1), buffers, rows, (target, budget))
    return (old if swaps % 2 else new), met


@numba.njit(cache=True, nogil=True)
def _leave(
    component: Component,
    discount: float,
    value: NDArray[np.float64],
    outside: NDArray[np.float64],
) -> None:
    lanes = uint64(LANES)
    worth = np.empty(LANES)
    for choice in range(len(component.stay)):
        worth[:] = 0
        for entry in range(component.exit_start[choice], component.exit_start[choice + 1]):
            chance = discount * component.exit_probability[entry]
            there = uint64(component.exit_state[entry]) * lanes
            for lane in range(lanes):
                worth[lane] += chance * value[there + lane]
        here = uint64(choice) * lanes
        for lane in range(lanes):
            outside[here + lane] = worth[lane]


@numba.njit(cache=True, nogil=True)
def _iterate(
    table: ChanceTable,
    discount: float,
    reward: NDArray[np.float64],
    buffers: tuple[NDArray[np.float64], NDArray[np.float64]],
    rows: NDArray[np.float64],
    until: tuple[NDArray[np.float64], float],
) -> tuple[int, bool]:
    """Sweep to and fro between the buffers; the number of swaps, and whether all targets are met.

    With d = TV - V, the optimum lies in V + [min d, max d] / (1 - gamma) for any V, so a constant
    may be taken off V at any time; a `shift` of every lane keeps the numbers small and exact.
    """
    old, new = buffers
    target, budget = until
    closed = len(table.outside) == 0
    shift, low, high = rows[0], rows[1], rows[2]
    shift[:] = 0
    old[:] = 0
    sweeps, earlier, worst = 0, np.inf, np.inf
    while True:
        _sweep(table, reward, old, new, rows)
        sweeps += 1
        worst = worst_residual(low, high, discount, target, closed)
        if worst <= 1 or sweeps >= budget:
            break
        if sweeps % PROBE == 0:
            slowness = (worst / earlier) ** (1 / PROBE)
            if slowness >= 1 or sweeps + math.log(worst) / -math.log(slowness) > budget:
                break
            earlier = worst
        if closed:
            for lane in range(LANES):
                shift[lane] += (low[lane] + high[lane]) / 2
        old, new = new, old
    if closed:
        put_back(new, rows, discount)
    return sweeps - 1, worst <= 1


@numba.njit(cache=True, nogil=True)
def put_back(value: NDArray[np.float64], rows: NDArray[np.float64], discount: float) -> None:
    """Put the shift back: V = T(old) + gamma / (1 - gamma) times the middle of the change.

    `value [n * 64]` is T(old) less the shift; `rows` holds shift, smallest and largest change.
    """
    lanes = uint64(LANES)
    raised = np.empty(LANES)
    for lane in range(lanes):
        middle = (np.float64(rows[1, lane]) + np.float64(rows[2, lane])) / 2
        raised[lane] = (np.float64(rows[0, lane]) + discount * middle) / (1 - discount)
    for state in range(len(value) // LANES):
        here = uint64(state) * lanes
        for lane in range(lanes):
            value[here + lane] = value[here + lane] + raised[lane]


@numba.njit(cache=True, nogil=True)
def worst_residual(
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    discount: float,
    target: NDArray[np.float64],
    closed: bool,
) -> float:
    """The largest residual a lane may have after this sweep, in units of its target."""
    worst = 0.0
    for lane in range(LANES):
        if closed:
            residual = discount * (np.float64(high[lane]) - np.float64(low[lane])) / 2
        else:
            residual = discount * max(abs(np.float64(low[lane])), abs(np.float64(high[lane])))
        if residual > 0:
            worst = max(worst, residual / max(target[lane], 1e-300))
    return worst


@numba.njit(cache=True, nogil=True)
def _sweep(
    table: ChanceTable,
    reward: NDArray[np.float64],
    old: NDArray[np.float64],
    new: NDArray[np.float64],
    rows: NDArray[np.float64],
) -> None:
    """new = T(old) - shift; `rows [5, 64]` are shift, low, high and two to work in.

    `low` and `high` become the smallest and largest change of every lane. Unsigned arithmetic and
    loops of a fixed 64 steps let the compiler use whole vector registers, and four successors at a
    time halve the traffic of the running sum. One long function on purpose: a call for every choice
    would count references to every array of the table, which costs as much as the sums.
    """
    lanes, one, two, three, four = uint64(LANES), uint64(1), uint64(2), uint64(3), uint64(4)
    shift, low, high, worth, best = rows[0], rows[1], rows[2], rows[3], rows[4]
    chance, follow, stay = table.probability, table.next_state, table.stay
    choice_start, transition_start = table.choice_start, table.transition_start
    outside, leaves = table.outside, len(table.outside) > 0
    zero, whole = rows.dtype.type(0), rows.dtype.type(1)
    worth[:] = zero
    low[:] = np.inf
    high[:] = -np.inf
    for state in range(len(choice_start) - 1):
        here = uint64(state) * lanes
        best[:] = -np.inf
        for choice in range(choice_start[state], choice_start[state + 1]):
            entry, end = uint64(transition_start[choice]), uint64(transition_start[choice + 1])
            kept = zero  # of the running sum: nothing of an earlier choice's, then all
            while entry + four <= end:
                p, q = chance[entry], chance[entry + one]
                i, j = uint64(follow[entry]) * lanes, uint64(follow[entry + one]) * lanes
                t, u = chance[entry + two], chance[entry + three]
                k, m = uint64(follow[entry + two]) * lanes, uint64(follow[entry + three]) * lanes
                for x in range(lanes):
                    ahead = p * old[i + x] + q * old[j + x] + t * old[k + x] + u * old[m + x]
                    worth[x] = kept * worth[x] + ahead
                kept = whole
                entry += four
            while entry + two <= end:
                p, q = chance[entry], chance[entry + one]
                i, j = uint64(follow[entry]) * lanes, uint64(follow[entry + one]) * lanes
                for x in range(lanes):
                    worth[x] = kept * worth[x] + p * old[i + x] + q * old[j + x]
                kept = whole
                entry += two
            q = stay[choice]
            if entry < end or q > zero or kept == zero:
                # The last successor and staying, either with a chance of 0 if it cannot be.
                p = chance[entry] if entry < end else zero
                i = uint64(follow[entry]) * lanes if entry < end else here
                for x in range(lanes):
                    worth[x] = kept * worth[x] + p * old[i + x] + q * old[here + x]
            if leaves:
                i = uint64(choice) * lanes
                for x in range(lanes):
                    worth[x] += outside[i + x]
            for x in range(lanes):
                best[x] = max(best[x], worth[x])
        for x in range(lanes):
            swept = reward[here + x] - shift[x] + best[x]
            gain = swept - old[here + x]
            low[x] = min(low[x], gain)
            high[x] = max(high[x], gain)
            new[here + x] = swept
