"""Blocks of deterministic processes against exact solvers, linear programs and brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from route_processes import LAWS, ROUTES, block_rewards, grid, in_original_order, route_process
from scipy.optimize import linprog

from offswitch.errors import ModelError
from offswitch.mdp.batched import block as block_module
from offswitch.mdp.batched.block import (
    most_work,
    refine_block,
    solve_block,
    start_factors,
    sweep_numbers,
)
from offswitch.mdp.batched.block_certificate import block_error
from offswitch.mdp.batched.deterministic_sweeps import SLACK_FROM, rise_to_optimum
from offswitch.mdp.batched.howard import iterate_routes, route_value
from offswitch.mdp.batched.plan import plan_solver
from offswitch.mdp.batched.short_cycles import start_from_below
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.solve import solve

DISCOUNTS = (0.5, 0.9, 0.99, 0.9999)


def exact(plan, reward):
    """[64, S] to within a thousandth of the plan's tolerance."""
    goals = in_original_order(plan, reward)
    scale = max(np.abs(goals).max(), 1e-12)
    return solve(
        plan.mdp,
        goals,
        plan.discount,
        tolerance=1e-3 * plan.tolerance * scale,
        allowed=plan.allowed,
    )


def assert_certified(plan, reward):
    block = solve_block(plan, reward)
    truth = exact(plan, reward)
    wrong = np.abs(in_original_order(plan, block.value) - truth.value).max(axis=1)
    assert (wrong <= block.error + truth.error).all()
    assert (block.error <= plan.tolerance * np.abs(reward).max(axis=0)).all()


@pytest.mark.slow
@pytest.mark.parametrize("share", [1e-4, 1e-7])
@pytest.mark.parametrize("kind", ROUTES)
def test_the_true_error_never_exceeds_the_certificate(kind, share):
    for discount, law in itertools.product(DISCOUNTS, LAWS):
        plan = plan_solver(route_process(kind, 1), discount, tolerance=share / (1 - discount))
        assert_certified(plan, block_rewards(plan, law, 1))


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.sampled_from(ROUTES),
    st.sampled_from(LAWS),
    st.integers(0, 10**6),
    st.floats(0.01, 0.9999),
    st.floats(-6, -1),
    st.integers(1, 9),
)
def test_any_process_reward_discount_and_tolerance_is_certified(
    kind, law, seed, discount, exponent, n_actions
):
    mdp = route_process(kind, seed, n_actions=n_actions)
    plan = plan_solver(mdp, discount, tolerance=10**exponent / (1 - discount))
    assert_certified(plan, block_rewards(plan, law, seed))


@pytest.mark.parametrize("kind", ROUTES)
def test_values_agree_with_linear_programming(kind):
    mdp = route_process(kind, 5)
    plan = plan_solver(mdp, 0.9, tolerance=1e-7)
    for law in ("uniform", "negative", "sparse"):
        block = solve_block(plan, block_rewards(plan, law, 5))
        goals = in_original_order(plan, block.reward)
        kept = mdp.available.ravel()
        owner = np.repeat(np.eye(9), mdp.n_actions, axis=0)
        bound = linprog(
            np.ones(9),
            A_ub=(0.9 * mdp.matrix.toarray() - owner)[kept],
            b_ub=-np.repeat(goals[0], mdp.n_actions)[kept],
            bounds=(None, None),
        )
        assert in_original_order(plan, block.value)[0] == pytest.approx(bound.x, abs=1e-6)


