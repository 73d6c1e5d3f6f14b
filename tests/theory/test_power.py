"""POWER as an estimate: its interval, its memory, its arguments."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from offswitch.errors import ModelError, StatisticsError
from offswitch.mdp.model import FiniteMDP
from offswitch.theory import power as power_module
from offswitch.theory.power import power, power_samples
from offswitch.theory.reward_draws import sample_rewards


def star(leaves: int) -> FiniteMDP:
    return FiniteMDP.from_graph(nx.DiGraph([("hub", f"leaf {n}") for n in range(leaves)]))


def test_the_same_seed_gives_the_same_numbers_and_another_seed_does_not():
    first, again, other = (power(star(3), discount=0.9, samples=50, seed=s) for s in (1, 1, 2))
    assert first.estimate.tolist() == again.estimate.tolist()
    assert first.high.tolist() == again.high.tolist()
    assert first.estimate.tolist() != other.estimate.tolist()


def test_the_numbers_do_not_depend_on_the_batches(monkeypatch):
    whole = power(star(3), discount=0.9, samples=101, seed=1)
    monkeypatch.setattr(power_module, "BATCH_ENTRIES", 7 * 4 * 3)
    pieces = power(star(3), discount=0.9, samples=101, seed=1)
    assert pieces.estimate == pytest.approx(whole.estimate, abs=1e-12)
    assert pieces.low == pytest.approx(whole.low, abs=1e-12)


def test_the_interval_is_normal_about_the_mean_of_the_samples():
    mdp = star(4)
    samples = power_samples(mdp, sample_rewards(mdp, 200, seed=3), 0.8)
    found = power(mdp, discount=0.8, samples=200, seed=3, level=0.9)
    half = 1.6448536 * samples.value.std(axis=0, ddof=1) / np.sqrt(200) + found.solver_error
    assert found.estimate == pytest.approx(samples.value.mean(axis=0), abs=1e-12)
    assert found.high - found.estimate == pytest.approx(half, rel=1e-6)
    assert found.estimate - found.low == pytest.approx(half, rel=1e-6)
    assert found.n == 200


@pytest.mark.slow
def test_nominal_95_percent_intervals_cover_the_truth_about_that_often():
    truth, hits = 3 / 4, 0
    for seed in range(200):
        found = power(star(3), discount=0.9, samples=60, seed=seed)
        hits += found.low[0] <= truth <= found.high[0]
    assert 180 <= hits <= 198


def test_the_solver_error_widens_the_interval_and_stays_small():
    for discount in (0.01, 0.5, 0.99, 0.9999):
        found = power(star(3), discount=discount, samples=10, seed=0)
        assert 0 < found.solver_error < 2e-6


def test_intervals_stay_within_0_and_1():
    loop = FiniteMDP.from_coo(1, 1, [(0, 0, 0, 1.0)])
    for seed in range(20):
        found = power(loop, discount=0.5, samples=2, seed=seed, level=0.999)
        assert 0 <= found.low[0] <= found.estimate[0] <= found.high[0] <= 1


def test_arguments_that_make_no_sense_are_refused():
    with pytest.raises(ModelError, match="samples is 1, expected at least 2"):
        power(star(2), discount=0.9, samples=1, seed=0)
    with pytest.raises(ModelError, match="discount is 1, expected"):
        power(star(2), discount=1.0, seed=0)
    with pytest.raises(StatisticsError, match="level is 95"):
        power(star(2), discount=0.9, seed=0, level=95)
    with pytest.raises(ModelError, match="n is 0, expected at least 1"):
        sample_rewards(star(2), 0, seed=0)
    with pytest.raises(ModelError, match=r"rewards have shape \(3,\)"):
        power_samples(star(2), np.ones(3), 0.9)
    with pytest.raises(ModelError, match="is nan, expected a finite"):
        power_samples(star(2), np.full((1, 3), np.nan), 0.9)
