"""The discounted solver against the exact optimum, linear programming and hand-made cases."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_processes import KINDS, random_process, random_reward
from rational import rational_optimum
from scipy.optimize import linprog

from offswitch.errors import ModelError
from offswitch.mdp.action_values import action_values
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.policy import deterministic_policy
from offswitch.mdp.policy_evaluation import evaluate_policy
from offswitch.mdp.policy_iteration import iterate_policies
from offswitch.mdp.solve import solve
from offswitch.mdp.task import checked_task

DISCOUNTS = (0.5, 0.9, 0.99, 0.9999, 1 - 1e-7)


def by_action(mdp, reward):
    wide = reward if reward.ndim == 3 else reward[:, :, None]
    return np.broadcast_to(wide, (len(reward), mdp.n_states, mdp.n_actions))


@pytest.mark.parametrize("discount", DISCOUNTS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_true_error_never_exceeds_the_certificate(kind, discount):
    for seed in range(2):
        mdp = random_process(kind, seed)
        reward = random_reward(mdp, ("state", "act")[seed], seed)
        found = solve(mdp, reward, discount)
        assert (found.error <= 1e-8).all()
        for goal, table in enumerate(by_action(mdp, reward)):
            truth = rational_optimum(mdp, table, discount)
            worst = max(
                abs(Fraction(float(v)) - t) for v, t in zip(found.value[goal], truth, strict=True)
            )
            assert worst <= Fraction(float(found.error[goal]))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.sampled_from(KINDS),
    st.integers(0, 10**6),
    st.floats(0.01, 0.9999),
    st.sampled_from([1e-3, 1.0, 1e3]),
    st.sampled_from([1e-2, 1e-6]),
)
def test_the_certificate_holds_whatever_scale_discount_and_tolerance(
    kind, seed, discount, scale, tolerance
):
    mdp = random_process(kind, seed, n_states=4, n_actions=2)
    reward = scale * random_reward(mdp, "act", seed, n_goals=1)
    found = solve(mdp, reward, discount, tolerance=tolerance)
    truth = np.array([float(t) for t in rational_optimum(mdp, reward[0], discount)])
    rounding = 1e-15 * np.abs(truth).max()
    assert np.abs(found.value[0] - truth).max() <= found.error[0] + rounding
    assert found.error[0] <= tolerance


@pytest.mark.parametrize("kind", KINDS)
def test_values_agree_with_linear_programming(kind):
    mdp = random_process(kind, 7, n_states=12)
    reward = random_reward(mdp, "act", 7, n_goals=1)
    kept = mdp.available.ravel()
    owner = np.repeat(np.eye(12), mdp.n_actions, axis=0)
    bound = linprog(
        np.ones(12),
        A_ub=(0.9 * mdp.matrix.toarray() - owner)[kept],
        b_ub=-reward[0].ravel()[kept],
        bounds=(None, None),
    )
    assert solve(mdp, reward, 0.9).value[0] == pytest.approx(bound.x, abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("discount", [0.9, 0.9999])
def test_the_returned_actions_earn_the_returned_values(kind, discount):
    mdp = random_process(kind, 3, n_states=8)
    reward = random_reward(mdp, "act", 3)
    found = solve(mdp, reward, discount)
    for goal in range(len(reward)):
        policy = deterministic_policy(mdp, found.action[goal])
        earned = evaluate_policy(mdp, policy, reward, discount)[goal]
        allowance = found.error[goal] + found.tie[goal] / (1 - discount) + 1e-7
        assert earned == pytest.approx(found.value[goal], abs=allowance)


def test_both_methods_find_the_same_values():
    mdp = random_process("sparse", 11, n_states=40)
    reward = random_reward(mdp, "state", 11)
    swept = solve(mdp, reward, 0.95)
    assert swept.method == "value iteration"
    for goal in range(len(reward)):
        task = checked_task(mdp, reward[goal], 0.95, None)
        high, low, rounds = iterate_policies(task, np.zeros((1, 40)))
        assert rounds < 20
        assert np.abs(swept.value[goal] - high[0] - low[0]).max() <= swept.error[goal]


def test_a_long_horizon_goes_to_policy_iteration_and_still_meets_the_tolerance():
    found = solve(
        random_process("dense", 1), random_reward(random_process("dense", 1), "act", 1), 0.99999
    )
    assert found.method == "policy iteration"
    assert (found.error <= 1e-8).all()


def test_an_unavailable_action_is_never_worth_zero():
    loop = FiniteMDP.from_coo(1, 2, [(0, 1, 0, 1.0)])
    found = solve(loop, [-1.0], 0.5)
    assert found.value[0, 0] == pytest.approx(-2.0, abs=1e-12)
    assert found.action[0, 0] == 1
    assert action_values(loop, [-1.0], found.value, 0.5)[0].tolist() == [[-np.inf, -2.0]]


def test_a_forbidden_action_changes_values_as_if_it_did_not_exist():
    mdp = random_process("sparse", 5)
    reward = random_reward(mdp, "act", 5)
    kept = np.ones((5, 3), dtype=bool)
    kept[:, 2] = False
    dense = mdp.matrix.toarray().reshape(5, 3, 5)[:, :2]
    without = solve(FiniteMDP.from_dense(dense), reward[:, :, :2], 0.9)
    masked = solve(mdp, reward, 0.9, allowed=kept)
    assert masked.value == pytest.approx(without.value, abs=1e-12)
    assert (masked.action == without.action).all()
    assert (masked.value <= solve(mdp, reward, 0.9).value + 2e-8).all()


def test_ties_go_to_the_lowest_action():
    same = FiniteMDP.from_dense(np.full((3, 4, 3), 1 / 3))
    assert (solve(same, np.ones((1, 3)), 0.99).action == 0).all()
    third = np.zeros((1, 3, 4))
    third[:, :, 2:] = 1e-6
    assert (solve(same, third, 0.99).action == 2).all()


def test_actions_that_tie_exactly_tie_whatever_the_route():
    # Two ways of the same length to the same end, through differently swept states.
    rows = [(0, 0, 2, 1), (0, 1, 1, 1), (1, 0, 3, 1), (2, 0, 3, 1), (3, 0, 0, 0.3), (3, 0, 3, 0.7)]
    mdp = FiniteMDP.from_coo(4, 2, rows)
    for discount in (0.3, 0.9, 0.999, 0.99999):
        assert solve(mdp, [0.1, 0.2, 0.2, 0.7], discount).action[0, 0] == 0


@pytest.mark.parametrize("tolerance", [1e-1, 1e-5, 1e-9])
def test_mirror_images_tie_though_they_are_swept_in_another_order(tolerance):
    for seed in range(10):
        half = random_process("sparse", seed, n_actions=1)
        reward = random_reward(half, "state", seed, n_goals=1)[0]
        chain, mirror = half.matrix.toarray(), np.random.default_rng(seed).permutation(5)
        dense = np.zeros((11, 2, 11))
        dense[0, 0, 1 + int(np.flatnonzero(mirror == 0)[0])] = 1
        dense[0, 1, 6] = 1
        dense[1:6, 0, 1:6] = chain[mirror][:, mirror]
        dense[6:, 0, 6:] = chain
        rewards = np.concatenate([[0.0], reward[mirror], reward])
        found = solve(FiniteMDP.from_dense(dense), rewards, 0.95, tolerance=tolerance)
        assert found.action[0, 0] == 0


def test_waiting_forever_is_not_taken_for_a_tie_with_cashing_in_late():
    rows = [(0, 0, 0, 1), (0, 1, 1, 1), (1, 0, 1, 1)]
    mdp = FiniteMDP.from_coo(2, 2, rows)
    reward = np.zeros((1, 2, 2))
    reward[0, 0, 1] = 1.0  # once, on leaving
    assert solve(mdp, reward, 1 - 1e-6).action[0, 0] == 1


def test_a_process_without_cycles_is_solved_in_three_sweeps_at_any_discount():
    chain = FiniteMDP.from_coo(50, 1, [(s, 0, min(s + 1, 49), 1.0) for s in range(50)])
    found = solve(chain, np.ones(50), 0.999, tolerance=1e-6)
    assert found.method == "value iteration"
    assert found.iterations[0] <= 3


def test_one_goal_and_many_goals_give_the_same_values():
    mdp = random_process("dense", 2)
    reward = random_reward(mdp, "state", 2, n_goals=4)
    together = solve(mdp, reward, 0.9)
    for goal in range(4):
        alone = solve(mdp, reward[goal], 0.9)
        assert alone.value[0].tolist() == together.value[goal].tolist()


def test_a_tolerance_beyond_float64_is_refused_with_one_that_works():
    loop = FiniteMDP.from_coo(2, 1, [(0, 0, 1, 1.0), (1, 0, 0, 1.0)])
    with pytest.raises(ModelError, match=r"float64 carries no more .* Pass tolerance=") as caught:
        solve(loop, [1e9 / 3, 0.1], 0.99999, tolerance=1e-9)
    proposed = float(str(caught.value).split("tolerance=")[1].split()[0])
    assert solve(loop, [1e9 / 3, 0.1], 0.99999, tolerance=proposed).error[0] <= proposed


def test_a_tolerance_below_float64_is_refused_or_met():
    loop = FiniteMDP.from_coo(2, 1, [(0, 0, 1, 1.0), (1, 0, 0, 1.0)])
    with pytest.raises(ModelError, match="float64 carries no more"):
        solve(loop, [0.3, 0.1], 0.9, tolerance=5e-324)


def test_rows_too_inexact_for_the_discount_are_refused():
    loop = FiniteMDP.from_coo(1, 1, [(0, 0, 0, 1 + 9e-10)])
    with pytest.raises(ModelError, match="largest row sum"):
        solve(loop, [1.0], 1 - 1e-10)
    inexact = solve(loop, [1.0], 0.9999)
    exactly = 1 / (1 - Fraction(0.9999) * Fraction(float(loop.probability[0])))
    assert abs(Fraction(float(inexact.value[0, 0])) - exactly) <= Fraction(float(inexact.error[0]))


@pytest.mark.slow
def test_a_large_sparse_process_is_certified_at_a_long_horizon():
    generator = np.random.default_rng(0)
    S, A = 2000, 3
    near = (np.repeat(np.arange(S), A) + generator.integers(-3, 4, S * A)) % S
    rows = np.column_stack([np.repeat(np.arange(S), A), np.tile(np.arange(A), S), near])
    mdp = FiniteMDP.from_coo(S, A, np.column_stack([rows, np.ones(S * A)]))
    found = solve(mdp, generator.random((1, S)), 0.9999)
    assert found.error[0] <= 1e-8