def test_values_agree_with_trying_every_policy():
    mdp = route_process("any", 2, n_states=5, n_actions=3)
    plan = plan_solver(mdp, 0.8, tolerance=1e-9)
    block = solve_block(plan, block_rewards(plan, "negative", 2))
    reward = in_original_order(plan, block.reward)[7]
    successor = mdp.next_state.reshape(5, 3)
    best = np.full(5, -np.inf)
    for policy in itertools.product(range(3), repeat=5):
        chain = np.eye(5)[successor[np.arange(5), policy]]
        best = np.maximum(best, np.linalg.solve(np.eye(5) - 0.8 * chain, reward))
    assert in_original_order(plan, block.value)[7] == pytest.approx(best, abs=1e-8)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.sampled_from(ROUTES),
    st.sampled_from(LAWS),
    st.integers(0, 10**6),
    st.sampled_from(DISCOUNTS),
)
def test_the_start_is_never_above_the_optimum(kind, law, seed, discount):
    plan = plan_solver(route_process(kind, seed), discount, tolerance=1e-9)
    reward = block_rewards(plan, law, seed)
    value = np.empty_like(reward)
    start_from_below(
        plan.cycles,
        reward.reshape(-1),
        value.reshape(-1),
        start_factors(plan),
        np.empty(64, plan.dtype),
    )
    goals = in_original_order(plan, reward)
    truth = solve(plan.mdp, goals, discount, tolerance=1e-6 * max(np.abs(goals).max(), 1e-12))
    excess = in_original_order(plan, value) - truth.value
    assert excess.max() <= truth.error.max() + 1e-12 * np.abs(truth.value).max()
    assert np.isfinite(value).all()


def swept(plan, reward, most=(1000, 2**31)):
    value = np.empty_like(reward)
    scratch = np.empty(64, plan.dtype)
    flat = reward.reshape(-1), value.reshape(-1)
    start_from_below(plan.cycles, *flat, start_factors(plan), scratch)
    ticks = np.empty(2 * plan.n_states, np.uint32)
    return value, *rise_to_optimum(plan.table, *flat, sweep_numbers(plan), most, scratch, ticks)


def swept_plainly(plan, reward):
    """Every state in every sweep, until nothing rises."""
    value = np.empty_like(reward)
    flat = reward.reshape(-1), value.reshape(-1)
    start_from_below(plan.cycles, *flat, start_factors(plan), np.empty(64, plan.dtype))
    gamma, ends = plan.dtype.type(plan.discount), plan.structure.move_start
    sweeps, rising = 0, True
    while rising:
        before = value.copy()
        for state in range(plan.n_states)[:: -1 if sweeps % 2 else 1]:
            moves = plan.structure.next_state[ends[state] : ends[state + 1]]
            if len(moves):
                backed = reward[state] + gamma * value[moves].max(axis=0)
                value[state] = np.maximum(value[state], backed)
        sweeps, rising = sweeps + 1, (value > before).any()
    return value, sweeps


def test_a_process_without_cycles_takes_two_sweeps_the_second_to_see_that_nothing_rises():
    shuffle = np.random.default_rng(0).permutation(200)
    acyclic = route_process("acyclic", 0, n_states=200, n_actions=4)
    target = shuffle[acyclic.next_state.reshape(200, 4)]
    rows = [(shuffle[s], a, target[s, a], 1.0) for s in range(200) for a in range(4)]
    plan = plan_solver(FiniteMDP.from_coo(200, 4, rows), 0.999, tolerance=1e-3)
    _, sweeps, _ = swept(plan, block_rewards(plan, "uniform", 0))
    assert sweeps == 2


@pytest.mark.parametrize("stay", [True, False])
def test_a_grid_takes_few_sweeps_however_long_the_horizon(stay):
    plan = plan_solver(grid(10, stay=stay), 0.999, tolerance=1e-3)
    for law in ("uniform", "negative", "sparse"):
        _, sweeps, rows = swept(plan, block_rewards(plan, law, 0))
        assert 1 <= sweeps <= 40
        assert rows < sweeps * 100  # passing over states that cannot rise saves something


@pytest.mark.parametrize("end", [0, 59])
def test_news_travels_both_ways_along_a_corridor_in_a_few_sweeps(end):
    """One direction of sweeping would take as many sweeps as there are states."""
    rows = [(s, a, min(max(s + 2 * a - 1, 0), 59), 1.0) for s in range(60) for a in (0, 1)]
    plan = plan_solver(FiniteMDP.from_coo(60, 2, rows), 0.999, tolerance=1e-6)
    reward = np.zeros((60, 64))
    reward[plan.structure.position[end]] = 1
    value, sweeps, _ = swept(plan, reward)
    assert sweeps <= 4
    away = np.abs(np.arange(60) - end)
    found = value[plan.structure.position, 0]
    assert found == pytest.approx(1000 * 0.999**away, rel=1e-12)


