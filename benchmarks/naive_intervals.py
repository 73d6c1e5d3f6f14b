"""How often four 95% intervals hold the truth when episodes of a cluster resemble each other.

Wald and Wilson are what a user gets who counts episodes; the other two count clusters, as offswitch
does. Run: python benchmarks/naive_intervals.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from offswitch.statistics.cluster_bootstrap import cluster_bootstrap
from offswitch.statistics.cluster_mean import cluster_measurement
from offswitch.statistics.cluster_t import cluster_t
from offswitch.statistics.wilson import wilson

Interval = Callable[[NDArray[np.int64]], tuple[float, float]]

EPISODES = 20
RHO = 0.3
CLUSTERS = (5, 10, 20, 40)
PROBABILITIES = (0.25, 0.05, 0.01)
DATA_SETS = 1000
SEED = 20


def wald(events: NDArray[np.int64]) -> tuple[float, float]:
    p = events.mean() / EPISODES
    half = 1.959964 * (p * (1 - p) / (len(events) * EPISODES)) ** 0.5
    return p - half, p + half


def house_rule(events: NDArray[np.int64]) -> tuple[float, float]:
    values = (np.arange(EPISODES) < events[:, None]).ravel().astype(float)
    labels = np.repeat(np.arange(len(events)), EPISODES).tolist()
    found = cluster_measurement("p", values, labels, seed=SEED)
    assert found.low is not None and found.high is not None
    return found.low, found.high


def intervals(rng: np.random.Generator) -> dict[str, Interval]:
    return {
        "Wald, all episodes (naive)": wald,
        "Wilson, all episodes (naive)": lambda x: wilson(int(x.sum()), len(x) * EPISODES),
        "cluster-t": lambda x: cluster_t(x / EPISODES),
        "cluster bootstrap": lambda x: cluster_bootstrap(x / EPISODES, rng),
        "offswitch's rule": house_rule,
    }


def data_sets(p: float, K: int, rng: np.random.Generator) -> NDArray[np.int64]:
    strength = (1 - RHO) / RHO
    rates = rng.beta(p * strength, (1 - p) * strength, size=(DATA_SETS, K))
    return rng.binomial(EPISODES, rates)


def coverage(interval: Interval, drawn: NDArray[np.int64], p: float) -> tuple[float, float]:
    """Share of data sets whose interval holds p, and mean width."""
    ends = np.array([interval(events) for events in drawn])
    return float(np.mean((ends[:, 0] <= p) & (p <= ends[:, 1]))), float(np.diff(ends).mean())


def table(p: float, rng: np.random.Generator) -> Table:
    title = f"p = {p:g}: coverage of 95% intervals (mean width), by clusters of {EPISODES} episodes"
    shown = Table(title=title, title_justify="left")
    shown.add_column("interval")
    for K in CLUSTERS:
        shown.add_column(f"K = {K}", justify="right")
    drawn = {K: data_sets(p, K, rng) for K in CLUSTERS}
    for name, interval in intervals(rng).items():
        found = (coverage(interval, drawn[K], p) for K in CLUSTERS)
        shown.add_row(name, *(f"{held:.0%} ({width:.3f})" for held, width in found))
    return shown


def main() -> None:
    console, began, rng = Console(width=100), time.perf_counter(), np.random.default_rng(SEED)
    for p in PROBABILITIES:
        console.print(table(p, rng))
    console.print(
        f"beta-binomial, correlation {RHO} inside a cluster, {DATA_SETS} data sets per cell, seed "
        f"{SEED}: Monte Carlo error up to 1.6 points; {time.perf_counter() - began:.0f} s"
    )


if __name__ == "__main__":
    main()
