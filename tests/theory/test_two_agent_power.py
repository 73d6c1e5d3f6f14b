"""POWER of two in one process: marginal processes, cases of known sign, fixed policies."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.policy_evaluation import evaluate_policy
from offswitch.mdp.solve import solve
from offswitch.theory.two_agent_power import (
    against,
    best_response_power,
    correlation_over_states,
    two_agent_power,
)

GAMMA = 0.8


def draws(seed, n, n_states):
    generator = np.random.default_rng(seed)
    return generator.random((n, n_states)), generator.random((n, n_states))


def ruled_process(rulers, leaves=3):
    """Hubs, each ruled by 'agent', 'overseer', 'both' or 'nobody', over common absorbing leaves.

    The ruler's action is the leaf that comes next. Under 'both' each of the two leaves chosen comes
    with probability 1/2; under 'nobody' leaf 0 does.
    """
    rows = []
    for hub, ruler in enumerate(rulers):
        for a, b in itertools.product(range(leaves), repeat=2):
            joint = a * leaves + b
            aims = {"agent": [a], "overseer": [b], "both": [a, b], "nobody": [0]}[ruler]
            rows += [(hub, joint, len(rulers) + leaf, 1 / len(aims)) for leaf in aims]
    for leaf in range(len(rulers), len(rulers) + leaves):
        rows += [(leaf, joint, leaf, 1.0) for joint in range(leaves * leaves)]
    return FiniteMDP.from_coo(len(rulers) + leaves, leaves * leaves, rows)


def random_process(seed, n_states=4, own=2, other=3):
    dense = np.random.default_rng(seed).dirichlet(np.ones(n_states), size=(n_states, own * other))
    return FiniteMDP.from_dense(dense)


@pytest.mark.slow
def test_what_a_ruler_can_reach_is_its_power():
    # POWER of a star of k leaves is k / (k + 1), of no choice 1/2 (Turner et al. 2021).
    mdp = ruled_process(["agent", "overseer"])
    found = two_agent_power(mdp, 3, draws(0, 2000, 5), discount=GAMMA)
    assert found.agent[:2] == pytest.approx([3 / 4, 1 / 2], abs=0.02)
    assert found.overseer[:2] == pytest.approx([1 / 2, 3 / 4], abs=0.02)
    assert found.agent[2:] == pytest.approx([1 / 2] * 3, abs=0.02)


def test_contested_states_make_the_correlation_negative():
    mdp = ruled_process(["agent", "overseer", "agent", "overseer"])
    found = two_agent_power(mdp, 3, draws(1, 400, 7), discount=GAMMA)
    low, high = found.correlation.low, found.correlation.high
    assert -1 <= low <= found.correlation.estimate <= high < 0


def test_states_that_leave_both_a_say_make_the_correlation_positive():
    mdp = ruled_process(["both", "nobody", "both", "nobody"])
    found = two_agent_power(mdp, 3, draws(2, 400, 7), discount=GAMMA)
    low, high = found.correlation.low, found.correlation.high
    assert 0.3 < low <= found.correlation.estimate <= high <= 1


def test_shared_goals_give_the_overseer_what_the_agent_can_reach():
    mdp = ruled_process(["agent", "overseer", "nobody"])
    mine = draws(3, 400, 6)[0]
    shared = two_agent_power(mdp, 3, (mine, mine), discount=GAMMA)
    assert shared.overseer == pytest.approx(shared.agent, abs=1e-6)
    assert shared.correlation.estimate == pytest.approx(1.0)
    apart = two_agent_power(mdp, 3, draws(3, 400, 6), discount=GAMMA)
    assert apart.correlation.high < shared.correlation.low


def test_opposed_goals_leave_the_overseer_less_than_unrelated_ones_do():
    mdp = ruled_process(["agent", "agent"])
    mine, theirs = draws(4, 400, 5)
    opposed = two_agent_power(mdp, 3, (mine, 1 - mine), discount=GAMMA)
    unrelated = two_agent_power(mdp, 3, (mine, theirs), discount=GAMMA)
    assert opposed.overseer[0] == pytest.approx(1 / 4, abs=0.03)
    assert unrelated.overseer[0] == pytest.approx(1 / 2, abs=0.03)


@pytest.mark.parametrize("role", ["agent", "overseer"])
@pytest.mark.parametrize("seed", range(3))
def test_the_process_against_a_policy_averages_over_its_actions(seed, role):
    mdp = random_process(seed)
    own, other = (2, 3) if role == "agent" else (3, 2)
    policy = np.random.default_rng(seed).dirichlet(np.ones(other), size=4)
    dense = mdp.matrix.toarray().reshape(4, 2, 3, 4)
    pattern = "sabt,sb->sat" if role == "agent" else "sabt,sa->sbt"
    found = against(mdp, 3, policy, role=role).matrix.toarray().reshape(4, own, 4)
    assert found == pytest.approx(np.einsum(pattern, dense, policy))


@pytest.mark.parametrize("seed", range(3))
def test_the_sample_of_a_draw_is_the_value_of_the_joint_policy(seed):
    mdp = random_process(seed)
    mine, theirs = draws(seed, 5, 4)
    found = two_agent_power(mdp, 3, (mine, theirs), discount=GAMMA)
    for draw in range(5):
        guess = np.full((4, 2), 0.5)
        plan = solve(against(mdp, 3, guess, role="overseer"), theirs[draw], GAMMA).action[0]
        answer = solve(against(mdp, 3, np.eye(3)[plan]), mine[draw], GAMMA).action[0]
        joint = np.eye(6)[answer * 3 + plan]
        value = evaluate_policy(mdp, joint, np.stack([mine[draw], theirs[draw]]), GAMMA)
        unit = (1 - GAMMA) / GAMMA
        assert found.agent_samples[draw] == pytest.approx(unit * (value[0] - mine[draw]), abs=1e-6)
        expected = unit * (value[1] - theirs[draw])
        assert found.overseer_samples[draw] == pytest.approx(expected, abs=1e-6)


def test_power_against_a_fixed_policy_is_that_of_the_process_it_leaves():
    mdp = ruled_process(["both"])
    rewards = draws(5, 2000, 4)[0]
    stubborn = np.eye(3)[[0, 0, 0, 0]]
    found = best_response_power(mdp, 3, stubborn, rewards, discount=GAMMA).mean(axis=0)
    # Half the time leaf 0 comes, worth 1/2; else the best of three.
    assert found[0] == pytest.approx((1 / 2 + 3 / 4) / 2, abs=0.02)


def test_without_an_overseer_it_is_the_agents_own_power():
    mdp = FiniteMDP.from_graph(nx.DiGraph([("hub", f"leaf {n}") for n in range(3)]))
    rewards = draws(6, 50, 4)[0]
    found = best_response_power(mdp, 1, np.ones((4, 1)), rewards, discount=GAMMA)
    assert found[:, 0] == pytest.approx(rewards[:, 1:].max(axis=1), abs=1e-6)


def test_a_correlation_of_what_does_not_vary_is_none():
    found = two_agent_power(ruled_process(["nobody"]), 3, (np.ones((5, 4)),) * 2, discount=GAMMA)
    assert found.correlation == (None, -1.0, 1.0)


def test_the_correlation_is_that_of_pairs_of_different_draws():
    generator = np.random.default_rng(0)
    truth = np.array([0.1, 0.4, 0.5, 0.9])
    agent = truth + generator.normal(size=(12, 4)) / 4
    overseer = truth**2 + generator.normal(size=(12, 4)) / 4
    x, y = (s - s.mean(axis=1, keepdims=True) for s in (agent, overseer))

    def parts(kept):
        pairs = list(itertools.permutations(kept, 2))
        xy, xx, yy = (np.mean([a[i] @ b[j] for i, j in pairs]) for a, b in ((x, y), (x, x), (y, y)))
        return xy, np.sqrt(xx * yy)

    found = correlation_over_states(agent, overseer)
    xy, size = parts(range(12))
    assert found.estimate == pytest.approx(min(xy / size, 1))
    # Fieller's end is where the difference is 2.201 standard errors (Student, 11 degrees of
    # freedom); the resamples, nearer to 0, reach the other way.
    without = np.array([parts([i for i in range(12) if i != out]) for out in range(12)])

    def deviations(end):
        difference = without @ [1, -end]
        error = np.sqrt(11 / 12 * np.sum((difference - difference.mean()) ** 2))
        return (xy - end * size) / error

    assert found.high == 1 or deviations(found.high) <= -2.2009
    assert deviations(found.low) >= 2.2009
    generator = np.random.default_rng(1)
    picks = generator.integers(12, size=(4000, 12))
    again = [
        np.corrcoef(agent[pick].mean(axis=0), overseer[pick].mean(axis=0))[0, 1] for pick in picks
    ]
    assert found.low <= np.quantile(again, 0.025) + 0.03


def test_the_same_seed_gives_the_same_interval_and_another_moves_only_the_interval():
    samples = np.random.default_rng(2).random((2, 30, 5)) + np.linspace(0, 1, 5)
    one, again, other = (correlation_over_states(*samples, seed=seed) for seed in (1, 1, 2))
    assert one == again != other
    assert one.estimate == other.estimate


def test_the_noise_of_means_does_not_pull_the_correlation_to_zero():
    generator = np.random.default_rng(1)
    truth = np.linspace(0, 0.3, 6)
    noise = generator.normal(size=(2, 200, 6))
    plain = np.corrcoef((truth + noise).mean(axis=1))[0, 1]
    found = correlation_over_states(truth + noise[0], truth + noise[1])
    assert plain < found.estimate
    assert found.high == 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 11])
def test_nominal_95_percent_intervals_cover_the_correlation_at_least_that_often(seed):
    pool = two_agent_power(random_process(seed), 3, draws(999, 40_000, 4), discount=GAMMA)
    truth = pool.correlation
    assert truth.high - truth.low < 0.2
    parts = np.split(pool.agent_samples, 200), np.split(pool.overseer_samples, 200)
    found = [correlation_over_states(*pair) for pair in zip(*parts, strict=True)]
    hits = sum(one.low <= truth.estimate <= one.high for one in found)
    assert hits / 200 >= 0.95


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: against(random_process(0), 4, np.ones((4, 4)) / 4), "6 joint actions do not"),
        (lambda: against(random_process(0), 3, np.ones((4, 2)) / 2), "policy has shape"),
        (
            lambda: two_agent_power(random_process(0), 3, draws(0, 1, 4), discount=GAMMA),
            "at least 2",
        ),
        (
            lambda: against(
                FiniteMDP.from_coo(1, 4, [(0, 0, 0, 1), (0, 3, 0, 1)]), 2, [[0.5, 0.5]]
            ),
            "depends on what the other does",
        ),
        (lambda: against(random_process(0), 3, np.ones((4, 3)) / 3, role="boss"), "'boss'"),
    ],
)
def test_what_makes_no_sense_is_refused(make, words):
    with pytest.raises(ModelError, match=words):
        make()