@pytest.mark.parametrize("tolerance", [1e-3, 1e-9])
@pytest.mark.parametrize("degree", [1, 3, 4, 5, 11])
def test_sweeps_have_the_bits_of_plain_ones_whatever_the_number_of_successors(degree, tolerance):
    """Both precisions. Successors are taken by fours, and the last is repeated to fill up."""
    mdp = route_process("no stay", degree, n_states=16, n_actions=degree)
    plan = plan_solver(mdp, 0.1, tolerance=tolerance)
    reward = block_rewards(plan, "negative", degree)
    value, sweeps, _ = swept(plan, reward)
    plain, plain_sweeps = swept_plainly(plan, reward)
    assert plain_sweeps < SLACK_FROM  # until then every rise counts
    assert (sweeps, value.tobytes()) == (plain_sweeps, plain.tobytes())


def test_sweeps_end_where_plain_ones_do():
    """Passing over a state is sound only if it could not have risen."""
    plan = plan_solver(grid(7, stay=False), 0.95, tolerance=1e-9)
    value, _, _ = swept(plan, block_rewards(plan, "negative", 3))
    reward = block_rewards(plan, "negative", 3)
    moves = [
        plan.structure.next_state[slice(*plan.structure.move_start[s : s + 2])] for s in range(49)
    ]
    backed = np.array([reward[s] + 0.95 * value[m].max(axis=0) for s, m in enumerate(moves)])
    stays = plan.cycles.stays
    backed[stays] = np.maximum(backed[stays], reward[stays] + 0.95 * value[stays])
    assert (backed <= value + 1e-14 * np.abs(value)).all()


def test_running_out_of_sweeps_is_told_and_made_good():
    plan = plan_solver(route_process("one long cycle", 0, n_states=40), 0.9999, tolerance=1e-3)
    reward = block_rewards(plan, "uniform", 0)
    _, sweeps, rows = swept(plan, reward, most_work(plan))
    assert sweeps == 0
    assert rows <= most_work(plan)[0] * 40
    assert_certified(plan, reward)


@pytest.mark.slow
def test_long_cycles_at_a_high_discount_do_not_need_the_last_resort(monkeypatch):
    def refuse(*_arguments, **_options):
        raise AssertionError("policy iteration along routes should have been enough")

    monkeypatch.setattr(block_module, "solve_fallback", refuse)
    mdp = route_process("no stay", 4, n_states=300)
    for discount in (0.99, 0.9999):
        plan = plan_solver(mdp, discount, tolerance=1e-5 / (1 - discount))
        block = solve_block(plan, block_rewards(plan, "uniform", 4))
        assert (block.error <= plan.tolerance).all()


def test_a_guess_that_is_wrong_in_some_samples_is_refined_in_those_alone():
    plan = plan_solver(grid(4), 0.9, tolerance=1e-3)
    reward = block_rewards(plan, "uniform", 0)
    right = solve_block(plan, reward).value
    guess = right.copy()
    guess[:, 5] += 1
    block = refine_block(plan, reward, guess)
    assert np.abs(block.value - right).max() < 1e-5
    assert (np.delete(block.value, 5, axis=1) == np.delete(right, 5, axis=1)).all()
    assert (block.error <= 1e-3).all()


@pytest.mark.slow
@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.sampled_from(ROUTES),
    st.integers(0, 10**6),
    st.sampled_from(DISCOUNTS),
    st.floats(-9, 1),
    st.sampled_from([1e-3, 1e-12]),
)
def test_any_guess_is_within_its_certificate(kind, seed, discount, exponent, tolerance):
    """float32 and float64; the guess may be anything."""
    plan = plan_solver(route_process(kind, seed), discount, tolerance=tolerance / (1 - discount))
    reward = block_rewards(plan, "uniform", seed)
    goals = in_original_order(plan, reward)
    truth = solve(plan.mdp, goals, discount, tolerance=1e-9 / (1 - discount))
    noise = 10**exponent * np.random.default_rng(seed).standard_normal(goals.shape)
    guess = np.ascontiguousarray((truth.value + noise).T[plan.order].astype(plan.dtype))
    error = block_error(plan, reward, guess)
    wrong = np.abs(in_original_order(plan, guess) - truth.value).max(axis=1)
    assert (wrong <= error + truth.error).all()
    share = (1 + discount) / (1 - discount) * (1 + 1e-9)
    rounding = 1e-14 * np.abs(truth.value).max() / (1 - discount) + 1e-9 / (1 - discount)
    assert (error <= wrong * share + rounding + truth.error * share).all()


