"""One process, many rewards: the batched solver against other ways, on grids, in one run.

CPU time, one thread, grids with four moves and a stay, rewards iid U(0, 1), every way to a largest
error of 1e-4 / (1 - gamma) (T1) or better. Slow ways solve fewer samples. "target" is the least
ratio to be met. Run: python benchmarks/solver_grid.py
"""

from __future__ import annotations

import importlib.util
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import solver_peers as peers
from bandwidth import SIZES, triad_bandwidth
from offswitch.mdp.batched.block import (
    most_work,
    solve_block,
    start_factors,
    sweep_numbers,
)
from offswitch.mdp.batched.deterministic_sweeps import rise_to_optimum
from offswitch.mdp.batched.lanes import LANES, lane_rows
from offswitch.mdp.batched.philox import uniforms
from offswitch.mdp.batched.plan import SolverPlan, plan_solver
from offswitch.mdp.batched.short_cycles import start_from_below
from offswitch.mdp.batched.uniform_blocks import uniform_blocks
from offswitch.mdp.model import FiniteMDP
from solver_in_c import sweeps_in_c

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}
Values = NDArray[Any]
Peer = Callable[[Values, Values, float], Values]
SOLVE, ALL = "solve only", "end to end"
CASES = ((20, 0.9), (20, 0.99), (100, 0.99))
BIG = (1000, 0.99)


class Entry(NamedTuple):
    """A way to solve, the package it needs, samples by case (0: left out) and targets by case."""

    peer: Peer
    package: str | None
    samples: tuple[int, int, int]
    targets: tuple[float | None, float | None, float | None] = (None, None, None)


PEERS = {
    "numpy, one by one": Entry(peers.numpy_one_by_one, None, (64, 16, 1), (1500, 10000, 6500)),
    "torch, one by one": Entry(peers.torch_one_by_one, "torch", (32, 8, 0), (1000, 7000, None)),
    "torch, dense T": Entry(peers.torch_dense, "torch", (8, 1, 0), (7500, 48000, None)),
    "pymdptoolbox": Entry(peers.mdptoolbox_values, "mdptoolbox", (8, 2, 0)),
    "QuantEcon, modified p. i.": Entry(peers.quantecon_policies, "quantecon", (32, 16, 2)),
    "numpy, batch of 64": Entry(peers.numpy_batch, None, (64, 64, 64), (40, 190, None)),
    "scipy sparse, batch of 64": Entry(peers.scipy_batch, None, (64, 64, 0), (40, 190, None)),
    "torch, batch of 64": Entry(peers.torch_batch, "torch", (64, 64, 0), (40, 190, None)),
    "JAX, batch of 64": Entry(peers.jax_batch, "jax", (64, 64, 0), (40, 190, None)),
    "same algorithm, one by one": Entry(peers.scalar_sweeps, None, (64, 64, 16)),
}
END_TO_END_TARGETS = (900, 7500, 6000)


def grid(size: int) -> tuple[FiniteMDP, Values]:
    """The process and its successors [S, 5]; walls reflect."""
    state = np.arange(size * size)
    x, y = state % size, state // size
    ends = [(0, -1), (0, 1), (-1, 0), (1, 0), (0, 0)]
    columns = [
        np.clip(y + dy, 0, size - 1) * size + np.clip(x + dx, 0, size - 1) for dx, dy in ends
    ]
    succ = np.ascontiguousarray(np.stack(columns, axis=1))
    mdp = FiniteMDP(
        n_states=len(state),
        n_actions=5,
        row_start=np.arange(succ.size + 1),
        next_state=succ.ravel(),
        probability=np.ones(succ.size),
        start=np.eye(1, len(state))[0],
        state_names=tuple(map(str, state)),
        action_names=("up", "down", "left", "right", "stay"),
    )
    return mdp, succ


def seconds(run: Callable[[], object], *, least: float = 0.2, most: int = 40) -> float:
    """Best CPU time of repeated runs, after one that compiles, as long as they stay short."""
    return in_turn((run,), least=least, most=most)[0]


