"""How often 95 % intervals of POWER hold the truth, with variance reduction on and off.

Processes x laws x ways to stop; each cell is the share over repetitions and over the states whose
POWER has to be sampled, against an estimate from 256 times as many goals, with its standard error
over repetitions. Beside it the same for differences between every such state and the next, and the
share of repetitions in which all simultaneous intervals hold.
Run: python benchmarks/power_coverage.py [--repetitions 300] [--first-seed 0] [--only stars]
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


class Coverage(NamedTuple):
    """Shares of repetitions, and their standard errors."""

    goals: float
    pointwise: float
    error: float
    differences: float
    differences_error: float
    together: float


def cell(case: Case, law: RewardLaw, amount: dict[str, float | bool], seeds: range) -> Coverage:
    exact = truth(case, law)
    sampled = ~exact.known
    pairs = [(int(s), (int(s) + 1) % len(sampled)) for s in np.flatnonzero(sampled)]
    inside: list[float] = []
    between: list[float] = []
    together, goals = [], []
    for seed in seeds:
        found = power(case.mdp, discount=case.discount, rewards=law, seed=seed, **amount)
        held = (found.low <= exact.estimate) & (exact.estimate <= found.high)
        inside.append(float(held[sampled].mean()))
        between.append(float(np.mean([_difference_held(found, exact, *pair) for pair in pairs])))
        all_of = (found.simultaneous_low <= exact.high) & (exact.low <= found.simultaneous_high)
        together.append(all_of.all())
        goals.append(found.n)
    return Coverage(
        float(np.mean(goals)), float(np.mean(inside)), _error(inside), float(np.mean(between)),
        _error(between), float(np.mean(together)),
    )  # fmt: skip


def _difference_held(found: Power, exact: Power, state: int, other: int) -> bool:
    gap = found.difference(state, other)
    assert gap.low is not None
    assert gap.high is not None
    true = float(exact.estimate[state] - exact.estimate[other])
    return bool(gap.low <= true <= gap.high)


def _error(shares: list[float]) -> float:
    return float(np.std(shares) / np.sqrt(len(shares)))


def row(name: str, amount: dict[str, float | bool], found: Coverage) -> list[str]:
    stop = " ".join(f"{key} {value:g}" for key, value in amount.items() if value is not False)
    return [
        name,
        stop.replace("half_width", "half-width"),
        "no" if amount.get("variance_reduction") is False else "yes",
        f"{found.goals:.0f}",
        f"{found.pointwise:.1%} ± {found.error:.1%}",
        f"{found.differences:.1%} ± {found.differences_error:.1%}",
        f"{found.together:.1%}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=300)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--only", default="", help="part of the name of the cells wanted")
    asked = parser.parse_args()
    seeds = range(asked.first_seed, asked.first_seed + asked.repetitions)
    console, begun = Console(width=130), time.process_time()
    table = Table(title=f"Coverage of 95 % intervals, {len(seeds)} repetitions")
    for name in ("cell", "stop", "reduced", "goals", "pointwise", "differences", "all at once"):
        table.add_column(name, justify="left" if name in ("cell", "stop") else "right")
    for case in cases():
        for law in ("uniform", "beta:2,5", "sparse:0.02", "sparse:0.005", "beta:0.05,5"):
            half_width = 0.006 if law.startswith("sparse") else 0.002
            name = f"{case.name}, {case.discount:g}, {law}"
            stops: tuple[dict[str, float | bool], ...] = (
                {"samples": 1280},
                {"half_width": half_width},
                {"samples": 1280, "variance_reduction": False},
            )
            for amount in stops if asked.only in name else ():
                table.add_row(*row(name, amount, cell(case, parse_law(law), amount, seeds)))
    console.print(table)
    console.print(f"{time.process_time() - begun:.0f} CPU s")


if __name__ == "__main__":
    main()
