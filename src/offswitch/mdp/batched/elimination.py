"""Gaussian elimination in an order and a pattern that serve every policy of a component.

Which entries of I - gamma P_pi can be non-zero does not depend on the policy pi, so the order of
elimination (minimum degree; Tinney & Walker 1967) and the fill-in are found once, and 64 systems
are then factorised side by side without a search or a branch. The matrix is diagonally dominant by
rows, so no pivoting is needed (Higham 2002, section 9.5). n states, C choices, N transitions.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numba import uint64
from numpy.typing import NDArray

from offswitch.mdp.batched.components import Component
from offswitch.mdp.batched.lanes import LANES, lane_rows
from offswitch.mdp.batched.span_sweeps import ChanceTable

__all__ = ["Elimination", "eliminate", "plan_elimination"]

MOST_STATES = 4096
"""The search for the order keeps one bit for every pair of states."""
MOST_UPDATES = 1_000_000
"""Beyond, iterative methods are as fast and need no memory for the fill-in."""
MOST_SLOTS = 100_000
"""Of 512 bytes each, for every thread."""


class Elimination(NamedTuple):
    """The order, the pattern and the list of updates. Row and column v are eliminated v-th.

    Row v has a slot for its diagonal, then one for every entry right of it, then one for every
    entry below it; the pattern is symmetric.
    """

    order: NDArray[np.uint32]
    """[n] the state eliminated at every step."""
    slot: NDArray[np.uint32]
    """[n + 1] first slot of every step."""
    later: NDArray[np.uint32]
    """[L] the steps, ascending, that are neighbours of a step when it is eliminated."""
    update: NDArray[np.uint32]
    """[U] for every step and every two later neighbours, the slot that changes."""
    place: NDArray[np.uint32]
    """[N] the slot of every transition of the component."""


def plan_elimination(component: Component) -> Elimination | None:
    """The elimination of a component; None where it would take too many updates. O(U + n^2)."""
    n_states = len(component.members)
    if n_states > MOST_STATES:
        return None
    owner = _owners(component)
    order, later_start, later, updates = _minimum_degree(n_states, owner, component.next_state)
    slots = n_states + 2 * len(later)
    if updates > MOST_UPDATES or slots > MOST_SLOTS:
        return None
    step = np.empty(n_states, np.int64)
    step[order] = np.arange(n_states)
    slot = (np.arange(n_states + 1) + 2 * later_start).astype(np.uint32)
    update = np.empty(updates, np.uint32)
    place = np.empty(len(owner), np.uint32)
    _list_updates(slot, later_start, later, update)
    _find_places(slot, later_start, later, (step[owner], step[component.next_state]), place)
    return Elimination(order.astype(np.uint32), slot, later.astype(np.uint32), update, place)


def eliminate(
    plan: Elimination, table: ChanceTable, pick: NDArray[np.int32], gain: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[n, 64] the solution x of (I - gamma P_pi) x = gain, pi the choices `pick [n, 64]`. O(U).

    64 lanes, `gain [n, 64]`; P_pi is the part of the transitions inside the component.
    """
    entries = lane_rows(int(plan.slot[-1]), np.float64)
    solved = lane_rows(len(gain), np.float64)
    work = entries.reshape(-1), solved.reshape(-1)
    _factorise(plan, table, pick.reshape(-1), gain.reshape(-1), work)
    _substitute(plan, *work)
    unordered = lane_rows(len(gain), np.float64)
    unordered[plan.order] = solved
    return unordered


def _owners(component: Component) -> NDArray[np.int64]:
    """[N] the state of every transition."""
    first = component.transition_start[component.choice_start].astype(np.int64)
    return np.repeat(np.arange(len(component.members)), np.diff(first))