def in_turn(runs: Sequence[Callable[[], object]], *, least: float, most: int) -> list[float]:
    """The best CPU time of each, run by turns: they meet the same clock rates and neighbours."""
    for run in runs:
        run()
    rounds: list[list[float]] = []
    while len(rounds) < most and sum(map(sum, rounds)) < least * len(runs):
        rounds.append([single(run) for run in runs])
    return [min(times) for times in zip(*rounds, strict=True)]


class Ours(NamedTuple):
    """Seconds a sample, and what the sweeps did."""

    solve: float
    end_to_end: float
    sweeps: int
    rows_share: float
    nanoseconds: float
    in_c: float | None


def plan_of(mdp: FiniteMDP, gamma: float) -> SolverPlan:
    return plan_solver(mdp, gamma, tolerance=1e-4 / (1 - gamma))


def ours(plan: SolverPlan, blocks: int) -> Ours:
    reward = uniforms(1, 0, plan.order, dtype=plan.dtype)
    value, scratch = lane_rows(plan.n_states, plan.dtype), lane_rows(1, plan.dtype)[0]
    ticks = np.empty(2 * plan.n_states, np.uint32)
    flat = reward.reshape(-1), value.reshape(-1)
    work: list[int] = []

    def begin() -> None:
        start_from_below(plan.cycles, *flat, start_factors(plan), scratch)

    def rise() -> None:
        begin()
        numbers = sweep_numbers(plan)
        work[:] = rise_to_optimum(plan.table, *flat, numbers, most_work(plan), scratch, ticks)

    big = plan.n_states >= 10**6
    effort = {"least": 0.5, "most": 2 if big else 400}
    whole = seconds(lambda: uniform_blocks(plan, 1, range(blocks), counts=True), **effort)
    runs = [begin, rise]
    c = sweeps_in_c()
    if c is not None and plan.dtype == np.float32:
        tables = plan.table.start, plan.table.successor  # type: ignore[union-attr]

        def rise_in_c() -> None:
            begin()
            c(*tables, *flat, plan.discount)

        runs.append(rise_in_c)
    before, swept, *others = in_turn(runs, **effort)
    in_c = (swept - before) / (others[0] - before) if others else None
    return Ours(
        solve=swept / LANES,
        end_to_end=whole / LANES / blocks,
        sweeps=work[0],
        rows_share=work[1] / plan.n_states,
        nanoseconds=(swept - before) / work[1] / LANES * 1e9,
        in_c=in_c,
    )


def worst_error(plan: SolverPlan, values: Values, rewards: Values) -> float:
    """The largest error over samples, in units of 1e-4 / (1 - gamma), against our own values."""
    exact = plan_solver(plan.mdp, plan.discount, tolerance=1e-7 / (1 - plan.discount))
    padded = np.zeros((LANES, plan.n_states))
    padded[: len(rewards)] = rewards
    block = solve_block(exact, np.ascontiguousarray(padded.T[exact.order]))
    truth = block.value[exact.structure.position].T[: len(rewards)]
    return float(np.abs(values - truth).max() / plan.tolerance)


