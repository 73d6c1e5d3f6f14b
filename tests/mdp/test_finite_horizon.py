"""A given number of steps: against enumeration, the discounted solver and known answers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from random_processes import KINDS, random_process, random_reward

from offswitch.mdp.finite_horizon import solve_finite_horizon
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.policy import deterministic_policy
from offswitch.mdp.policy_evaluation import evaluate_policy_finite
from offswitch.mdp.solve import solve


@pytest.mark.parametrize("kind", ["sparse", "masked"])
def test_three_steps_are_worth_the_best_of_all_plans(kind):
    mdp = random_process(kind, 1, n_states=2, n_actions=2)
    reward = random_reward(mdp, "act", 1, n_goals=1)
    dense = mdp.matrix.toarray().reshape(2, 2, 2)
    acts = [np.flatnonzero(row) for row in mdp.available]
    best = np.full(2, -np.inf)
    for plan in itertools.product(list(itertools.product(*acts)), repeat=3):
        value = np.zeros(2)
        for chosen in reversed(plan):
            pick = (np.arange(2), np.array(chosen))
            value = reward[0][pick] + 0.8 * dense[pick] @ value
        best = np.maximum(best, value)
    found = solve_finite_horizon(mdp, reward, 3, discount=0.8)
    assert found.value[0, 0] == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_discounted_horizon_tends_to_the_endless_one(kind):
    mdp = random_process(kind, 4)
    reward = random_reward(mdp, "state", 4)
    endless = solve(mdp, reward, 0.9)
    finite = solve_finite_horizon(mdp, reward, 300, discount=0.9)
    assert finite.value[0] == pytest.approx(endless.value, abs=1e-7)


def test_the_last_step_takes_the_best_reward_and_the_horizon_ends_at_nothing():
    mdp = random_process("dense", 0)
    reward = random_reward(mdp, "act", 0, n_goals=3)
    found = solve_finite_horizon(mdp, reward, 4)
    assert found.value.shape == (5, 3, 5)
    assert found.action.shape == (4, 3, 5)
    assert not found.value[4].any()
    assert (found.action[3] == reward.argmax(axis=2)).all()


def test_ties_go_to_the_lowest_available_action():
    mdp = FiniteMDP.from_coo(2, 3, [(0, 1, 1, 1), (0, 2, 1, 1), (1, 0, 1, 1)])
    assert (solve_finite_horizon(mdp, [0.0, -1.0], 5).action[:, 0, 0] == 1).all()


def test_an_unavailable_action_is_not_worth_zero_at_the_last_step():
    loop = FiniteMDP.from_coo(1, 2, [(0, 1, 0, 1.0)])
    assert solve_finite_horizon(loop, [-1.0], 3).value[:, 0, 0].tolist() == [-3, -2, -1, 0]


def test_no_steps_are_worth_nothing():
    loop = FiniteMDP.from_coo(1, 1, [(0, 0, 0, 1.0)])
    assert solve_finite_horizon(loop, [5.0], 0).value.tolist() == [[[0.0]]]


def test_a_constant_choice_evaluates_to_no_more_than_the_optimum():
    mdp = random_process("sparse", 9)
    reward = random_reward(mdp, "act", 9)
    policy = deterministic_policy(mdp, np.zeros(5, dtype=int))
    constant = evaluate_policy_finite(mdp, policy, reward, 6, discount=0.7)
    assert (solve_finite_horizon(mdp, reward, 6, discount=0.7).value[0] >= constant - 1e-12).all()