@pytest.mark.parametrize("discount", DISCOUNTS)
@pytest.mark.parametrize("kind", ROUTES)
def test_policy_iteration_ends_at_the_exact_optimum_from_any_guess(kind, discount):
    plan = plan_solver(route_process(kind, 3, n_states=40), discount, tolerance=1e-6)
    goals = np.random.default_rng(3).random((3, 40)) - 0.5
    truth = solve(plan.mdp, goals, discount)
    moves = plan.structure.move_start, plan.structure.next_state, plan.cycles.stays
    for goal, start in zip(range(3), (0.0, 1e3, -1e3), strict=True):
        value = np.full(40, start)
        rounds = iterate_routes(*moves, goals[goal][plan.order], value, discount)
        assert rounds < 40
        found = value[plan.structure.position]
        rounding = 1e-15 * np.abs(found).max() / (1 - discount)
        assert np.abs(found - truth.value[goal]).max() <= truth.error[goal] + rounding


def test_policy_iteration_returns_to_a_stay_that_a_wrong_guess_made_it_leave():
    moves = np.array([0, 1, 1], np.uint32), np.array([1], np.uint32)
    value = np.array([0.0, 100.0])
    iterate_routes(*moves, np.array([True, True]), np.array([1.0, 0.0]), value, 0.5)
    assert value.tolist() == [2, 0]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.floats(0.01, 0.999))
def test_the_value_of_a_route_is_that_of_its_linear_system(seed, discount):
    generator = np.random.default_rng(seed)
    route, reward = generator.integers(20, size=20), generator.standard_normal(20)
    value = np.empty(20)
    route_value(route, reward, value, discount)
    solved = np.linalg.solve(np.eye(20) - discount * np.eye(20)[route], reward)
    assert value == pytest.approx(solved, rel=1e-9, abs=1e-9)


def test_the_precision_is_single_only_where_its_rounding_leaves_room():
    process = grid(3)
    assert plan_solver(process, 0.99, tolerance=1e-2).dtype == np.float32
    assert plan_solver(process, 0.99, tolerance=1e-4).dtype == np.float64
    assert plan_solver(process, 0.999, tolerance=1e-1).dtype == np.float64


def test_forbidden_actions_are_not_taken():
    fork = FiniteMDP.from_coo(3, 2, [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 1, 1), (2, 0, 2, 1)])
    allowed = fork.available
    allowed[0, 1] = False
    plan = plan_solver(fork, 0.5, tolerance=1e-9, allowed=allowed)
    reward = np.zeros((3, 64))
    reward[plan.structure.position[2]] = 1
    value = solve_block(plan, reward).value[plan.structure.position]
    assert value[:, 0].tolist() == [0, 0, 2]


@pytest.mark.parametrize(
    ("reward", "message"),
    [
        (np.zeros((2, 64)), r"shape \(2, 64\) of float64, expected \[S, 64\] = \[3, 64\]"),
        (np.zeros((3, 64), np.float32), "of float32"),
        (np.full((3, 64), np.nan), "finite numbers"),
        (np.full((3, 64), 1e300), "finite numbers up to"),
    ],
)
def test_bad_rewards_are_refused(reward, message):
    fork = FiniteMDP.from_coo(3, 2, [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 1, 1), (2, 0, 2, 1)])
    plan = plan_solver(fork, 0.5, tolerance=1e-9)
    with pytest.raises(ModelError, match=message):
        solve_block(plan, reward)


def test_a_tolerance_that_no_float_can_hold_is_refused():
    plan = plan_solver(grid(3), 0.9999, tolerance=1e-13)
    with pytest.raises(ModelError, match=r"float64 carries no more at discount 0\.9999"):
        solve_block(plan, block_rewards(plan, "uniform", 0))
    with pytest.raises(ModelError, match="tolerance is 0"):
        plan_solver(grid(3), 0.9, tolerance=0)
    with pytest.raises(ModelError, match="discount is 1"):
        plan_solver(grid(3), 1.0, tolerance=1)
