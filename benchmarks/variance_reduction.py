"""What spreading goals evenly and correcting by controls saves, for equally many solves.

POWER on a 10 x 10 grid with five actions: the variance of the estimate from independent goals over
its variance under each scheme, averaged over states. The pilot of the controls counts as solves.
Run: python benchmarks/variance_reduction.py [--repetitions 60]
"""

from __future__ import annotations

import argparse
import time
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from offswitch.mdp.model import FiniteMDP
from offswitch.theory.power import power
from offswitch.theory.sampling import schemes

SIDE = 10
SOLVES = 1280
DISCOUNTS = (0.5, 0.9, 0.99, 0.999)
REFERENCE = 2**17
WANTED = 3.0


def grid(side: int) -> FiniteMDP:
    moves, last = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)), side - 1
    rows = [
        (y * side + x, a, min(max(y + dy, 0), last) * side + min(max(x + dx, 0), last), 1.0)
        for y in range(side)
        for x in range(side)
        for a, (dy, dx) in enumerate(moves)
    ]
    return FiniteMDP.from_coo(side * side, 5, rows)


def squared_error(
    mdp: FiniteMDP, discount: float, truth: NDArray[np.float64], repetitions: int, reduced: bool
) -> tuple[float, float]:
    """Mean squared error over states and repetitions, and CPU milliseconds of one estimate."""
    begun = time.process_time()
    errors = [
        (
            power(
                mdp, discount=discount, samples=SOLVES, seed=seed, variance_reduction=reduced
            ).estimate
            - truth
        )
        ** 2
        for seed in range(repetitions)
    ]
    return float(np.mean(errors)), (time.process_time() - begun) / repetitions * 1e3


def row(mdp: FiniteMDP, discount: float, repetitions: int) -> list[str]:
    truth = power(mdp, discount=discount, samples=REFERENCE, seed=10**9).estimate
    plain, plain_ms = squared_error(mdp, discount, truth, repetitions, reduced=False)
    both, both_ms = squared_error(mdp, discount, truth, repetitions, reduced=True)
    with mock.patch.object(schemes, "SOBOL_DIMENSIONS", 0):
        strata, _ = squared_error(mdp, discount, truth, repetitions, reduced=True)
    return [
        f"{discount:g}", f"{plain / strata:.1f}", f"{plain / both:.1f}", f">= {WANTED:g}",
        f"{plain_ms:.1f}", f"{both_ms:.1f}",
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=60)
    repetitions = parser.parse_args().repetitions
    table = Table(title=f"Variance of {SOLVES} independent goals over that of each scheme")
    for name in (
        "discount", "stratified", "Sobol + controls", "target", "independent, ms",
        "Sobol + controls, ms",
    ):  # fmt: skip
        table.add_column(name, justify="right")
    mdp = grid(SIDE)
    for discount in DISCOUNTS:
        table.add_row(*row(mdp, discount, repetitions))
    console = Console(width=100)
    console.print(table)
    console.print(
        f"{SIDE} x {SIDE} grid, {repetitions} repetitions: ratios to some "
        f"{100 * 2 / repetitions**0.5:.0f} %, less for being means over states; CPU milliseconds"
    )


if __name__ == "__main__":
    main()
