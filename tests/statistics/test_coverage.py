"""How often 95% intervals hold the truth where episodes of a cluster resemble each other.

Episodes are beta-binomial: 20 per cluster, correlation 0.3. The naive intervals take all episodes
to be independent. Tolerances: the Monte Carlo error of a coverage near 0.9 from 4000 data sets is
0.005, from 1000 is 0.010; three of them, and half a point of rounding in the table.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from offswitch.statistics.cluster_bootstrap import cluster_bootstrap
from offswitch.statistics.cluster_mean import cluster_measurement
from offswitch.statistics.cluster_t import cluster_t
from offswitch.statistics.wilson import wilson

pytestmark = pytest.mark.slow

EPISODES = 20


def events(p: float, rho: float, K: int, sets: int, seed: int) -> NDArray[np.int64]:
    """Events per cluster, `[sets, K]`, of 20 episodes each; mean p, correlation rho."""
    rng = np.random.default_rng(seed)
    strength = (1 - rho) / rho
    return rng.binomial(EPISODES, rng.beta(p * strength, (1 - p) * strength, size=(sets, K)))


@pytest.mark.parametrize(("K", "covers"), [(5, 0.89), (10, 0.92), (20, 0.94), (40, 0.94)])
def test_cluster_t_covers_as_the_plan_says(K: int, covers: float) -> None:
    means = events(0.25, 0.3, K, 4000, seed=K) / EPISODES
    held = [low <= 0.25 <= high for low, high in map(cluster_t, means)]
    assert np.mean(held) == pytest.approx(covers, abs=0.02)


@pytest.mark.parametrize(("K", "covers"), [(5, 0.83), (10, 0.88), (20, 0.92), (40, 0.95)])
def test_the_cluster_bootstrap_covers_as_the_plan_says(K: int, covers: float) -> None:
    rng = np.random.default_rng(99)
    means = events(0.25, 0.3, K, 1000, seed=K) / EPISODES
    held = [low <= 0.25 <= high for low, high in (cluster_bootstrap(m, rng) for m in means)]
    assert np.mean(held) == pytest.approx(covers, abs=0.035)


@pytest.mark.parametrize("K", [5, 10, 20, 40])
def test_naive_intervals_hold_the_truth_only_half_of_the_time(K: int) -> None:
    totals = events(0.25, 0.3, K, 1000, seed=K).sum(axis=1)
    held = [low <= 0.25 <= high for low, high in (wilson(t, K * EPISODES) for t in totals)]
    assert 0.48 < np.mean(held) < 0.61


@pytest.mark.parametrize("K", [5, 10, 20, 40])
@pytest.mark.parametrize("p", [0.01, 0.05, 0.25])
def test_the_rule_of_the_house_holds_rare_events_too(p: float, K: int) -> None:
    """Plain t and bootstrap hold a probability of 1% as rarely as 23% of the time at K = 5."""
    clusters = np.repeat(np.arange(K), EPISODES)
    held = []
    for counts in events(p, 0.3, K, 400, seed=K):
        values = (np.tile(np.arange(EPISODES), (K, 1)) < counts[:, None]).ravel().astype(float)
        found = cluster_measurement("sr", values, clusters, seed=1)  # type: ignore[arg-type]
        assert found.low is not None and found.high is not None
        held.append(found.low <= p <= found.high)
    assert np.mean(held) > 0.87


def test_plain_intervals_would_miss_rare_events_most_of_the_time() -> None:
    means = events(0.01, 0.3, 5, 1000, seed=5) / EPISODES
    assert np.mean([high >= 0.01 for _, high in map(cluster_t, means)]) < 0.3
