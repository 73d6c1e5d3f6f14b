"""Closed forms and propositions about POWER and optimality, each by its name.

Estimates are compared at 99.99 %, so that a hundred seeded checks stay quiet and a wrong formula
does not.
"""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest

from offswitch.mdp.model import FiniteMDP
from offswitch.theory.convergence import convergence
from offswitch.theory.power import power, power_samples
from offswitch.theory.reward_draws import sample_rewards

DISCOUNTS = (0.1, 0.5, 0.9, 0.99)
LEVEL = 0.9999


def process(*edges: tuple[str, str]) -> FiniteMDP:
    """The deterministic process of a graph; the first node named is the start."""
    return FiniteMDP.from_graph(nx.DiGraph(list(edges)))


def star(leaves: int) -> FiniteMDP:
    return process(*(("hub", f"leaf {n}") for n in range(leaves)))


def random_process(seed: int) -> FiniteMDP:
    generator = np.random.default_rng(seed)
    dense = generator.dirichlet(np.full(5, 0.3), size=(5, 3))
    dense[1, 2] = 0
    return FiniteMDP.from_dense(dense)


def assert_power(mdp: FiniteMDP, discount: float, expected: dict[str, float], seed: int = 0):
    found = power(mdp, discount=discount, samples=2000, seed=seed, level=LEVEL)
    for name, value in expected.items():
        state = mdp.state_names.index(name)
        assert found.low[state] <= value <= found.high[state], (name, found.estimate[state], value)
        assert found.high[state] - found.low[state] < 0.06


@pytest.mark.parametrize("discount", DISCOUNTS)
def test_power_without_choice_is_one_half(discount):
    assert_power(process(("alone", "alone")), discount, {"alone": 1 / 2})
    cycle = process(("a", "b"), ("b", "c"), ("c", "a"))
    assert_power(cycle, discount, {"a": 1 / 2, "b": 1 / 2, "c": 1 / 2})


@pytest.mark.parametrize("discount", DISCOUNTS)
@pytest.mark.parametrize("leaves", [1, 2, 5])
def test_power_of_a_star_is_k_over_k_plus_1_and_of_its_leaves_one_half(leaves, discount):
    assert_power(star(leaves), discount, {"hub": leaves / (leaves + 1), "leaf 0": 1 / 2})


@pytest.mark.parametrize("discount", DISCOUNTS)
def test_power_of_a_complete_graph_with_loops_is_n_over_n_plus_1(discount):
    nodes = "abcd"
    mdp = process(*((a, b) for a in nodes for b in nodes))
    assert_power(mdp, discount, dict.fromkeys(nodes, 4 / 5))


@pytest.mark.parametrize("discount", DISCOUNTS)
def test_power_of_turners_figure_3(discount):
    mdp = process(("sw", "sw"), ("sw", "nw"), ("nw", "sw"))
    stay = (2 / 3 + discount / 2) / (1 + discount)
    assert_power(mdp, discount, {"sw": stay, "nw": (1 - discount) / 2 + discount * stay})


@pytest.mark.parametrize("discount", DISCOUNTS)
def test_power_of_staying_or_leaving_for_good_is_two_thirds(discount):
    assert_power(process(("se", "se"), ("se", "ne"), ("ne", "ne")), discount, {"se": 2 / 3})


@pytest.mark.parametrize("discount", DISCOUNTS)
@pytest.mark.parametrize("steps", [1, 3])
def test_power_of_forced_steps_before_a_star(steps, discount):
    path = [f"step {n}" for n in range(steps)] + ["hub"]
    edges = [*itertools.pairwise(path), *(("hub", f"leaf {n}") for n in range(3))]
    expected = (1 - discount**steps) / 2 + discount**steps * 3 / 4
    assert_power(process(*edges), discount, {"step 0": expected})


@pytest.mark.parametrize("discount", DISCOUNTS)
@pytest.mark.parametrize("leaves", [1, 4])
def test_shutdown_before_a_hub_is_optimal_as_often_as_the_closed_form_says(leaves, discount):
    edges = [("s", "off"), ("s", "hub"), *(("hub", f"leaf {n}") for n in range(leaves))]
    mdp = process(*edges)
    square = (
        (1 - discount) ** 2 / 3
        + discount * (1 - discount) * leaves / (leaves + 1)
        + discount**2 * leaves / (leaves + 2)
    )
    assert_power(mdp, discount, {"s": (1 + square) / 2})
    survive = np.zeros(mdp.available.shape, dtype=bool)
    survive[0, 1] = True
    rewards = sample_rewards(mdp, 1500, seed=2)
    share = convergence(mdp, rewards, survive, discount=discount, level=LEVEL)
    stopped = (1 + discount) / 2 - discount * leaves / (leaves + 1)
    assert share.low <= 1 - stopped <= share.high
    assert share.missing == 0


