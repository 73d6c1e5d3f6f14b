"""The evaluation of 64 policies by GMRES, each for itself.

For components whose elimination would fill in: a Krylov method needs one step for every slow mode
of a chain (its constant, a period, a region seldom left), where sweeps need 1 / (1 - gamma).
GMRES: Saad & Schultz 1986; as the inner solver of policy iteration: Gargiani et al. 2023,
"Inexact policy iteration methods for large-scale Markov decision processes".
"""

from __future__ import annotations

import numba
import numpy as np
from numba import uint64
from numpy.typing import NDArray

from offswitch.mdp.batched.lanes import LANES, lane_rows
from offswitch.mdp.batched.span_sweeps import ChanceTable

__all__ = ["solve_by_krylov"]

BASIS = 40
"""Vectors kept before a restart."""
RESTARTS = 5
REDUCTION = 0.1
"""Of the residual, times 1 - gamma: the value is then wrong by less than policies differ, so rounds
of policy iteration still gain; a looser one has been seen to go round in circles."""


def solve_by_krylov(
    table: ChanceTable,
    pick: NDArray[np.int32],
    gain: NDArray[np.float64],
    pending: NDArray[np.bool_],
    discount: float,
) -> NDArray[np.float64]:
    """[n, 64] x with (I - gamma P_pi) x close to gain, pi the choices `pick [n, 64]`.

    0 in lanes that are not `pending [64]`. The residual is at most (1 - gamma) / 10 of `gain
    [n, 64]` in the Euclidean norm, or what 5 times 40 steps reach. O(n (K + 40)) a step and lane,
    K successors a choice.
    """
    solved = lane_rows(len(gain), np.float64)
    solved[:] = 0
    goal = REDUCTION * (1 - discount)
    flat = pick.reshape(-1), gain.reshape(-1), solved.reshape(-1)
    for lane in np.flatnonzero(pending):
        _solve_lane(table, int(lane), goal, *flat)
    return solved


@numba.njit(cache=True, nogil=True)
def _solve_lane(
    table: ChanceTable,
    lane: int,
    reduction: float,
    pick: NDArray[np.int32],
    gain: NDArray[np.float64],
    solved: NDArray[np.float64],
) -> None:
    n_states = len(gain) // LANES
    start, follow, chance, right = _chain(table, lane, pick, gain)
    basis = np.empty((min(BASIS, n_states) + 1, n_states))
    x, residual = np.zeros(n_states), right.copy()
    goal = reduction * np.sqrt(np.dot(right, right))
    for _ in range(RESTARTS):
        if np.sqrt(np.dot(residual, residual)) <= goal:
            break
        _cycle(start, follow, chance, basis, (x, residual, goal))
        _apply(start, follow, chance, x, residual)
        for state in range(n_states):
            residual[state] = right[state] - residual[state]
    for state in range(n_states):
        solved[state * LANES + lane] = x[state]


@numba.njit(cache=True, nogil=True)
def _chain(
    table: ChanceTable, lane: int, pick: NDArray[np.int32], gain: NDArray[np.float64]
) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.float64], NDArray[np.float64]]:
    """The lane's chain and right side, every row divided by 1 - gamma P(stay)."""
    n_states = len(gain) // LANES
    start, right = np.zeros(n_states + 1, np.uint32), np.empty(n_states)
    for state in range(n_states):
        choice = pick[state * LANES + lane]
        length = table.transition_start[choice + 1] - table.transition_start[choice]
        start[state + 1] = start[state] + length
    follow, chance = np.empty(start[-1], np.uint32), np.empty(start[-1])
    for state in range(n_states):
        choice = pick[state * LANES + lane]
        room, entry = 1 - table.stay[choice], start[state]
        right[state] = gain[state * LANES + lane] / room
        for move in range(table.transition_start[choice], table.transition_start[choice + 1]):
            follow[entry] = table.next_state[move]
            chance[entry] = table.probability[move] / room
            entry += 1
    return start, follow, chance, right


@numba.njit(cache=True, nogil=True)
def _apply(
    start: NDArray[np.uint32],
    follow: NDArray[np.uint32],
    chance: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
) -> None:
    """y = x - chain x."""
    for state in range(len(x)):
        ahead = 0.0
        for entry in range(uint64(start[state]), uint64(start[state + 1])):
            ahead += chance[entry] * x[uint64(follow[entry])]
        y[state] = x[state] - ahead


@numba.njit(cache=True, nogil=True)
def _cycle(
    start: NDArray[np.uint32],
    follow: NDArray[np.uint32],
    chance: NDArray[np.float64],
    basis: NDArray[np.float64],
    state: tuple[NDArray[np.float64], NDArray[np.float64], float],
) -> None:
    """Add to x its best correction in the Krylov space of the residual (Arnoldi, Givens)."""
    x, residual, goal = state
    size = len(basis) - 1
    table, rest = np.zeros((size + 1, size)), np.zeros(size + 1)
    cosine, sine = np.zeros(size), np.zeros(size)
    rest[0] = np.sqrt(np.dot(residual, residual))
    basis[0] = residual / rest[0]
    used = 0
    while used < size and abs(rest[used]) > goal:
        step, used = used, used + 1
        following = basis[step + 1]
        _apply(start, follow, chance, basis[step], following)
        for row in range(step + 1):
            table[row, step] = np.dot(following, basis[row])
            following -= table[row, step] * basis[row]
        length = np.sqrt(np.dot(following, following))
        for row in range(step):
            upper, lower = table[row, step], table[row + 1, step]
            table[row, step] = cosine[row] * upper + sine[row] * lower
            table[row + 1, step] = cosine[row] * lower - sine[row] * upper
        whole = np.sqrt(table[step, step] ** 2 + length**2)
        cosine[step], sine[step] = table[step, step] / whole, length / whole
        table[step, step] = whole
        rest[step + 1] = -sine[step] * rest[step]
        rest[step] *= cosine[step]
        if length <= 1e-14 * whole:  # the space is invariant: x is exact
            break
        following /= length
    for row in range(used - 1, -1, -1):
        for column in range(row + 1, used):
            rest[row] -= table[row, column] * rest[column]
        rest[row] /= table[row, row]
        x += rest[row] * basis[row]
