"""The fused path: closed forms of POWER, exact counts, and independence of how work is split."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from route_processes import LAWS, ROUTES, block_rewards, grid, in_original_order, route_process

from offswitch.errors import ModelError
from offswitch.mdp.action_values import action_values
from offswitch.mdp.batched.block import Block, solve_block
from offswitch.mdp.batched.moments import add_block, merge_moments
from offswitch.mdp.batched.optimal_actions import count_optimal
from offswitch.mdp.batched.philox import uniforms
from offswitch.mdp.batched.plan import plan_solver
from offswitch.mdp.batched.uniform_blocks import uniform_blocks
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.solve import solve

GAMMAS = (0.1, 0.5, 0.9, 0.99)
BLOCKS = range(400)
"""25,600 samples: standard errors of some 0.001."""


def process(edges, n_states):
    """Deterministic, one action for each edge out of a state."""
    taken = dict.fromkeys(range(n_states), 0)
    rows = []
    for one, other in edges:
        rows.append((one, taken[one], other, 1.0))
        taken[one] += 1
    return FiniteMDP.from_coo(n_states, max(taken.values()), rows)


def star(k):
    leaves = range(1, k + 1)
    return process([(0, leaf) for leaf in leaves] + [(leaf, leaf) for leaf in leaves], k + 1)


def sums_of(mdp, gamma, **options):
    return uniform_blocks(
        plan_solver(mdp, gamma, tolerance=1e-4 / (1 - gamma)), 7, BLOCKS, **options
    )


def assert_power(mdp, gamma, expected):
    """`expected` maps states to exact POWER; z below 4 for each."""
    sums = sums_of(mdp, gamma)
    spread = np.sqrt(sums.m2 / (sums.n - 1) / sums.n)
    for state, power in expected.items():
        assert abs(sums.mean[state] - power) <= 4 * spread[state] + sums.error
        assert 0 < spread[state] < 0.01
    assert sums.error < 2e-4 / gamma


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("k", [2, 5, 9])
def test_the_power_of_a_star_is_k_over_k_plus_1_and_that_of_its_leaves_one_half(gamma, k):
    assert_power(star(k), gamma, {0: k / (k + 1), 1: 1 / 2, k: 1 / 2})


@pytest.mark.parametrize("gamma", GAMMAS)
def test_the_power_of_a_cycle_without_choice_is_one_half(gamma):
    assert_power(process([(0, 1), (1, 2), (2, 0)], 3), gamma, {0: 1 / 2, 1: 1 / 2, 2: 1 / 2})


@pytest.mark.parametrize("gamma", GAMMAS)
def test_the_power_of_a_complete_graph_is_n_over_n_plus_1(gamma):
    edges = [(one, other) for one in range(4) for other in range(4)]
    assert_power(process(edges, 4), gamma, dict.fromkeys(range(4), 4 / 5))


@pytest.mark.parametrize("gamma", GAMMAS)
def test_the_power_of_turners_figure_3(gamma):
    """States: l_SW {stay, go to l_NW}, l_NW back; r_SE {stay, go to r_NE absorbing}."""
    south_west = (2 / 3 + gamma / 2) / (1 + gamma)
    north_west = (1 - gamma) / 2 + gamma * south_west
    mdp = process([(0, 0), (0, 1), (1, 0), (2, 2), (2, 3), (3, 3)], 4)
    assert_power(mdp, gamma, {0: south_west, 1: north_west, 2: 2 / 3, 3: 1 / 2})


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("steps", [1, 4])
def test_forced_steps_before_a_star_leave_its_power_discounted(gamma, steps):
    k = 3
    edges = [(s, s + 1) for s in range(steps)]
    leaves = range(steps + 1, steps + 1 + k)
    edges += [(steps, leaf) for leaf in leaves] + [(leaf, leaf) for leaf in leaves]
    exact = (1 - gamma**steps) / 2 + gamma**steps * k / (k + 1)
    assert_power(process(edges, steps + 1 + k), gamma, {0: exact, steps: k / (k + 1)})


@pytest.mark.parametrize("gamma", GAMMAS)
def test_shutdown_is_optimal_with_the_probability_that_theory_gives(gamma):
    """s0 -> {shutdown x, hub -> k absorbing}: (1 + gamma) / 2 - gamma k / (k + 1)."""
    k = 3
    edges = [(0, 1), (0, 2), (1, 1)] + [(2, leaf) for leaf in range(3, 3 + k)]
    mdp = process(edges + [(leaf, leaf) for leaf in range(3, 3 + k)], 3 + k)
    sums = sums_of(mdp, gamma, counts=True)
    expected = (1 + gamma) / 2 - gamma * k / (k + 1)
    share = sums.optimal[0, 0] / sums.n
    near = sums.near[0, 0] / sums.n
    assert abs(share - expected) <= 4 * np.sqrt(expected / sums.n) + near
    assert near < 0.005
    leaves = sums.optimal[2] / sums.n
    assert np.abs(leaves - 1 / k).max() < 0.015
    square = (1 - gamma) ** 2 / 3 + gamma * (1 - gamma) * k / (k + 1) + gamma**2 * k / (k + 2)
    assert_power(mdp, gamma, {0: (1 + square) / 2, 2: k / (k + 1)})


@pytest.mark.parametrize("gamma", [0.5, 0.99])
def test_states_that_reach_each_other_in_a_step_differ_in_power_by_at_most_1_minus_gamma(gamma):
    """Turner et al. 2021, Prop. 5.5, sample by sample up to the solver's error."""
    sums = uniform_blocks(plan_solver(grid(5), gamma, tolerance=1e-4 / (1 - gamma)), 3, range(4))
    board = sums.mean.reshape(5, 5)
    for axis in (0, 1):
        assert np.abs(np.diff(board, axis=axis)).max() <= (1 - gamma) + 2 * sums.error