@numba.njit(cache=True, nogil=True)
def _minimum_degree(
    n_states: int, one: NDArray[np.int64], other: NDArray[np.uint32]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int]:
    """The order, where each step's later neighbours start, those neighbours, and the updates.

    A row of bits for every state; to eliminate one is to join the rows of its neighbours.
    """
    near = np.zeros((n_states, n_states), np.bool_)
    for edge in range(len(one)):
        near[one[edge], other[edge]] = True
        near[other[edge], one[edge]] = True
    degree = np.empty(n_states, np.int64)
    for state in range(n_states):
        near[state, state] = False
        degree[state] = near[state].sum()
    order, start = np.empty(n_states, np.int64), np.zeros(n_states + 1, np.int64)
    step = np.full(n_states, -1)
    later = np.empty(MOST_SLOTS // 2, np.int64)
    updates, filled = 0, 0
    for turn in range(n_states):
        state = -1
        for candidate in range(n_states):
            if step[candidate] < 0 and (state < 0 or degree[candidate] < degree[state]):
                state = candidate
        order[turn], step[state] = state, turn
        neighbours = np.flatnonzero(near[state])
        updates += len(neighbours) ** 2
        if updates > MOST_UPDATES or filled + len(neighbours) > len(later):
            return order, start, later, MOST_UPDATES + 1
        for neighbour in neighbours:
            later[filled] = neighbour
            filled += 1
            near[neighbour, state] = False
            for second in neighbours:
                if second != neighbour and not near[neighbour, second]:
                    near[neighbour, second] = True
                    degree[neighbour] += 1
            degree[neighbour] -= 1
        start[turn + 1] = filled
    for entry in range(filled):
        later[entry] = step[later[entry]]
    for turn in range(n_states):
        later[start[turn] : start[turn + 1]].sort()
    return order, start, later[:filled], updates


@numba.njit(cache=True, nogil=True)
def _slot_of(
    slot: NDArray[np.uint32],
    start: NDArray[np.int64],
    later: NDArray[np.int64],
    row: int,
    column: int,
) -> np.int64:
    early, late = min(row, column), max(row, column)
    if row == column:
        return np.int64(slot[row])
    span = later[start[early] : start[early + 1]]
    number = np.searchsorted(span, late) + (len(span) if row > column else 0)
    return np.int64(slot[early]) + np.int64(1 + number)


@numba.njit(cache=True, nogil=True)
def _list_updates(
    slot: NDArray[np.uint32],
    start: NDArray[np.int64],
    later: NDArray[np.int64],
    update: NDArray[np.uint32],
) -> None:
    done = 0
    for step in range(len(start) - 1):
        for row in later[start[step] : start[step + 1]]:
            for column in later[start[step] : start[step + 1]]:
                update[done] = _slot_of(slot, start, later, row, column)
                done += 1


@numba.njit(cache=True, nogil=True)
def _find_places(
    slot: NDArray[np.uint32],
    start: NDArray[np.int64],
    later: NDArray[np.int64],
    ends: tuple[NDArray[np.int64], NDArray[np.int64]],
    place: NDArray[np.uint32],
) -> None:
    rows, columns = ends
    for entry in range(len(place)):
        place[entry] = _slot_of(slot, start, later, rows[entry], columns[entry])


@numba.njit(cache=True, nogil=True)
def _fill(
    plan: Elimination,
    table: ChanceTable,
    pick: NDArray[np.int32],
    entries: NDArray[np.float64],
) -> None:
    """Set the slots to I - gamma P_pi."""
    lanes = uint64(LANES)
    chance, start, place = table.probability, table.transition_start, plan.place
    entries[:] = 0
    for step in range(len(plan.order)):
        here, diagonal = uint64(plan.order[step]) * lanes, uint64(plan.slot[step]) * lanes
        for lane in range(lanes):
            choice = uint64(pick[here + lane])
            entries[diagonal + lane] = 1 - table.stay[choice]
            for entry in range(uint64(start[choice]), uint64(start[choice + uint64(1)])):
                entries[uint64(place[entry]) * lanes + lane] = -chance[entry]


@numba.njit(cache=True, nogil=True)
def _factorise(
    plan: Elimination,
    table: ChanceTable,
    pick: NDArray[np.int32],
    gain: NDArray[np.float64],
    work: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    """Eliminate below the diagonal and from the right side; diagonals become reciprocals."""
    lanes = uint64(LANES)
    entries, solved = work
    _fill(plan, table, pick, entries)
    for step in range(len(plan.order)):
        here, there = uint64(step) * lanes, uint64(plan.order[step]) * lanes
        for lane in range(lanes):
            solved[here + lane] = gain[there + lane]
    factor = np.empty(LANES)
    slot, later, update = plan.slot, plan.later, plan.update
    done, first = uint64(0), uint64(0)
    for step in range(len(plan.order)):
        diagonal, here = uint64(slot[step]) * lanes, uint64(step) * lanes
        for lane in range(lanes):
            entries[diagonal + lane] = 1 / entries[diagonal + lane]
        width = uint64(slot[step + 1] - slot[step]) // uint64(2)
        for number in range(width):
            below = diagonal + (uint64(1) + width + number) * lanes
            row = uint64(later[first + number]) * lanes
            for lane in range(lanes):
                factor[lane] = entries[below + lane] * entries[diagonal + lane]
            for lane in range(lanes):
                solved[row + lane] -= factor[lane] * solved[here + lane]
            for column in range(width):
                right = diagonal + (uint64(1) + column) * lanes
                changed = uint64(update[done]) * lanes
                for lane in range(lanes):
                    entries[changed + lane] -= factor[lane] * entries[right + lane]
                done += uint64(1)
        first += width


@numba.njit(cache=True, nogil=True)
def _substitute(
    plan: Elimination, entries: NDArray[np.float64], solved: NDArray[np.float64]
) -> None:
    lanes = uint64(LANES)
    end = uint64(len(plan.later))
    for step in range(len(plan.order) - 1, -1, -1):
        diagonal, here = uint64(plan.slot[step]) * lanes, uint64(step) * lanes
        width = uint64(plan.slot[step + 1] - plan.slot[step]) // uint64(2)
        first = end - width
        for number in range(width):
            right = diagonal + (uint64(1) + number) * lanes
            row = uint64(plan.later[first + number]) * lanes
            for lane in range(lanes):
                solved[here + lane] -= entries[right + lane] * solved[row + lane]
        for lane in range(lanes):
            solved[here + lane] *= entries[diagonal + lane]
        end = first
