"""How often 95 % intervals of POWER hold the truth, with variance reduction on and off.

Processes x laws x ways to stop; each cell is the share over repetitions and over the states whose
POWER has to be sampled, against a closed form or an estimate from 256 times as many goals. The last
column is the share of repetitions in which all simultaneous intervals hold.
Run: python benchmarks/power_coverage.py [--repetitions 300]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from offswitch.mdp.model import FiniteMDP
from offswitch.theory.laws.law import RewardLaw
from offswitch.theory.laws.parse import parse_law
from offswitch.theory.power import Power, power

REFERENCE = 2**18
EXACT = 1e-4
"""States whose intervals are narrower than this, or a bound on what was not drawn, are left out."""


class Case(NamedTuple):
    name: str
    mdp: FiniteMDP
    discount: float


def grid(side: int) -> FiniteMDP:
    moves = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))
    last = side - 1
    rows = [
        (y * side + x, a, min(max(y + dy, 0), last) * side + min(max(x + dx, 0), last), 1.0)
        for y in range(side)
        for x in range(side)
        for a, (dy, dx) in enumerate(moves)
    ]
    return FiniteMDP.from_coo(side * side, 5, rows)


def two_rings() -> FiniteMDP:
    """A cycle of 30 states with a shortcut, which no state can leave for good."""
    rows = [(s, 0, (s + 1) % 30, 1.0) for s in range(30)]
    return FiniteMDP.from_coo(30, 2, [*rows, (9, 1, 0, 1.0), (20, 1, 10, 1.0)])


def stars() -> FiniteMDP:
    """A hub that may go to a leaf or wait at a gate, from which there are more leaves."""
    rows = [(0, a, 2 + a, 1.0) for a in range(3)] + [(0, 3, 1, 1.0)]
    rows += [(1, a, 5 + a, 1.0) for a in range(4)] + [(s, 0, s, 1.0) for s in range(2, 9)]
    return FiniteMDP.from_coo(9, 4, rows)


def chance() -> FiniteMDP:
    dense = np.random.default_rng(4).dirichlet(np.full(12, 0.3), size=(12, 3))
    return FiniteMDP.from_dense(dense)


def cases() -> Iterator[Case]:
    yield Case("grid 6 x 6", grid(6), 0.9)
    yield Case("grid 6 x 6", grid(6), 0.99)
    yield Case("stars", stars(), 0.9)
    yield Case("random, chance", chance(), 0.9)
    yield Case("two rings", two_rings(), 0.99)


def truth(case: Case, law: RewardLaw) -> Power:
    return power(case.mdp, discount=case.discount, rewards=law, samples=REFERENCE, seed=10**9)


def cell(
    case: Case, law: RewardLaw, amount: dict[str, float | bool], repetitions: int
) -> tuple[float, float, float]:
    """Pointwise coverage, simultaneous coverage, mean number of goals."""
    exact = truth(case, law)
    sampled = exact.high - exact.low > 4 * exact.solver_error + 1e-12
    inside, together, goals = [], [], []
    for seed in range(repetitions):
        found = power(case.mdp, discount=case.discount, rewards=law, seed=seed, **amount)
        held = (found.low <= exact.estimate) & (exact.estimate <= found.high)
        inside.append(held[sampled].mean())
        all_of = (found.simultaneous_low <= exact.high) & (exact.low <= found.simultaneous_high)
        together.append(all_of.all())
        goals.append(found.n)
    return float(np.mean(inside)), float(np.mean(together)), float(np.mean(goals))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=300)
    repetitions = parser.parse_args().repetitions
    console, begun = Console(width=110), time.process_time()
    table = Table(title=f"Coverage of 95 % intervals, {repetitions} repetitions")
    for name in ("process", "discount", "law", "stop", "goals", "pointwise", "all at once"):
        table.add_column(name, justify="left" if name in ("process", "law") else "right")
    for case in cases():
        for law in ("uniform", "beta:2,5", "sparse:0.02", "sparse:0.005", "beta:0.05,5"):
            half_width = 0.006 if law.startswith("sparse") else 0.002
            stops: tuple[dict[str, float | bool], ...] = (
                {"samples": 1280},
                {"half_width": half_width},
                {"samples": 1280, "variance_reduction": False},
            )
            for amount in stops:
                held, together, goals = cell(case, parse_law(law), amount, repetitions)
                stop = " ".join(f"{key} {value:g}" for key, value in amount.items())
                table.add_row(
                    case.name, f"{case.discount:g}", law, stop, f"{goals:.0f}", f"{held:.1%}",
                    f"{together:.1%}",
                )  # fmt: skip
    console.print(table)
    error = (0.95 * 0.05 / repetitions) ** 0.5
    console.print(
        f"Monte Carlo error up to {error:.1%} (states of a process are not independent); "
        f"{time.process_time() - begun:.0f} CPU s"
    )


if __name__ == "__main__":
    main()
