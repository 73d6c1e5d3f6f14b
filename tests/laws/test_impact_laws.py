"""What measures of impact say of POWER and of reachability, against every policy listed."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from listed_policies import Listed, random_listed

from offswitch.theory.impact.aup import aup_penalty, aup_reward, power_change
from offswitch.theory.impact.reachability import reachability, reachability_penalty

many = settings(max_examples=40, deadline=None, derandomize=True)
seeds = st.integers(0, 10**6)
discounts = st.sampled_from([0.2, 0.5, 0.9])


@many
@given(seeds, discounts, st.floats(0, 3))
def test_turner_2020_definition_2_the_penalty_is_the_mean_change_of_what_can_be_attained(
    seed, discount, strength
) -> None:
    listed, generator = random_listed(seed), np.random.default_rng(seed)
    auxiliary = generator.uniform(-1, 1, size=(3, 4))
    values = np.array([listed.action_values(goal, discount) for goal in auxiliary])
    expected = np.abs(values - values[:, :, :1]).mean(axis=0)
    found = aup_penalty(listed.mdp, auxiliary, 0, discount=discount)
    assert found == pytest.approx(expected, abs=1e-8, nan_ok=True)
    reward = generator.normal(size=4)
    shaped = np.where(listed.available, reward[:, None] - strength * expected, 0.0)
    assert aup_reward(reward, found, strength=strength) == pytest.approx(shaped, abs=1e-7)
    positive = auxiliary + 2
    scale = np.mean([listed.action_values(goal, discount)[:, 0] for goal in positive], axis=0)
    scaled = aup_penalty(listed.mdp, positive, 0, discount=discount, scaled=True)
    moved = np.array([listed.action_values(goal, discount) for goal in positive])
    expected = np.abs(moved - moved[:, :, :1]).mean(axis=0) / scale[:, None]
    assert scaled == pytest.approx(expected, abs=1e-8, nan_ok=True)


def powers(listed: Listed, goals: np.ndarray, discount: float) -> np.ndarray:
    """[S] POWER over a set of goals `[K, S]`, by Def. 5.2 of Turner et al. 2021."""
    value = (listed.visits(discount) @ goals.T).max(axis=0)
    return (1 - discount) / discount * (value - goals.T).mean(axis=1)


@many
@given(seeds, discounts)
def test_law_the_signed_aup_penalty_is_the_change_of_power_and_the_penalty_at_least_that(
    seed, discount
) -> None:
    """Exactly, and not on average over draws: the goals are all relabellings of one, under which
    every state pays the same on average. One goal estimates it, and its size is biased upward."""
    listed = random_listed(seed)
    goal = np.random.default_rng(seed).uniform(-1, 1, size=4)
    goals = np.array(list(itertools.permutations(goal)))
    ahead = listed.dense @ powers(listed, goals, discount)
    expected = np.where(listed.available, ahead - ahead[:, :1], np.nan)
    signed = power_change(listed.mdp, goals, 0, discount=discount)
    assert signed.mean(axis=0) == pytest.approx(expected, abs=1e-8, nan_ok=True)
    size = aup_penalty(listed.mdp, goals, 0, discount=discount) * (1 - discount) / discount**2
    assert size == pytest.approx(np.abs(signed).mean(axis=0), abs=1e-8, nan_ok=True)
    assert (size >= np.abs(expected) - 1e-8)[listed.available].all()


@many
@given(seeds, discounts)
def test_krakovna_2019_reachability_is_the_best_of_all_policies_expected_discounts_to_arrival(
    seed, discount
) -> None:
    listed = random_listed(seed)
    reach, S = reachability(listed.mdp, discount=discount), len(listed.dense)
    for target in range(S):
        # The chain stops where it arrives: R = chance of arriving next + discount R elsewhere.
        there = np.eye(S)[target]
        chains = listed.chains() * (1 - there)[:, None]
        hits = np.linalg.solve(
            np.eye(S) - discount * chains, np.broadcast_to(there[:, None], (len(chains), S, 1))
        )
        assert reach[:, target] == pytest.approx(hits[:, :, 0].max(axis=0), abs=1e-8)


@many
@given(seeds, discounts)
def test_krakovna_2019_without_chance_reachability_is_the_discount_to_the_distance(
    seed, discount
) -> None:
    listed = random_listed(seed, states=6, chance=False)
    graph = nx.DiGraph([(s, to) for s, _, to in np.argwhere(listed.dense).tolist()])
    graph.add_nodes_from(range(6))
    steps = dict(nx.all_pairs_shortest_path_length(graph))
    expected = [[discount ** steps[s].get(to, np.inf) for to in range(6)] for s in range(6)]
    assert reachability(listed.mdp, discount=discount) == pytest.approx(np.array(expected))


@many
@given(seeds, discounts, st.lists(st.integers(0, 1), min_size=4, max_size=4))
def test_krakovna_2019_only_what_the_agent_does_is_charged_to_it_by_the_stepwise_baseline(
    seed, discount, taken
) -> None:
    """And each penalty is the mean fall below where idling would have led, in [0, 1]."""
    listed = random_listed(seed, states=5, chance=False)
    after = listed.dense.argmax(axis=2)
    path, idled, acts = [0], [0], []
    for wanted in taken:
        acts.append(wanted if listed.available[path[-1], wanted] else 0)
        path.append(int(after[path[-1], acts[-1]]))
        idled.append(int(after[idled[-1], 0]))
    reach = reachability(listed.mdp, discount=discount)
    baselines = {
        "start": [0] * len(taken),
        "inaction": idled[1:],
        "stepwise": [int(after[s, 0]) for s in path[:-1]],
    }
    for baseline, instead in baselines.items():
        found = reachability_penalty(listed.mdp, reach, path, noop=0, baseline=baseline)
        pairs = zip(path[1:], instead, strict=True)
        falls = [np.maximum(reach[then] - reach[now], 0).mean() for now, then in pairs]
        assert found == pytest.approx(np.array(falls), abs=1e-12)
        assert ((found >= 0) & (found <= 1)).all()
        if baseline == "stepwise":
            assert (found[[act == 0 for act in acts]] == 0).all()
        if baseline == "inaction" and not any(acts):
            assert (found == 0).all()
