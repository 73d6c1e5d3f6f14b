"""Blocks of rewards iid U(0, 1) on states: drawn, solved, certified and summed in one go.

The fast path of POWER and optimality probability (Turner et al. 2021, Defs 5.2 and 4.1). For
deterministic processes everything happens inside one compiled call without the interpreter lock,
so that threads scale; a block that misses the tolerance comes back here to be refined.
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from offswitch.errors import ModelError
from offswitch.mdp.batched.block import (
    most_work,
    refine_block,
    solve_block,
    start_factors,
    sweep_numbers,
)
from offswitch.mdp.batched.block_certificate import residual_bound, route_residual
from offswitch.mdp.batched.deterministic_sweeps import SweepTable, rise_to_optimum
from offswitch.mdp.batched.lanes import LANES, lane_rows
from offswitch.mdp.batched.moments import add_block
from offswitch.mdp.batched.optimal_actions import (
    add_chance_counts,
    add_route_counts,
    by_action,
    chance_tables,
    decision_bars,
    fill_bars,
    route_targets,
)
from offswitch.mdp.batched.philox import UNIT, checked_key, fill_uniforms
from offswitch.mdp.batched.plan import SolverPlan
from offswitch.mdp.batched.short_cycles import ShortCycles, start_from_below

__all__ = ["BlockSums", "uniform_blocks"]


KEPT_BYTES = 2**25
"""Of one array of scratch rows."""
_KEPT = threading.local()
SUM_ROUNDING = 2.0**-40
"""Far above what rounding does to the mean of numbers of size 1, added block by block."""


class BlockSums(NamedTuple):
    """Sums over n samples of y = (1 - gamma) / gamma (V - r), in original order. S states."""

    n: int
    """Samples, 64 for every block."""
    mean: NDArray[np.float64]
    """[S] mean of y: the estimate of POWER, in [0, 1] up to the error."""
    m2: NDArray[np.float64]
    """[S] sum of squared distances of y to its mean."""
    error: float
    """Certified bound on the error of every y."""
    optimal: NDArray[np.int64] | None
    """[S, A] samples for which the action is certainly optimal; None if not asked for."""
    near: NDArray[np.int64] | None
    """[S, A] samples for which the certificate cannot tell."""


class _Process(NamedTuple):
    """What the compiled part knows of a deterministic process."""

    table: SweepTable
    cycles: ShortCycles
    order: NDArray[np.int64]
    choice_start: NDArray[np.uint32]
    target: NDArray[np.uint32]


class _Rows(NamedTuple):
    """Scratch in the plan's precision; `reward` and `value` are flat, [S * 64]."""

    reward: NDArray[Any]  # Any: either precision
    value: NDArray[Any]
    best: NDArray[Any]
    bars: NDArray[Any]
    ticks: NDArray[np.uint32]
    found: NDArray[np.float64]


class _Numbers(NamedTuple):
    """The plan's constants, in its precision but for the tolerance."""

    gammas: tuple[Any, Any]  # Any: either precision
    factors: tuple[Any, Any, Any]
    unit: Any
    discount: float
    tolerance: float
    limits: tuple[int, int]


class _Sums(NamedTuple):
    """Sums so far, in internal order and units of V."""

    mean: NDArray[np.float64]
    m2: NDArray[np.float64]
    error: NDArray[np.float64]
    counts: NDArray[np.int64]


def uniform_blocks(
    plan: SolverPlan, seed: int, blocks: range, *, counts: bool = False
) -> BlockSums:
    """The sums over the samples of `blocks` (block b is samples 64 b to 64 b + 63).

    The reward of state s in sample i is the uniform of dimension s: `philox.uniforms(seed, ...)`.
    Memory 2 * 64 * S numbers of the plan's precision. Sums of several calls are put together with
    `moments.merge_moments`.

    >>> from offswitch.mdp.batched.plan import plan_solver
    >>> from offswitch.mdp.model import FiniteMDP
    >>> fork = FiniteMDP.from_coo(
    ...     3, 2, [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 1, 1), (2, 0, 2, 1)]
    ... )
    >>> sums = uniform_blocks(plan_solver(fork, 0.9, tolerance=1e-3), 1, range(100), counts=True)
    >>> bool(abs(sums.mean[0] - 2 / 3) < 0.01), sums.n
    (True, 6400)

    Raises:
        ModelError: the seed or the blocks are malformed, or the tolerance cannot be certified.
    """
    key = checked_key(seed)
    if blocks.step != 1 or blocks.start < 0 or blocks.stop > 2**57 or not len(blocks):
        raise ModelError(f"blocks is {blocks}, expected a range of at least one block from 0 on")
    sums = _Sums(
        mean=np.zeros(plan.n_states),
        m2=np.zeros(plan.n_states),
        error=np.zeros(1),
        counts=np.zeros((2, plan.structure.n_choices if counts else 0), np.int64),
    )
    if plan.structure.deterministic:
        _add_route_blocks(plan, key, blocks, sums)
    else:
        _add_chance_blocks(plan, key, blocks, sums)
    return _in_units_of_power(plan, len(blocks) * LANES, sums)