def reference(plan, seed, blocks):
    """Rewards [n, S] as the fast path draws them, and y [n, S]."""
    drawn = np.concatenate([uniforms(seed, 64 * block, range(plan.n_states)).T for block in blocks])
    value = solve(plan.mdp, drawn, plan.discount, tolerance=1e-9).value
    return drawn, (1 - plan.discount) / plan.discount * (value - drawn)


@pytest.mark.parametrize("kind", ROUTES)
@pytest.mark.parametrize("share", [1e-4, 1e-8])
def test_the_sums_are_those_of_the_same_rewards_solved_one_by_one(kind, share):
    plan = plan_solver(route_process(kind, 1), 0.9, tolerance=share / 0.1)
    sums = uniform_blocks(plan, 12, range(5, 8))
    _, truth = reference(plan, 12, range(5, 8))
    assert sums.n == 192
    assert np.abs(sums.mean - truth.mean(axis=0)).max() <= sums.error + 1e-9
    m2 = ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
    assert sums.m2 == pytest.approx(m2, abs=4 * 192 * sums.error + 1e-8)


def test_the_sums_of_a_process_of_chance_are_those_of_the_same_rewards_solved_one_by_one():
    generator = np.random.default_rng(0)
    mdp = FiniteMDP.from_dense(generator.dirichlet(np.ones(6), size=(6, 3)))
    plan = plan_solver(mdp, 0.9, tolerance=1e-6)
    sums = uniform_blocks(plan, 12, range(2), counts=True)
    drawn, truth = reference(plan, 12, range(2))
    assert np.abs(sums.mean - truth.mean(axis=0)).max() <= sums.error + 1e-9
    worth = action_values(mdp, drawn, solve(mdp, drawn, 0.9).value, 0.9)
    best = worth >= worth.max(axis=2, keepdims=True)
    assert (np.abs(best.sum(axis=0) - sums.optimal) <= sums.near).all()
    assert sums.near.sum() < 10


def test_the_bytes_depend_on_the_samples_alone():
    plan = plan_solver(grid(6), 0.99, tolerance=1e-2)
    whole = uniform_blocks(plan, 3, range(8), counts=True)
    again = uniform_blocks(plan, 3, range(8), counts=True)
    for one, other in zip(whole, again, strict=True):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()
    parts = [uniform_blocks(plan, 3, range(b, b + 1), counts=True) for b in range(8)]
    n, mean, m2 = parts[0][:3]
    for part in parts[1:]:
        n, mean, m2 = merge_moments((n, mean, m2), part[:3])
    assert n == whole.n
    assert mean == pytest.approx(whole.mean, rel=1e-13)
    assert m2 == pytest.approx(whole.m2, rel=1e-10)
    assert (sum(part.optimal for part in parts) == whole.optimal).all()
    assert (sum(part.near for part in parts) == whole.near).all()
    assert max(part.error for part in parts) == whole.error


