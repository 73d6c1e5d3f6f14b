"""What policies earn, visit, count and reach, against series, simulation-free identities."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from random_processes import KINDS, random_process, random_reward

from offswitch.errors import ModelError
from offswitch.mdp.hitting import hitting_probability
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.occupancy import expected_counts, occupancy
from offswitch.mdp.policy import deterministic_policy
from offswitch.mdp.policy_evaluation import evaluate_policy, evaluate_policy_finite


def random_policy(mdp: FiniteMDP, seed: int) -> np.ndarray:
    weights = np.random.default_rng(seed).random(mdp.available.shape) * mdp.available
    return weights / weights.sum(axis=1, keepdims=True)


def dense_chain(mdp: FiniteMDP, policy: np.ndarray) -> np.ndarray:
    table = mdp.matrix.toarray().reshape(mdp.n_states, mdp.n_actions, mdp.n_states)
    return np.einsum("sa,sat->st", policy, table)


@pytest.mark.parametrize("kind", KINDS)
def test_a_policy_is_worth_the_sum_of_its_discounted_rewards(kind):
    mdp = random_process(kind, 1)
    policy, reward = random_policy(mdp, 1), random_reward(mdp, "act", 1)
    chain, power = dense_chain(mdp, policy), np.eye(5)
    series = np.zeros((2, 5))
    for step in range(400):
        series += 0.9**step * (policy * reward).sum(axis=2) @ power.T
        power = power @ chain
    assert evaluate_policy(mdp, policy, reward, 0.9) == pytest.approx(series, abs=1e-9)
    assert evaluate_policy_finite(mdp, policy, reward, 400, discount=0.9) == pytest.approx(
        series, abs=1e-9
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("discount", [0.3, 0.99])
def test_occupancy_weighs_rewards_to_the_return_from_the_start(kind, discount):
    mdp = random_process(kind, 2)
    policy, reward = random_policy(mdp, 2), random_reward(mdp, "act", 2)
    visits = occupancy(mdp, policy, discount)
    earned = evaluate_policy(mdp, policy, reward, discount) @ mdp.start
    assert (visits * reward).sum(axis=(1, 2)) == pytest.approx(earned, abs=1e-9)
    assert visits.sum() == pytest.approx(1 / (1 - discount), rel=1e-12)
    assert (visits >= 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_expected_counts_are_the_finite_undiscounted_return(kind):
    mdp = random_process(kind, 3)
    policy, weight = random_policy(mdp, 3), random_reward(mdp, "act", 3)[0]
    counted = evaluate_policy_finite(mdp, policy, weight[None], 7)[0] @ mdp.start
    assert expected_counts(mdp, policy, weight, 7) == pytest.approx(counted, abs=1e-12)
    assert expected_counts(mdp, policy, np.ones_like(weight), 7) == pytest.approx(7)


def test_the_gambler_is_ruined_with_the_textbook_probability():
    p, top = 0.4, 10
    rows = [(0, 0, 0, 1.0), (top, 0, top, 1.0)]
    for state in range(1, top):
        rows += [(state, 0, state + 1, p), (state, 0, state - 1, 1 - p)]
    mdp = FiniteMDP.from_coo(top + 1, 1, rows)
    win = np.arange(top + 1) == top
    ratio = (1 - p) / p
    expected = (1 - ratio ** np.arange(top + 1)) / (1 - ratio**top)
    found = hitting_probability(mdp, np.ones((top + 1, 1)), win)
    assert found == pytest.approx(expected, abs=1e-12)


def test_states_that_can_stay_away_forever_get_the_least_solution():
    # State 0 loops and never tries: any h in [0, 1] solves h = h there, the truth is 0.
    rows = [(0, 0, 0, 1.0), (1, 0, 0, 0.5), (1, 0, 2, 0.5), (2, 0, 0, 1.0), (3, 0, 1, 1.0)]
    mdp = FiniteMDP.from_coo(4, 1, rows)
    target = np.array([False, False, True, False])
    assert hitting_probability(mdp, np.ones((4, 1)), target).tolist() == [0, 0.5, 1, 0.5]


def test_a_policy_that_never_takes_the_way_never_arrives():
    mdp = FiniteMDP.from_coo(2, 2, [(0, 0, 0, 1.0), (0, 1, 1, 1.0), (1, 0, 1, 1.0)])
    target = np.array([False, True])
    stay, go = np.array([[1.0, 0], [1, 0]]), np.array([[0.001, 0.999], [1, 0]])
    assert hitting_probability(mdp, stay, target).tolist() == [0, 1]
    assert hitting_probability(mdp, go, target) == pytest.approx([1, 1], abs=1e-12)
    assert hitting_probability(mdp, go, target, horizon=1) == pytest.approx([0.999, 1])
    assert hitting_probability(mdp, go, target, horizon=0).tolist() == [0, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_reaching_within_many_steps_tends_to_reaching_ever(kind):
    mdp = random_process(kind, 5)
    policy, target = random_policy(mdp, 5), np.arange(5) == 2
    ever = hitting_probability(mdp, policy, target)
    steps = [hitting_probability(mdp, policy, target, horizon=h) for h in (0, 1, 5, 3000)]
    assert ever == pytest.approx(steps[-1], abs=1e-9)
    assert all((later >= sooner - 1e-15).all() for sooner, later in itertools.pairwise(steps))


def test_no_target_is_never_reached():
    mdp = random_process("dense", 6)
    nowhere = np.zeros(5, dtype=bool)
    assert not hitting_probability(mdp, random_policy(mdp, 6), nowhere).any()


def test_a_malformed_policy_lists_every_state_that_is_wrong():
    mdp = FiniteMDP.from_coo(3, 2, [(0, 0, 1, 1.0), (0, 1, 0, 1), (1, 0, 1, 1), (2, 0, 2, 1)])
    with pytest.raises(ModelError) as caught:
        evaluate_policy(mdp, [[0.5, 0.47], [0.5, 0.5], [np.nan, 0.0]], np.ones(3), 0.9)
    text = str(caught.value)
    assert "policy[0] (state 's0') sums to 0.97, expected 1" in text
    assert "policy[1, 1] (state 's1', action 'a1') has probability 0.5 but is unavailable" in text
    assert "policy[2, 0] (state 's2', action 'a0') has probability nan" in text
    assert "3 problems" in text


def test_arguments_of_the_wrong_shape_are_told_the_right_one():
    mdp = random_process("dense", 6)
    policy = random_policy(mdp, 6)
    with pytest.raises(ModelError, match=r"policy has shape \(5,\), expected \[S, A\] = \[5, 3\]"):
        occupancy(mdp, np.zeros(5), 0.9)
    with pytest.raises(ModelError, match=r"weight has shape \(5,\), expected \[S, A\] = \[5, 3\]"):
        expected_counts(mdp, policy, np.ones(5), 3)
    with pytest.raises(ModelError, match=r"targets have shape \(5,\) of int64, expected"):
        hitting_probability(mdp, policy, np.zeros(5, dtype=np.int64))
    with pytest.raises(ModelError, match=r"expected \[S\] = \[5\] whole numbers in \[0, 3\)"):
        deterministic_policy(mdp, [0, 1, 2, 3, 0])
