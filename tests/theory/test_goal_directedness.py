"""Maximum-entropy goal-directedness: the bandit, an independent maximisation, invariances."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.goal_directedness import (
    goal_directedness,
    goal_directedness_over_features,
)

BANDIT = FiniteMDP.from_coo(1, 2, [(0, 0, 0, 1.0), (0, 1, 0, 1.0)])
BEST_FIRST = [[[1.0, 0.0]]]


def bandit_nats(chance, reward=BEST_FIRST):
    return float(goal_directedness(BANDIT, [[chance, 1 - chance]], reward, 1).nats[0])


def entropy(p):
    return -sum(x * np.log(x) for x in (p, 1 - p) if x > 0)


def random_task(seed, n_states=3, n_actions=2):
    generator = np.random.default_rng(seed)
    dense = generator.dirichlet(np.ones(n_states), size=(n_states, n_actions))
    mdp = FiniteMDP.from_dense(dense, start=generator.dirichlet(np.ones(n_states)))
    policy = generator.dirichlet(np.ones(n_actions), size=n_states)
    return mdp, policy, generator.normal(size=(n_states, n_actions))


def soft_policies(dense, reward, beta, horizon):
    """[H, S, A] the soft-optimal policies, written out state by state."""
    S, A = reward.shape
    value, policies = np.zeros(S), []
    for _ in range(horizon):
        worth = np.array(
            [[beta * reward[s, a] + dense[s, a] @ value for a in range(A)] for s in range(S)]
        )
        policies.insert(0, np.exp(worth) / np.exp(worth).sum(axis=1, keepdims=True))
        value = np.log(np.exp(worth).sum(axis=1))
    return policies


def predictive_accuracy(mdp, policy, reward, beta, horizon):
    """E_pi of sum log pi_beta + log A, over all trajectories (Def. 3.2)."""
    S, A = policy.shape
    dense = mdp.matrix.toarray().reshape(S, A, S)
    soft = soft_policies(dense, reward, beta, horizon)
    total = 0.0
    for path in itertools.product(range(S), range(A), repeat=horizon):
        states, actions = path[::2], path[1::2]
        chance = mdp.start[states[0]]
        for t, (s, a) in enumerate(zip(states, actions, strict=True)):
            chance *= policy[s, a] * (dense[s, a, states[t + 1]] if t + 1 < horizon else 1)
        gain = sum(
            np.log(soft[t][s, a]) + np.log(A)
            for t, (s, a) in enumerate(zip(states, actions, strict=True))
        )
        total += chance * gain
    return total


@pytest.mark.parametrize("chance", [0.8, 0.6, 0.99, 0.2])
def test_a_bandit_has_log_2_less_the_entropy_of_its_choice(chance):
    assert bandit_nats(chance) == pytest.approx(np.log(2) - entropy(chance), abs=1e-9)


def test_a_bandit_at_eighty_percent_has_the_published_number():
    assert bandit_nats(0.8) == pytest.approx(0.192745, abs=5e-7)


def test_a_deterministic_bandit_has_log_2_and_a_uniform_one_nothing():
    assert bandit_nats(1.0) == pytest.approx(np.log(2), abs=1e-9)
    assert bandit_nats(0.0) == pytest.approx(np.log(2), abs=1e-9)
    assert bandit_nats(0.5) == 0


def test_an_agent_that_avoids_a_utility_has_a_negative_beta():
    found = goal_directedness(BANDIT, [[0.2, 0.8]], BEST_FIRST, 1)
    assert found.beta[0] == pytest.approx(-np.log(4))


@pytest.mark.parametrize("seed", range(4))
def test_meg_is_the_best_predictive_accuracy_over_all_trajectories(seed):
    mdp, policy, reward = random_task(seed)
    best = minimize_scalar(
        lambda beta: -predictive_accuracy(mdp, policy, reward, beta, 3), bracket=(-1.0, 1.0)
    )
    found = goal_directedness(mdp, policy, reward[None], 3)
    assert found.nats[0] == pytest.approx(-best.fun, abs=1e-8)
    assert found.beta[0] == pytest.approx(best.x, abs=1e-4)


@pytest.mark.parametrize("horizon", [1, 4])
def test_the_soft_optimal_policy_of_a_utility_has_its_beta(horizon):
    # One state: the soft-optimal policy is the same at every step.
    reward = np.array([[[0.5, -1.0, 2.0]]])
    mdp = FiniteMDP.from_coo(1, 3, [(0, a, 0, 1.0) for a in range(3)])
    policy = np.exp(1.7 * reward[0])
    policy /= policy.sum()
    found = goal_directedness(mdp, policy, reward, horizon)
    assert found.beta[0] == pytest.approx(1.7)
    step = np.log(3) + (policy * np.log(policy)).sum()
    assert found.nats[0] == pytest.approx(horizon * step)


def test_a_deterministic_optimum_attains_the_most_there_is():
    line = FiniteMDP.from_coo(
        4, 2, [(s, a, max(0, min(3, s + 2 * a - 1)), 1.0) for s in range(4) for a in range(2)]
    )
    right = np.tile([0.0, 1.0], (4, 1))
    found = goal_directedness(line, right, [0.0, 0.0, 0.0, 1.0], 3)
    # From 0 in 3 acts the reward of 3 is earned never: only states acted in pay.
    assert found.nats[0] == 0
    found = goal_directedness(line, right, [[0.0, 1.0, 2.0, 4.0]], 4)
    # The last act changes nothing that is paid, so it is predicted as a coin is.
    assert found.most == pytest.approx(4 * np.log(2))
    assert found.nats[0] == pytest.approx(3 * np.log(2), abs=1e-6)


def test_a_state_with_one_action_counts_nothing():
    mdp = FiniteMDP.from_coo(2, 2, [(0, 0, 1, 1), (0, 1, 0, 1), (1, 0, 1, 1)])
    found = goal_directedness(mdp, [[1.0, 0.0], [1.0, 0.0]], [0.0, 1.0], 3)
    assert found.most == pytest.approx(np.log(2))
    assert found.nats[0] == pytest.approx(np.log(2), abs=1e-6)


def test_over_a_set_of_utilities_the_best_is_named():
    mdp, policy, reward = random_task(7)
    found = goal_directedness(mdp, policy, np.stack([reward * 0, reward, reward.round(0)]), 3)
    assert found.nats[0] == 0
    assert found.best == int(found.nats.argmax()) != 0


@pytest.mark.parametrize("seed", range(3))
def test_over_one_feature_it_is_that_of_the_feature_and_more_features_never_predict_less(seed):
    mdp, policy, reward = random_task(seed)
    state = reward[:, :1]
    one = goal_directedness_over_features(mdp, policy, state, 4)
    known = goal_directedness(mdp, policy, state[:, 0], 4)
    assert one.nats == pytest.approx(known.nats[0], abs=1e-6)
    assert one.weights[0] == pytest.approx(known.beta[0], abs=1e-3)
    every = goal_directedness_over_features(mdp, policy, np.eye(3), 4)
    assert every.nats >= known.nats[0] - 1e-6
    assert every.nats <= every.most + 1e-9


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ModelError, match="policy has shape"):
        goal_directedness(BANDIT, [[1.0]], BEST_FIRST, 1)
    with pytest.raises(ModelError, match="horizon"):
        goal_directedness(BANDIT, [[1.0, 0.0]], BEST_FIRST, -1)
    with pytest.raises(ModelError, match="features has shape"):
        goal_directedness_over_features(BANDIT, [[1.0, 0.0]], [[1.0], [2.0]], 1)