def _in_units_of_power(plan: SolverPlan, n: int, sums: _Sums) -> BlockSums:
    unit = (1 - plan.discount) / plan.discount
    mean, m2 = np.empty_like(sums.mean), np.empty_like(sums.m2)
    mean[plan.order], m2[plan.order] = sums.mean * unit, sums.m2 * unit**2
    asked = sums.counts.shape[1] > 0
    return BlockSums(
        n=n,
        mean=mean,
        m2=m2,
        error=float(sums.error[0]) * unit + SUM_ROUNDING,
        optimal=by_action(plan.structure, sums.counts[0]) if asked else None,
        near=by_action(plan.structure, sums.counts[1]) if asked else None,
    )


def _add_chance_blocks(
    plan: SolverPlan, key: tuple[np.uint64, np.uint64, np.uint64], blocks: range, sums: _Sums
) -> None:
    reward = lane_rows(plan.n_states, plan.dtype)
    for done, number in enumerate(blocks):
        fill_uniforms(key, number, plan.order, plan.dtype.type(UNIT), reward.reshape(-1))
        block = solve_block(plan, reward)
        add_block(reward.reshape(-1), block.value.reshape(-1), done * LANES, sums.mean, sums.m2)
        sums.error[0] = max(sums.error[0], block.error.max())
        if sums.counts.shape[1]:
            bars = decision_bars(plan, block)
            add_chance_counts(
                *chance_tables(plan.structure), block.value.reshape(-1), bars, sums.counts
            )


def _add_route_blocks(
    plan: SolverPlan, key: tuple[np.uint64, np.uint64, np.uint64], blocks: range, sums: _Sums
) -> None:
    process, numbers, rows = _process(plan), _numbers(plan), _rows(plan)
    done = 0
    while True:
        done = _run(process, numbers, rows, (key, blocks.start, done, len(blocks)), sums)
        if done == len(blocks):
            return
        shape = plan.n_states, LANES
        block = refine_block(plan, rows.reward.reshape(shape), rows.value.reshape(shape))
        _add(process, numbers, rows, (block.error, done), sums)
        done += 1


def _process(plan: SolverPlan) -> _Process:
    structure = plan.structure
    assert plan.table is not None and plan.cycles is not None
    return _Process(
        table=plan.table,
        cycles=plan.cycles,
        order=structure.order,
        choice_start=structure.choice_start,
        target=route_targets(structure),
    )


def _numbers(plan: SolverPlan) -> _Numbers:
    return _Numbers(
        gammas=sweep_numbers(plan),
        factors=start_factors(plan),
        unit=plan.dtype.type(UNIT),
        discount=plan.discount,
        tolerance=plan.tolerance,
        limits=most_work(plan),
    )


def _rows(plan: SolverPlan) -> _Rows:
    """Scratch rows, kept for the thread's next call: fresh pages cost as much as some sweeps."""
    key = plan.n_states, plan.dtype
    if getattr(_KEPT, "key", None) == key:
        kept: _Rows = _KEPT.rows
        return kept
    rows = _Rows(
        reward=lane_rows(plan.n_states, plan.dtype).reshape(-1),
        value=lane_rows(plan.n_states, plan.dtype).reshape(-1),
        best=lane_rows(1, plan.dtype).reshape(-1),
        bars=lane_rows(2, plan.dtype),
        ticks=np.empty(2 * plan.n_states, np.uint32),
        found=lane_rows(3, np.float64),
    )
    if rows.value.nbytes <= KEPT_BYTES:
        _KEPT.key, _KEPT.rows = key, rows
    return rows


@numba.njit(cache=True, nogil=True)
def _run(
    process: _Process,
    numbers: _Numbers,
    rows: _Rows,
    work: tuple[tuple[np.uint64, np.uint64, np.uint64], int, int, int],
    sums: _Sums,
) -> int:
    """Add blocks to the sums until one misses the tolerance; returns how many are done.

    The rows then hold the reward and value of the one that missed.
    """
    key, first, done, count = work
    for nth in range(done, count):
        fill_uniforms(key, first + nth, process.order, numbers.unit, rows.reward)
        start_from_below(process.cycles, rows.reward, rows.value, numbers.factors, rows.best)
        rise_to_optimum(
            process.table, rows.reward, rows.value, numbers.gammas, numbers.limits, rows.best,
            rows.ticks,
        )  # fmt: skip
        route_residual(
            process.table,
            process.cycles.stays,
            rows.reward,
            rows.value,
            numbers.discount,
            rows.found,
        )
        error = residual_bound(rows.found, 0, numbers.discount)
        for lane in range(LANES):
            if not error[lane] <= numbers.tolerance * rows.found[1, lane]:
                return nth
        _add(process, numbers, rows, (error, nth), sums)
    return count


@numba.njit(cache=True, nogil=True)
def _add(
    process: _Process,
    numbers: _Numbers,
    rows: _Rows,
    solved: tuple[NDArray[np.float64], int],
    sums: _Sums,
) -> None:
    error, done = solved
    add_block(rows.reward, rows.value, done * LANES, sums.mean, sums.m2)
    sums.error[0] = max(sums.error[0], error.max())
    if sums.counts.shape[1]:
        fill_bars(error, 0.0, 2 * (2 - numbers.discount), rows.bars)
        add_route_counts(process.choice_start, process.target, rows.value, rows.bars, sums.counts)
