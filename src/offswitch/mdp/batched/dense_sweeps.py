"""Span-stopped value iteration where most states lead to most: sweeps as products of matrices.

[C, S] times [S, 64] is what BLAS is made for; C choices, S states. The stop is that of
`span_sweeps`. One state the others cannot leave behind (an absorbing one, say) and the span does
not shrink: `solve_stochastic` then solves component by component.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
import scipy.sparse as sp
from numba import uint64
from numpy.typing import NDArray

from offswitch.mdp.batched.lanes import LANES, lane_rows
from offswitch.mdp.batched.plan import SolverPlan
from offswitch.mdp.batched.remember import Remember
from offswitch.mdp.batched.span_sweeps import PROBE, put_back, worst_residual
from offswitch.mdp.batched.stochastic_sweeps import solve_stochastic, value_targets
from offswitch.mdp.batched.structure import Structure

__all__ = ["solve_dense"]

MOST_SWEEPS = 200
"""Chains of dense processes mix in ten or do not mix."""


def solve_dense(plan: SolverPlan, reward: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """[S, 64] values of `reward [S, 64]`, both in internal order, in the reward's precision.

    As `solve_stochastic`, which takes over where the span does not shrink. O(C S) a sweep and lane.
    """
    matrix = (_matrix32 if reward.dtype == np.float32 else _matrix64)(plan.structure)
    old, new = (lane_rows(plan.n_states, reward.dtype) for _ in range(2))
    worth = lane_rows(plan.structure.n_choices, reward.dtype)
    rows = lane_rows(5, reward.dtype)
    target = value_targets(plan, reward)
    start = plan.structure.choice_start
    arrays = reward, old, new, worth, rows
    sweeps, met = _iterate(matrix, start, plan.discount, arrays, target)
    if not met:
        return solve_stochastic(plan, reward)
    return new if sweeps % 2 else old


def _dense(structure: Structure, kind: type[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """[C, S] the probabilities of the choices."""
    shape = structure.n_choices, structure.n_states
    moves = structure.probability, structure.next_state, structure.transition_start
    filled = sp.csr_array(moves, shape=shape).toarray()
    choices = structure.choice_start.astype(np.int64)
    owner = np.repeat(np.arange(shape[1]), choices[1:] - choices[:-1])
    filled[np.arange(shape[0]), owner] += structure.stay
    return np.ascontiguousarray(filled, dtype=kind)


_matrix32 = Remember(lambda structure: _dense(structure, np.float32))
_matrix64 = Remember(lambda structure: _dense(structure, np.float64))


@numba.njit(cache=True, nogil=True)
def _iterate(
    matrix: NDArray[np.float64],
    choice_start: NDArray[np.uint32],
    discount: float,
    arrays: tuple[
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.float64],
    ],
    target: NDArray[np.float64],
) -> tuple[int, bool]:
    """The number of sweeps, and whether all targets are met; the last sweep's value is put back."""
    reward, old, new, worth, rows = arrays
    rows[0] = 0
    old[:] = 0
    sweeps, earlier, worst = 0, np.inf, np.inf
    while True:
        np.dot(matrix, old, worth)
        _maximise(
            choice_start, worth.reshape(-1), discount, (reward.reshape(-1), old.reshape(-1)),
            new.reshape(-1), rows,
        )  # fmt: skip
        sweeps += 1
        worst = worst_residual(rows[1], rows[2], discount, target, True)
        if worst <= 1:
            put_back(new.reshape(-1), rows, discount)
            return sweeps, True
        if sweeps % PROBE == 0:
            slowness = (worst / earlier) ** (1 / PROBE)
            if slowness >= 1 or sweeps + math.log(worst) / -math.log(slowness) > MOST_SWEEPS:
                return sweeps, False
            earlier = worst
        for lane in range(LANES):
            rows[0, lane] += (rows[1, lane] + rows[2, lane]) / 2
        old, new = new, old


@numba.njit(cache=True, nogil=True)
def _maximise(
    choice_start: NDArray[np.uint32],
    worth: NDArray[np.float64],
    discount: float,
    before: tuple[NDArray[np.float64], NDArray[np.float64]],
    new: NDArray[np.float64],
    rows: NDArray[np.float64],
) -> None:
    """new = r + gamma max over choices of worth - shift; `rows` as in `span_sweeps`."""
    lanes = uint64(LANES)
    reward, old = before
    shift, low, high, best = rows[0], rows[1], rows[2], rows[3]
    gamma = rows.dtype.type(discount)
    low[:] = np.inf
    high[:] = -np.inf
    for state in range(len(choice_start) - 1):
        here, first = uint64(state) * lanes, uint64(choice_start[state])
        for x in range(lanes):
            best[x] = worth[first * lanes + x]
        for choice in range(first + uint64(1), uint64(choice_start[state + 1])):
            there = choice * lanes
            for x in range(lanes):
                best[x] = max(best[x], worth[there + x])
        for x in range(lanes):
            swept = reward[here + x] - shift[x] + gamma * best[x]
            gain = swept - old[here + x]
            low[x] = min(low[x], gain)
            high[x] = max(high[x], gain)
            new[here + x] = swept