def compare(table: Table, case: int, console: Console) -> Ours:
    size, gamma = CASES[case]
    mdp, succ = grid(size)
    plan = plan_of(mdp, gamma)
    mine = ours(plan, 64 if size == 20 else 4)
    label = f"{size}x{size} {gamma}"
    table.add_row(label, f"ours, {SOLVE}", "64", f"{mine.solve * 1e6:.3f}", "1", "", "")
    add_end_to_end = f"{mine.end_to_end * 1e6:.3f}"
    table.add_row(label, f"ours, {ALL}", "", add_end_to_end, "", "", "")
    for name, entry in PEERS.items():
        count, target = entry.samples[case], entry.targets[case]
        if not count:
            continue
        if entry.package and importlib.util.find_spec(entry.package) is None:
            console.print(f"{name}: left out, {entry.package} is not installed")
            continue
        rewards = np.ascontiguousarray(uniforms(1, 0, range(len(succ))).T[:count])
        found: list[Values] = []

        def run(
            entry: Entry = entry, rewards: Values = rewards, found: list[Values] = found
        ) -> None:
            found[:] = [entry.peer(succ, rewards, gamma)]

        once = count < 8
        spent = (single(run) if once else seconds(run, least=0.3, most=10)) / count
        wrong = worst_error(plan, found[0], rewards)
        ratio = f"{spent / mine.solve:.0f}"
        wanted = "" if target is None else f">= {target:.0f}"
        row = (str(count), f"{spent * 1e6:.1f}", ratio, wanted, f"{wrong:.2f}")
        table.add_row(label, name, *row)
        if entry.peer is peers.numpy_one_by_one:
            ratio = f"{spent / mine.end_to_end:.0f}"
            wanted = f">= {END_TO_END_TARGETS[case]}"
            table.add_row(label, f"  the same to ours {ALL}", "", "", ratio, wanted, "")
    return mine


def single(run: Callable[[], object]) -> float:
    """CPU time of one run: for what is slow and has nothing to compile."""
    begun = time.process_time()
    run()
    return time.process_time() - begun


def bound(level: str, bandwidth: dict[str, float], lanes: int = LANES) -> float:
    """Least ns for a state, sweep and sample: rows moved (seven in L1, three beyond) and table."""
    moved = 28 if level == "L1" else 12
    return (moved + 4 * 5 / lanes) / bandwidth[level]


def main() -> None:
    console = Console(width=110)
    bandwidth = {level: triad_bandwidth(level) for level in SIZES}
    console.print(
        "triad, GB/s, one core: " + ", ".join(f"{k} {v:.0f}" for k, v in bandwidth.items())
    )
    table = Table(title="CPU microseconds a sample; ratio to ours; error in units of the tolerance")
    for heading in ("grid, gamma", "way", "samples", "us", "ratio", "target", "error"):
        table.add_column(heading, justify="left" if heading in ("grid, gamma", "way") else "right")
    results = [compare(table, case, console) for case in range(len(CASES))]
    console.print(table)
    big = plan_of(grid(BIG[0])[0], BIG[1])
    results.append(ours(big, 1))
    rows = Table(
        title="Sweeps: ns a state and sample. A sweep passes over states that cannot have risen: "
        "'update' is\nthe time for a state that was not, 'sweep' that for all, as if every one had "
        "been updated"
    )
    for heading in ("grid, gamma", "sweeps", "updates", "update", "sweep", "bound", "share: update",
                    "sweep", "target", "numba/C", "target"):  # fmt: skip
        rows.add_column(heading, justify="right")
    wanted = {"L1": ">= 20 %", "L3": ">= 40 %", "DRAM": ">= 60 %"}
    levels = ("L1", "L1", "L3", "DRAM")
    for (size, gamma), found, level in zip((*CASES, BIG), results, levels, strict=True):
        least = bound(level, bandwidth)
        nominal = found.nanoseconds * found.rows_share / found.sweeps
        most = {20: "<= 1.35", 100: "<= 1.4"}.get(size, "")
        ratio = ("no gcc" if found.in_c is None else f"{found.in_c:.2f}", most)
        rows.add_row(
            f"{size}x{size} {gamma}", str(found.sweeps), f"{found.rows_share:.1f}",
            f"{found.nanoseconds:.3f}", f"{nominal:.3f}", f"{least:.3f} {level}",
            f"{least / found.nanoseconds:.0%}", f"{least / nominal:.0%}", wanted[level], *ratio,
        )  # fmt: skip
    console.print(rows)
    mine = results[-1]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    console.print(
        f"1000x1000: solve {mine.solve * 1e3:.2f} ms a sample, {ALL} "
        f"{mine.end_to_end * 1e3:.2f} ms; largest memory of this run {memory:.2f} GiB"
    )


if __name__ == "__main__":
    if not ONE_THREAD.items() <= os.environ.items():
        # Numerical libraries read these when they are loaded, which has happened by now.
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ONE_THREAD})
    main()