@pytest.mark.parametrize("discount", [0.1, 0.9])
@pytest.mark.parametrize("leaves", [1, 2, 3, 5, 9])
def test_avoiding_shutdown_is_needed_by_k_of_k_plus_1_goals(leaves, discount):
    mdp = star(leaves + 1)  # leaf 0 is the shutdown
    survive = np.zeros(mdp.available.shape, dtype=bool)
    survive[0, 1:] = True
    rewards = sample_rewards(mdp, 1500, seed=leaves)
    share = convergence(mdp, rewards, survive, discount=discount, level=LEVEL)
    assert share.low <= leaves / (leaves + 1) <= share.high
    assert share.high - share.low < 0.11
    # Not only the share: goal by goal it is whether some other leaf pays more.
    assert share.estimate == np.mean(rewards[:, 2:].max(axis=1) > rewards[:, 1])


@pytest.mark.parametrize("leaves", [1, 3])
def test_power_under_bernoulli_rewards_is_the_chance_that_some_leaf_pays(leaves):
    mdp = star(leaves)
    draws = (np.random.default_rng(0).random((4000, mdp.n_states)) < 0.5).astype(float)
    found = power_samples(mdp, draws, 0.9)
    assert found.value[:, 0] == pytest.approx(draws[:, 1:].max(axis=1), abs=found.solver_error)
    assert found.value[:, 0].mean() == pytest.approx(1 - 2.0**-leaves, abs=0.03)


@pytest.mark.parametrize("seed", range(4))
def test_an_affine_change_of_rewards_changes_power_in_the_same_way(seed):
    mdp = random_process(seed)
    rewards = sample_rewards(mdp, 20, seed)
    plain = power_samples(mdp, rewards, 0.9)
    changed = power_samples(mdp, 3 * rewards - 7, 0.9)
    slack = 3 * plain.solver_error + changed.solver_error
    assert changed.value == pytest.approx(3 * plain.value - 7, abs=slack)


@pytest.mark.parametrize("seed", range(4))
def test_relabelling_states_and_actions_relabels_power(seed):
    mdp = random_process(seed)
    generator = np.random.default_rng(seed)
    states, actions = generator.permutation(5), generator.permutation(3)
    dense = mdp.matrix.toarray().reshape(5, 3, 5)
    relabelled = FiniteMDP.from_dense(dense[states][:, actions][:, :, states])
    rewards = sample_rewards(mdp, 20, seed)
    plain = power_samples(mdp, rewards, 0.9)
    moved = power_samples(relabelled, rewards[:, states], 0.9)
    slack = plain.solver_error + moved.solver_error
    assert moved.value == pytest.approx(plain.value[:, states], abs=slack)


@pytest.mark.parametrize("seed", range(4))
def test_duplicating_an_action_changes_nothing(seed):
    mdp = random_process(seed)
    dense = mdp.matrix.toarray().reshape(5, 3, 5)
    doubled = FiniteMDP.from_dense(np.concatenate([dense, dense[:, :1]], axis=1))
    rewards = sample_rewards(mdp, 20, seed)
    plain, twice = power_samples(mdp, rewards, 0.9), power_samples(doubled, rewards, 0.9)
    assert twice.value.tolist() == plain.value.tolist()


@pytest.mark.parametrize("seed", range(4))
def test_one_more_action_never_lowers_power(seed):
    mdp = random_process(seed)
    dense = mdp.matrix.toarray().reshape(5, 3, 5)
    more = np.random.default_rng(seed).dirichlet(np.ones(5), size=(5, 1))
    wider = FiniteMDP.from_dense(np.concatenate([dense, more], axis=1))
    rewards = sample_rewards(mdp, 50, seed)
    few, many = power_samples(mdp, rewards, 0.9), power_samples(wider, rewards, 0.9)
    assert (many.value >= few.value - few.solver_error - many.solver_error).all()
    assert many.value.mean() > few.value.mean() + 0.001


@pytest.mark.parametrize("discount", DISCOUNTS)
@pytest.mark.parametrize("seed", range(2))
def test_proposition_5_4_power_lies_between_the_mean_and_the_best_reward(seed, discount):
    mdp = random_process(seed)
    found = power(mdp, discount=discount, samples=1000, seed=seed, level=LEVEL)
    assert (found.high >= 1 / 2).all()
    assert (found.low <= 5 / 6).all()
    rewards = sample_rewards(mdp, 100, seed)
    samples = power_samples(mdp, rewards, discount)
    assert (samples.value <= rewards.max(axis=1)[:, None] + samples.solver_error).all()


@pytest.mark.parametrize("discount", DISCOUNTS)
def test_proposition_5_5_neighbours_that_can_return_differ_by_at_most_1_minus_gamma(discount):
    line = nx.path_graph(6).to_directed()
    mdp = FiniteMDP.from_graph(line)
    found = power(mdp, discount=discount, samples=300, seed=0)
    gaps = np.abs(np.diff(found.estimate))
    # True of each reward's sample as well, so no sampling error enters.
    assert (gaps <= 1 - discount + 2 * found.solver_error).all()
