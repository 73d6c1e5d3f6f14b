"""Processor time to solve processes with chances: ours and its peers, in one run on one thread.

Rewards are U(0, 1) by state, gamma is 0.99. T1: values within 1e-4 / (1 - gamma) of optimal; T2:
within 1e-6. Ours is a certified block of 64 rewards, its certificate included; every peer solves
the same rewards, slow ones only the first few, and the largest difference from our values is shown.
"sup": stops by the largest change; "span": by MacQueen's bounds, with the midpoint added.
pymdptoolbox stops when its policy is good enough, whatever its values: a difference far above the
tolerance is that. JAX and "64, sup" are shown for processes that mix only.

Run: python benchmarks/solver_stochastic.py (peers that are not installed are named and left out).
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from offswitch.mdp.batched.block import solve_block
from offswitch.mdp.batched.lanes import LANES, lane_rows
from offswitch.mdp.batched.plan import plan_solver
from offswitch.mdp.model import FiniteMDP

GAMMA = 0.99
TOLERANCES = {"T1": 1e-4 / (1 - GAMMA), "T2": 1e-6}
SECONDS = 0.5
"""For every peer and process; at least one sample, and the best of what fits."""
MOST_SECONDS = 5.0
"""What takes longer is not repeated, compilation or not."""
SINGLE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_ENABLE_X64": "1",
    "JAX_PLATFORMS": "cpu",
}
TARGETS = {
    ("sparse 1000x5x10", "T2", "scipy CSR, one by one, sup"): 400.0,
    ("sparse 1000x5x10", "T2", "scipy SpMM, 64, span"): 1.7,
    ("dense 64x5x64", "T2", "numpy GEMM, 64, span"): 1 / 1.3,
    ("dense 64x5x64", "T1", "numpy GEMM, 64, span"): 1 / 1.3,
}


class Case(NamedTuple):
    """A process, 64 rewards of it in original order, and how exactly they are to be solved."""

    mdp: FiniteMDP
    reward: NDArray[np.float64]
    """[S, 64]."""
    tolerance: float


Peer = Callable[[Case, int], NDArray[np.float64]]
"""The values `[S, n]` of the first n rewards of a case."""


def sparse_rows(states: NDArray[np.int64], among: NDArray[np.int64], seed: int) -> NDArray[Any]:
    """Rows (s, a, s', p) of 5 actions with 10 successors each, drawn from `among`."""
    generator = np.random.default_rng(seed)
    pair = np.repeat(np.arange(5 * len(states)), 10)
    following = [generator.choice(among, 10, replace=False) for _ in range(5 * len(states))]
    chance = generator.dirichlet(np.ones(10), 5 * len(states))
    return np.column_stack([states[pair // 5], pair % 5, np.ravel(following), chance.ravel()])


def off_switch() -> FiniteMDP:
    """1000 states that mix, one of which is absorbing."""
    everywhere = np.arange(1000)
    staying = [(0, action, 0, 1.0) for action in range(5)]
    return FiniteMDP.from_coo(
        1000, 5, np.vstack([sparse_rows(everywhere[1:], everywhere, 0), staying])
    )


def multichain() -> FiniteMDP:
    """Two closed parts of 400 states, and 200 states that lead to both and to each other."""
    everywhere = np.arange(1000)
    parts = np.split(everywhere, [400, 800])
    ranges = (parts[0], parts[1], everywhere)
    rows = [sparse_rows(part, among, 0) for part, among in zip(parts, ranges, strict=True)]
    return FiniteMDP.from_coo(1000, 5, np.vstack(rows))


def processes() -> Iterator[tuple[str, FiniteMDP]]:
    generator, everywhere = np.random.default_rng(0), np.arange(1000)
    yield (
        "sparse 1000x5x10",
        FiniteMDP.from_coo(1000, 5, sparse_rows(everywhere, everywhere, 0)),
    )
    yield (
        "dense 64x5x64",
        FiniteMDP.from_dense(generator.dirichlet(np.ones(64), size=(64, 5))),
    )
    lake = gymnasium.make("FrozenLake-v1", map_name="8x8")
    yield "FrozenLake 8x8", FiniteMDP.from_gymnasium(lake)
    newest = max(name for name in gymnasium.registry if name.startswith("Taxi-v"))
    yield "Taxi", FiniteMDP.from_gymnasium(gymnasium.make(newest))
    yield "off switch 1000x5x10", off_switch()
    yield "multichain 1000x5x10", multichain()


def swept(case: Case, matrix: Any, reward: NDArray[Any], *, span: bool) -> NDArray[Any]:
    """Plain value iteration of `reward [S, n]`; `matrix [S A, S]` of scipy or numpy."""
    value = np.zeros_like(reward)
    shape = (case.mdp.n_states, case.mdp.n_actions, reward.shape[1])
    gamma = reward.dtype.type(GAMMA)
    while True:
        new = reward + gamma * (matrix @ value).reshape(shape).max(axis=1)
        change = new - value
        low, high = change.min(axis=0), change.max(axis=0)
        value = new
        wrong = (high - low) / 2 if span else np.maximum(high, -low)
        if GAMMA / (1 - GAMMA) * wrong.max() <= case.tolerance:
            break
    return value + GAMMA / (1 - GAMMA) * (low + high) / 2 if span else value


def one_by_one(case: Case, n: int) -> NDArray[np.float64]:
    columns = [swept(case, case.mdp.matrix, case.reward[:, [k]], span=False) for k in range(n)]
    return np.hstack(columns)


def together(case: Case, n: int) -> NDArray[np.float64]:
    return swept(case, case.mdp.matrix, case.reward[:, :n], span=False)


def together_span(case: Case, n: int) -> NDArray[np.float64]:
    return swept(case, case.mdp.matrix, case.reward[:, :n], span=True)


def products(case: Case, n: int) -> NDArray[np.float64]:
    """float32 where ours takes it, float64 otherwise."""
    kind = np.float32 if case.tolerance > 1e-3 else np.float64
    matrix = case.mdp.matrix.toarray().astype(kind)
    return swept(case, matrix, case.reward[:, :n].astype(kind), span=True)


def quantecon(case: Case, n: int, method: str) -> NDArray[np.float64]:
    from quantecon.markov import DiscreteDP

    mdp = case.mdp
    state, action = np.divmod(np.arange(mdp.n_states * mdp.n_actions), mdp.n_actions)
    matrix = sp.csr_matrix(mdp.matrix)
    found = []
    for reward in case.reward.T[:n]:
        problem = DiscreteDP(reward[state], matrix, GAMMA, state, action)
        found.append(problem.solve(method=method, epsilon=case.tolerance, max_iter=100_000).v)
    return np.column_stack(found)


def quantecon_policies(case: Case, n: int) -> NDArray[np.float64]:
    return quantecon(case, n, "policy_iteration")


def quantecon_modified(case: Case, n: int) -> NDArray[np.float64]:
    return quantecon(case, n, "modified_policy_iteration")


def toolbox(case: Case, n: int) -> NDArray[np.float64]:
    from mdptoolbox.mdp import ValueIteration

    mdp = case.mdp
    by_action = [
        sp.csr_matrix(mdp.matrix[action :: mdp.n_actions]) for action in range(mdp.n_actions)
    ]
    found = []
    for reward in case.reward.T[:n]:
        solver = ValueIteration(by_action, reward, GAMMA, epsilon=case.tolerance, max_iter=100_000)
        solver.run()
        found.append(solver.V)
    return np.column_stack(found)


def jax_span(case: Case, n: int) -> NDArray[np.float64]:
    import jax.numpy as jnp

    width = int(np.diff(case.mdp.row_start).max())
    shape = (case.mdp.n_states, case.mdp.n_actions, width)
    follow, chance = np.zeros(shape, np.int32), np.zeros(shape)
    row = np.repeat(np.arange(shape[0] * shape[1]), np.diff(case.mdp.row_start))
    place = np.arange(len(row)) - case.mdp.row_start[row]
    follow.reshape(-1, width)[row, place] = case.mdp.next_state
    chance.reshape(-1, width)[row, place] = case.mdp.probability
    reward = jnp.asarray(case.reward[:, :n])
    return np.asarray(jax_loop()(jnp.asarray(follow), jnp.asarray(chance), reward, case.tolerance))


COMPILED: list[Any] = []


def jax_loop() -> Any:
    """The compiled loop over sweeps, made once."""
    if COMPILED:
        return COMPILED[0]
    import jax
    import jax.numpy as jnp

    @jax.jit
    def solve(follow: Any, chance: Any, reward: Any, tolerance: float) -> Any:
        def sweep(state: Any) -> Any:
            value, _, _ = state
            ahead = sum(
                chance[:, :, k, None] * value[follow[:, :, k]] for k in range(follow.shape[2])
            )
            new = reward + GAMMA * jnp.max(ahead, axis=1)
            change = new - value
            return new, change.min(axis=0), change.max(axis=0)

        def unsettled(state: Any) -> Any:
            return GAMMA / (1 - GAMMA) * jnp.max(state[2] - state[1]) / 2 > tolerance

        wide = jnp.full(reward.shape[1], jnp.inf)
        value, low, high = jax.lax.while_loop(unsettled, sweep, (reward, -wide, wide))
        return value + GAMMA / (1 - GAMMA) * (low + high) / 2

    COMPILED.append(solve)
    return solve


class Entry(NamedTuple):
    run: Peer
    module: str
    """What must be installed."""
    samples: int
    """Solved together, or tried first of a slow peer."""


PEERS = {
    "scipy CSR, one by one, sup": Entry(one_by_one, "scipy", 1),
    "scipy SpMM, 64, sup": Entry(together, "scipy", LANES),
    "scipy SpMM, 64, span": Entry(together_span, "scipy", LANES),
    "numpy GEMM, 64, span": Entry(products, "numpy", LANES),
    "QuantEcon policy iteration": Entry(quantecon_policies, "quantecon", 1),
    "QuantEcon modified p. i.": Entry(quantecon_modified, "quantecon", 1),
    "pymdptoolbox value iteration": Entry(toolbox, "mdptoolbox", 1),
    "JAX gather, 64, span": Entry(jax_span, "jax", LANES),
}


def seconds(run: Callable[[], object]) -> float:
    """The least processor time of a run within the time for a peer, after one that warms up."""
    begun = time.process_time()
    run()
    first = time.process_time() - begun
    if first > MOST_SECONDS:
        return first
    times = []
    while not times or sum(times) < SECONDS / 2:
        begun = time.process_time()
        run()
        times.append(time.process_time() - begun)
    return min(times)


def ours(case: Case) -> tuple[float, NDArray[np.float64]]:
    """Seconds a reward, certificate included, and the values `[S, 64]` in original order."""
    plan = plan_solver(case.mdp, GAMMA, tolerance=case.tolerance)
    reward = lane_rows(plan.n_states, plan.dtype)
    reward[:] = case.reward[plan.order]
    value = solve_block(plan, reward).value[plan.structure.position].astype(np.float64)
    return seconds(lambda: solve_block(plan, reward)) / LANES, value


def left_out(name: str, case: Case, kind: str) -> bool:
    dense = len(case.mdp.next_state) > 0.25 * case.mdp.n_states**2 * case.mdp.n_actions
    if name.startswith("numpy GEMM"):
        return not dense
    # On a process whose span does not shrink all of these take the same sweeps; one is enough.
    slow = name.startswith(("JAX", "scipy SpMM, 64, s")) and not kind.startswith(("spa", "den"))
    return slow and name != "scipy SpMM, 64, span"


def compare(kind: str, level: str, case: Case, table: Table) -> None:
    base, value = ours(case)
    table.add_row(kind, level, "ours, certified", f"{base * 1e6:.1f}", "1", "", str(LANES), "")
    for name, peer in PEERS.items():
        if importlib.util.find_spec(peer.module) is None or left_out(name, case, kind):
            continue
        found: list[NDArray[np.float64]] = []

        def run(peer: Entry = peer, found: list[NDArray[np.float64]] = found) -> None:
            found[:] = [peer.run(case, peer.samples)]

        each = seconds(run) / peer.samples
        difference = np.abs(found[0] - value[:, : peer.samples]).max()
        wanted = TARGETS.get((kind, level, name))
        table.add_row(
            "", "", name, f"{each * 1e6:.1f}", f"{each / base:.2f}",
            "" if wanted is None else f"{wanted:.2f}", str(peer.samples), f"{difference:.1e}",
        )  # fmt: skip


def main() -> None:
    if any(os.environ.get(name) != value for name, value in SINGLE_THREAD.items()):
        # The libraries read these when they are loaded.
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **SINGLE_THREAD})
    warnings.simplefilter("ignore", sp.SparseEfficiencyWarning)  # pymdptoolbox checks its input
    table = Table(title="Processor time per reward, one thread, gamma 0.99")
    for heading in (
        "process",
        "within",
        "solver",
        "µs",
        "x ours",
        "target",
        "samples",
        "difference",
    ):
        words = heading in ("process", "within", "solver")
        table.add_column(heading, justify="left" if words else "right", no_wrap=True)
    for kind, mdp in processes():
        reward = np.random.default_rng(1).random((mdp.n_states, LANES))
        for level, tolerance in TOLERANCES.items():
            compare(kind, level, Case(mdp, reward, tolerance), table)
    console = Console(width=125)
    console.print(table)
    for module in sorted({peer.module for peer in PEERS.values()}):
        if importlib.util.find_spec(module) is None:
            console.print(f"{module} is not installed and was left out.")


if __name__ == "__main__":
    main()