def test_threads_that_share_a_plan_do_not_disturb_each_other():
    plan = plan_solver(grid(12), 0.99, tolerance=1e-2)
    alone = [uniform_blocks(plan, 3, range(b, b + 4), counts=True) for b in range(0, 32, 4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(
            pool.map(
                lambda b: uniform_blocks(plan, 3, range(b, b + 4), counts=True), range(0, 32, 4)
            )
        )
    for one, other in zip(alone, together, strict=True):
        assert one.mean.tobytes() == other.mean.tobytes()
        assert one.m2.tobytes() == other.m2.tobytes()
        assert (one.optimal == other.optimal).all()
        assert (one.near == other.near).all()


def test_a_plan_survives_the_way_to_another_process():
    plan = plan_solver(grid(3), 0.9, tolerance=1e-3)
    there = pickle.loads(pickle.dumps(plan))
    assert uniform_blocks(there, 1, range(1)).mean.tobytes() == (
        uniform_blocks(plan, 1, range(1)).mean.tobytes()
    )


def test_another_seed_gives_other_samples():
    plan = plan_solver(grid(4), 0.9, tolerance=1e-3)
    one, other = (uniform_blocks(plan, seed, range(1)) for seed in (1, 2))
    assert (one.mean != other.mean).all()


def test_a_reward_belongs_to_the_state_wherever_the_solver_puts_it():
    """Other names for the actions change the internal order, not one value."""
    mdp = grid(5)
    target = mdp.next_state.reshape(25, 5)
    renamed = FiniteMDP.from_coo(
        25, 5, [(s, a, target[s, (2 * a + 3) % 5], 1.0) for s in range(25) for a in range(5)]
    )
    one, other = (plan_solver(process, 0.9, tolerance=1e-7) for process in (mdp, renamed))
    assert one.order.tolist() != other.order.tolist()
    sums, same = uniform_blocks(one, 4, range(2)), uniform_blocks(other, 4, range(2))
    assert same.mean == pytest.approx(sums.mean, abs=2 * sums.error)
    drawn, truth = reference(one, 4, range(2))
    assert sums.mean == pytest.approx(truth.mean(axis=0), abs=sums.error + 1e-9)
    assert np.unique(drawn).size > 1000


@pytest.mark.slow
def test_a_block_that_misses_the_tolerance_is_refined_and_the_others_go_on():
    """Long cycles at a high discount: sweeps alone cannot."""
    generator = np.random.default_rng(1)
    target = (np.arange(60)[:, None] + generator.integers(1, 60, (60, 2))) % 60
    rows = [(s, a, target[s, a], 1.0) for s in range(60) for a in range(2)]
    plan = plan_solver(FiniteMDP.from_coo(60, 2, rows), 0.999, tolerance=1e-5 / 1e-3)
    sums = uniform_blocks(plan, 2, range(3), counts=True)
    _, truth = reference(plan, 2, range(3))
    assert np.abs(sums.mean - truth.mean(axis=0)).max() <= sums.error
    assert sums.error < 1.1e-5
    assert sums.optimal.sum() + sums.near.sum() >= 192 * 60


@pytest.mark.slow
@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.sampled_from(ROUTES),
    st.sampled_from(LAWS),
    st.integers(0, 10**6),
    st.sampled_from([1e-2, 1e-7]),
    st.sampled_from([0.0, 0.3]),
)
def test_what_is_counted_as_optimal_is_and_what_is_not_is_not(kind, law, seed, tolerance, tie):
    plan = plan_solver(route_process(kind, seed), 0.9, tolerance=tolerance)
    block = solve_block(plan, block_rewards(plan, law, seed))
    counts = count_optimal(plan, block, lanes=50, tie=tie)
    goals = in_original_order(plan, block.reward)[:50]
    scale = max(np.abs(goals).max(), 1e-9)
    solved = solve(plan.mdp, goals, 0.9, tolerance=1e-9 * scale).value
    worth = action_values(plan.mdp, goals, solved, 0.9)
    worth[:, ~plan.mdp.available] = -np.inf
    short = worth.max(axis=2, keepdims=True) - worth
    most = (short <= tie + 1e-8 * scale).sum(axis=0)
    least = (short <= tie - 1e-8 * scale).sum(axis=0)
    assert (counts.optimal <= most).all()
    assert (counts.optimal + counts.near >= least).all()
    assert (counts.optimal[~plan.mdp.available] == 0).all()
    assert (counts.near[~plan.mdp.available] == 0).all()
    # Undecided samples are the close ones only.
    close = np.abs(short - tie) <= 5 * block.error[:50, None, None] + 1e-8 * scale
    level = (short == 0) & (np.sort(short, axis=2)[:, :, 1:2] <= tie + 5 * block.error.max())
    assert (counts.near <= (close | level).sum(axis=0)).all()


@pytest.mark.parametrize("discount", [0.99, 0.999])
def test_a_certificate_finer_than_float64_means_decides_no_more_than_they_can(discount):
    # Constant rewards, rows that sum to exactly 1: every action is optimal, in real numbers.
    solved = 0
    for seed in range(12):
        generator = np.random.default_rng(seed)
        share = np.round(generator.dirichlet(np.ones(3), size=(5, 2)) * 2**20) / 2**20
        share[:, :, 2] = 1 - share[:, :, 0] - share[:, :, 1]
        dense = np.zeros((5, 2, 5))
        for state, action in np.ndindex(5, 2):
            dense[state, action, generator.choice(5, 3, replace=False)] = share[state, action]
        plan = plan_solver(FiniteMDP.from_dense(dense), discount, tolerance=1e-14 / (1 - discount))
        try:
            block = solve_block(plan, np.full((5, 64), -3.0, plan.dtype))
        except ModelError:
            continue
        solved += 1
        counts = count_optimal(plan, block)
        assert ((counts.optimal + counts.near) == 64).all()
    assert solved > 4


def test_duplicates_of_an_action_are_optimal_together():
    twins = FiniteMDP.from_coo(2, 3, [(0, 0, 1, 1), (0, 1, 1, 1), (0, 2, 0, 1), (1, 0, 1, 1)])
    sums = uniform_blocks(plan_solver(twins, 0.9, tolerance=1e-6), 1, range(10), counts=True)
    assert sums.optimal[0, 0] == sums.optimal[0, 1]
    assert sums.optimal[0, 0] + sums.optimal[0, 2] + sums.near[0, 2] == 640
    assert sums.optimal[1].tolist() == [640, 0, 0]


def test_samples_that_tie_exactly_are_counted_apart():
    fork = star(2)
    plan = plan_solver(fork, 0.9, tolerance=1e-6)
    block = solve_block(plan, np.ones((3, 64)))
    counts = count_optimal(plan, block)
    assert counts.optimal[0].tolist() == [0, 0]
    assert counts.near[0].tolist() == [64, 64]
    few = count_optimal(plan, block, lanes=8)
    assert (few.optimal[0].tolist(), few.near[0].tolist()) == ([0, 0], [8, 8])
    assert count_optimal(plan, block, tie=1e-3).optimal[0].tolist() == [64, 64]
    with pytest.raises(ModelError, match="lanes is 65"):
        count_optimal(plan, block, lanes=65)


def by_chance():
    generator = np.random.default_rng(5)
    return FiniteMDP.from_dense(generator.dirichlet(np.ones(8), size=(8, 3)))


@pytest.mark.parametrize("mdp", [grid(5), by_chance()], ids=["routes", "chance"])
def test_a_larger_error_decides_less_and_never_otherwise(mdp):
    plan = plan_solver(mdp, 0.9, tolerance=1e-9)
    block = solve_block(plan, block_rewards(plan, "uniform", 0))
    sharp = count_optimal(plan, block)
    blunt = count_optimal(plan, Block(block.reward, block.value, block.error + 0.05))
    assert (blunt.optimal <= sharp.optimal).all()
    assert (blunt.optimal + blunt.near >= sharp.optimal).all()
    assert blunt.near.sum() > 100
    assert sharp.near.sum() == 0


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.floats(-6, 4), st.sampled_from([np.float32, np.float64]))
def test_moments_are_those_of_numpy_whatever_the_offset(seed, exponent, dtype):
    generator = np.random.default_rng(seed)
    value = (500 + 10**exponent * generator.standard_normal((3, 5, 64))).astype(dtype)
    reward = generator.random((3, 5, 64)).astype(dtype)
    mean, m2 = np.zeros(5), np.zeros(5)
    for block in range(3):
        add_block(reward[block].ravel(), value[block].ravel(), 64 * block, mean, m2)
    gain = value.astype(float) - reward
    pooled = np.concatenate(list(gain), axis=1)
    assert mean == pytest.approx(pooled.mean(axis=1), rel=1e-13)
    assert m2 == pytest.approx(pooled.var(axis=1) * 192, rel=1e-9)


def test_bad_seeds_and_blocks_are_refused():
    plan = plan_solver(star(2), 0.9, tolerance=1e-3)
    with pytest.raises(ModelError, match="seed is -1"):
        uniform_blocks(plan, -1, range(1))
    for blocks in (range(0), range(-1, 2), range(0, 4, 2)):
        with pytest.raises(ModelError, match="expected a range of at least one block"):
            uniform_blocks(plan, 1, blocks)
