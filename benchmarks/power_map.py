"""POWER of every state of a grid world with a million states: CPU seconds and memory.

A grid of 1000 x 1000 cells, five actions (stay and four moves; walls reflect), discount 0.99, every
state's 95 % interval within 0.01, one thread. Run: python benchmarks/power_map.py [--side 1000]
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
from rich.console import Console
from rich.table import Table

from offswitch.mdp.batched.executor import Executor
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.power import Power, power

DISCOUNT = 0.99
HALF_WIDTH = 0.01
SEED = 0
MOST_SECONDS, MOST_GIGABYTES = 30, 2


def grid(side: int) -> FiniteMDP:
    """Five actions in every cell; a move into a wall stays."""
    cells = np.arange(side * side).reshape(side, side)
    rows = np.empty((side * side, 5, 4))
    rows[:, :, 0] = cells.reshape(-1, 1)
    rows[:, :, 1] = np.arange(5)
    rows[:, :, 3] = 1.0
    wide = np.pad(cells, 1, mode="edge")
    moves = (wide[1:-1, 1:-1], wide[1:-1, 2:], wide[1:-1, :-2], wide[2:, 1:-1], wide[:-2, 1:-1])
    for action, target in enumerate(moves):
        rows[:, action, 2] = target.reshape(-1)
    return FiniteMDP.from_coo(side * side, 5, rows.reshape(-1, 4))


def peak_gigabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def shown(side: int, found: Power, clock: tuple[float, float, float]) -> Table:
    begun, built, ended = clock
    width = float(np.maximum(found.high - found.estimate, found.estimate - found.low).max())
    table = Table(title=f"POWER map, {side} x {side} cells, discount {DISCOUNT}", min_width=60)
    table.add_column("what")
    table.add_column("measured", justify="right")
    table.add_column("target", justify="right")
    table.add_row("model built, CPU s", f"{built - begun:.1f}", "")
    table.add_row("POWER of all states, CPU s", f"{ended - built:.1f}", "")
    table.add_row("together, CPU s", f"{ended - begun:.1f}", f"< {MOST_SECONDS}")
    table.add_row("peak memory, GB", f"{peak_gigabytes():.2f}", f"< {MOST_GIGABYTES}")
    table.add_row("widest interval +-", f"{width:.4f}", f"<= {HALF_WIDTH}")
    table.add_row("goals", f"{found.n}", "")
    table.add_row("solver error", f"{found.solver_error:.1e}", "")
    table.add_row("POWER, lowest and highest", f"{found.estimate.min():.4f} "
                  f"{found.estimate.max():.4f}", "")  # fmt: skip
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=1000)
    side = parser.parse_args().side
    # Kernels are compiled, or loaded, before the clock starts.
    power(grid(3), discount=DISCOUNT, samples=256, variance_reduction=False)
    power(grid(150), discount=DISCOUNT, samples=256, variance_reduction=False)
    begun = time.process_time()
    mdp = grid(side)
    built = time.process_time()
    found = power(
        mdp, discount=DISCOUNT, half_width=HALF_WIDTH, seed=SEED, executor=Executor(workers=1)
    )
    clock = begun, built, time.process_time()
    Console(width=100).print(shown(side, found, clock))
    Console(width=100).print(found.method)


if __name__ == "__main__":
    main()
