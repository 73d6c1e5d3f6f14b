"""The parts of the solver for processes with chances, each against an independent calculation."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

import networkx as nx
import numpy as np
import pytest
from chance_processes import KINDS, internal, optimum, process
from hypothesis import given, settings
from hypothesis import strategies as st

from offswitch.mdp.batched import dense_sweeps, fallback, stochastic_sweeps
from offswitch.mdp.batched.components import components
from offswitch.mdp.batched.dense_sweeps import solve_dense
from offswitch.mdp.batched.elimination import eliminate, plan_elimination
from offswitch.mdp.batched.fallback import solve_fallback
from offswitch.mdp.batched.krylov import solve_by_krylov
from offswitch.mdp.batched.lanes import LANES, lane_rows
from offswitch.mdp.batched.loop_sweeps import sweep_loops
from offswitch.mdp.batched.newton import iterate_lanes
from offswitch.mdp.batched.plan import plan_solver
from offswitch.mdp.batched.span_sweeps import chance_table, sweep_component
from offswitch.mdp.batched.stochastic_sweeps import solve_stochastic
from offswitch.mdp.batched.structure import analyse_structure
from offswitch.mdp.model import FiniteMDP

few = settings(max_examples=40, deadline=None, derandomize=True)


def structure_of(mdp: FiniteMDP):
    return analyse_structure(mdp, mdp.available)


def chain(table, pick, lane):
    """[n, n] the discounted chain of a lane's policy inside a component."""
    n = len(pick)
    found = np.zeros((n, n))
    for state in range(n):
        choice = pick[state, lane]
        found[state, state] += table.stay[choice]
        span = slice(table.transition_start[choice], table.transition_start[choice + 1])
        found[state, table.next_state[span]] += table.probability[span]
    return found


def policy_system(mdp, discount, seed=0):
    """The largest component's table, 64 random policies of it, and 64 right sides."""
    piece = max(components(structure_of(mdp)), key=lambda one: len(one.next_state))
    table = chance_table(piece, discount, np.zeros((mdp.n_states, LANES)))
    generator = np.random.default_rng(seed)
    first, count = piece.choice_start[:-1, None], np.diff(piece.choice_start)[:, None]
    pick = lane_rows(len(piece.members), np.int32)
    pick[:] = first + generator.integers(count, size=pick.shape)
    gain = lane_rows(len(piece.members), np.float64)
    gain[:] = generator.random(gain.shape)
    return piece, table, pick, gain


def reward_block(plan, seed=0, low=-1.0):
    block = lane_rows(plan.n_states, plan.dtype)
    block[:] = np.random.default_rng(seed).uniform(low, 1, block.shape)
    return block


def residual(plan, reward, value):
    """[64] max |TV - V| by dense matrices, in original order."""
    mdp, place = plan.mdp, plan.structure.position
    worth = (mdp.matrix @ value[place]).reshape(mdp.n_states, mdp.n_actions, LANES)
    best = np.where(plan.allowed[:, :, None], worth, -np.inf).max(axis=1)
    return np.abs(reward[place] + plan.discount * best - value[place]).max(axis=0)


@pytest.mark.slow
@few
@given(st.sampled_from(KINDS), st.integers(0, 10**6), st.integers(2, 30))
def test_components_are_the_strong_ones_and_successors_come_first(kind, seed, n_states):
    structure = structure_of(process(kind, seed, n_states, n_actions=2))
    owner = np.repeat(np.arange(n_states), np.diff(structure.move_start.astype(np.int64)))
    graph = nx.DiGraph(zip(owner.tolist(), structure.next_state.tolist(), strict=True))
    graph.add_nodes_from(range(n_states))
    solved: set[int] = set()
    cycles = set()
    for piece in components(structure):
        if piece.connected:
            cycles.add(frozenset(piece.members.tolist()))
            solved |= set(piece.members.tolist())
            assert set(piece.exit_state.tolist()) <= solved
            continue
        for number, member in enumerate(piece.members.tolist()):
            first, last = piece.choice_start[number], piece.choice_start[number + 1]
            exits = piece.exit_state[piece.exit_start[first] : piece.exit_start[last]]
            assert set(exits.tolist()) <= solved
            solved.add(member)
    assert solved == set(range(n_states))
    expected = {frozenset(c) for c in nx.strongly_connected_components(graph) if len(c) > 1}
    assert cycles == expected


@few
@given(st.sampled_from(KINDS), st.integers(0, 10**6), st.integers(2, 20))
def test_a_component_keeps_every_probability(kind, seed, n_states):
    structure = structure_of(process(kind, seed, n_states, n_actions=2))
    for piece in components(structure):
        inside, outside = np.zeros((2, len(piece.stay)))
        owner = np.repeat(np.arange(len(inside)), np.diff(piece.transition_start.astype(int)))
        np.add.at(inside, owner, piece.probability)
        owner = np.repeat(np.arange(len(inside)), np.diff(piece.exit_start.astype(int)))
        np.add.at(outside, owner, piece.exit_probability)
        assert inside + outside + piece.stay == pytest.approx(1)


@pytest.mark.slow
@few
@given(st.integers(0, 10**6), st.integers(1, 20), st.floats(0.1, 0.9999))
def test_states_on_no_cycle_are_exact_after_one_pass(seed, n_states, discount):
    mdp = process("dag", seed, n_states)
    plan = plan_solver(mdp, discount, tolerance=1e-12)
    (run,) = components(plan.structure)
    reward = reward_block(plan, seed)
    value = lane_rows(n_states, np.float64)
    sweep_loops(run, discount, reward, value)
    exact = optimum(mdp, reward[plan.structure.position, :4], discount)
    size = np.abs(exact).max()
    assert value[plan.structure.position, :4] == pytest.approx(exact, abs=1e-11 * size)


@pytest.mark.slow
@few
@given(
    st.sampled_from(["sparse", "dense", "sticky", "periodic", "nearly apart"]),
    st.integers(0, 10**6),
    st.floats(0.1, 0.9999),
    st.integers(1, 40),
)
def test_macqueen_bounds_hold_after_any_number_of_sweeps(kind, seed, discount, budget):
    """The value is within gamma (max d - min d) / 2 of its own update, so the target is met."""
    mdp = process(kind, seed)
    plan = plan_solver(mdp, discount, tolerance=1e-4)
    pieces = components(plan.structure)
    if len(pieces) > 1 or not pieces[0].connected:
        return
    reward = reward_block(plan, seed).astype(np.float64)
    table = chance_table(pieces[0], discount, lane_rows(len(reward), np.float64))
    target = np.full(LANES, 1e-5)
    value, met = sweep_component(table, discount, reward, target, budget)
    found = residual(plan, reward, value)
    if met:
        assert (found <= target * (1 + 1e-9) + 1e-11).all()
    else:
        assert found.max() > 0


def test_the_span_settles_a_mixing_process_at_any_discount_in_thirty_sweeps():
    mdp = process("dense", 1, n_states=40)
    plan = plan_solver(mdp, 0.9999, tolerance=1e-6)
    (piece,) = components(plan.structure)
    table = chance_table(piece, 0.9999, lane_rows(40, np.float64))
    target = stochastic_sweeps.value_targets(plan, reward_block(plan))
    _, met = sweep_component(table, 0.9999, reward_block(plan), target, 30)
    assert met  # without the span it takes log(1e-10) / log(0.9999), 230 thousand


@pytest.mark.slow
@few
@given(
    st.sampled_from(["sparse", "dense", "periodic", "sticky", "absorbing"]),
    st.integers(0, 10**6),
    st.integers(3, 30),
    st.sampled_from([0.5, 0.99, 0.9999]),
)
def test_elimination_solves_every_policys_system(kind, seed, n_states, discount):
    piece, table, pick, gain = policy_system(process(kind, seed, n_states), discount, seed)
    if not piece.connected:
        return
    plan = plan_elimination(piece)
    assert sorted(plan.order.tolist()) == list(range(len(piece.members)))
    solved = eliminate(plan, table, pick, gain)
    for lane in (0, 17, 63):
        system = np.eye(len(pick)) - chain(table, pick, lane)
        assert solved[:, lane] == pytest.approx(
            np.linalg.solve(system, gain[:, lane]), rel=1e-13 / (1 - discount)
        )


@pytest.mark.slow
@few
@given(
    st.sampled_from(["sparse", "dense", "periodic", "sticky", "nearly apart"]),
    st.integers(0, 10**6),
    st.integers(3, 60),
    st.sampled_from([0.5, 0.99, 0.9999]),
)
def test_gmres_leaves_a_tenth_of_what_the_discount_allows(kind, seed, n_states, discount):
    piece, table, pick, gain = policy_system(process(kind, seed, n_states), discount, seed)
    if not piece.connected:
        return
    pending = np.arange(LANES) % 2 == 0
    solved = solve_by_krylov(table, pick, gain, pending, discount)
    assert not solved[:, ~pending].any()
    for lane in (0, 62):
        scaled = 1 - table.stay[pick[:, lane]]  # the norm is that of rows divided by this
        left = gain[:, lane] - solved[:, lane] + chain(table, pick, lane) @ solved[:, lane]
        assert np.linalg.norm(left / scaled) <= 0.11 * (1 - discount) * (
            np.linalg.norm(gain[:, lane] / scaled)
        )


def grid(side: int, slip: float = 0.2) -> FiniteMDP:
    """Four moves that slip sideways on a square with walls."""
    moves = [(-1, 0), (0, 1), (1, 0), (0, -1)]
    rows = []
    for place in np.ndindex(side, side):
        ends = [
            np.ravel_multi_index(np.clip(np.add(place, step), 0, side - 1), (side, side))
            for step in moves
        ]
        here = np.ravel_multi_index(place, (side, side))
        for action in range(4):
            sides = ((action, 1 - slip), ((action + 1) % 4, slip / 2), ((action - 1) % 4, slip / 2))
            rows += [(here, action, ends[way], chance) for way, chance in sides]
    return FiniteMDP.from_coo(side * side, 4, rows)


def test_a_grid_is_eliminated_with_little_fill_in():
    (piece,) = components(structure_of(grid(12)))
    plan = plan_elimination(piece)
    n = len(piece.members)
    assert plan.slot[-1] < 0.1 * n**2
    assert len(plan.update) < 0.01 * n**3 / 3


def test_an_elimination_that_would_fill_in_is_refused(monkeypatch):
    monkeypatch.setattr("offswitch.mdp.batched.elimination.MOST_STATES", 10)
    (piece,) = components(structure_of(grid(4)))
    assert plan_elimination(piece) is None


@pytest.mark.parametrize("with_elimination", [True, False])
@pytest.mark.parametrize("kind", ["sparse", "periodic", "sticky", "nearly apart"])
def test_policy_iteration_reaches_the_target_with_either_evaluation(kind, with_elimination):
    mdp = process(kind, 4, n_states=30)
    plan = plan_solver(mdp, 0.9999, tolerance=1e-6)
    (piece,) = components(plan.structure)
    reward = reward_block(plan)
    table = chance_table(piece, 0.9999, lane_rows(30, np.float64))
    value = lane_rows(30, np.float64)
    value[:] = 0
    target = stochastic_sweeps.value_targets(plan, reward)
    elimination = plan_elimination(piece) if with_elimination else None
    assert iterate_lanes(table, elimination, reward, value, target, 0.9999)
    assert (residual(plan, reward, value) <= target * (1 + 1e-6)).all()
    exact = optimum(mdp, reward[plan.structure.position, :3], 0.9999)
    assert value[plan.structure.position, :3] == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize("discount", [0.5, 0.99, 0.9999])
@pytest.mark.parametrize("kind", KINDS)
def test_every_class_reaches_its_target_without_the_fallback(kind, discount):
    for n_states in (2, 7, 40):
        plan = plan_solver(process(kind, 9, n_states), discount, tolerance=1e-6)
        reward = reward_block(plan)
        value = solve_stochastic(plan, reward)
        wanted = 2 * stochastic_sweeps.value_targets(plan, reward)
        assert (residual(plan, reward, value) <= wanted).all()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sparse", "sticky"])
def test_policy_iteration_by_gmres_settles_a_large_process_at_a_long_horizon(kind):
    mdp = process(kind, 1, n_states=600)
    plan = plan_solver(mdp, 0.9999, tolerance=1e-6)
    piece = max(components(plan.structure), key=lambda one: len(one.members))
    assert plan_elimination(piece) is None
    reward = reward_block(plan)
    value = solve_stochastic(plan, reward)
    wanted = 2 * stochastic_sweeps.value_targets(plan, reward)
    assert (residual(plan, reward, value) <= wanted).all()


@pytest.mark.parametrize("kind", ["sparse", "multichain", "absorbing", "sticky"])
def test_a_lane_does_not_depend_on_its_place_in_the_block(kind):
    plan = plan_solver(process(kind, 2, n_states=25), 0.99, tolerance=1e-6)
    reward = reward_block(plan)
    value = solve_stochastic(plan, reward)
    turned = lane_rows(25, np.float64)
    turned[:] = np.roll(reward, 11, axis=1)
    assert (solve_stochastic(plan, turned) == np.roll(value, 11, axis=1)).all()


def test_threads_give_the_same_bytes():
    plan = plan_solver(process("multichain", 2, n_states=25), 0.99, tolerance=1e-6)
    blocks = [reward_block(plan, seed) for seed in range(8)]
    alone = [solve_stochastic(plan, block).tobytes() for block in blocks]
    with ThreadPoolExecutor(4) as pool:
        together = pool.map(lambda block: solve_stochastic(plan, block).tobytes(), blocks)
    assert list(together) == alone


@pytest.mark.parametrize("tolerance", [1e-6, 1e-2])
def test_products_of_matrices_and_sweeps_find_the_same_values(tolerance):
    plan = plan_solver(process("dense", 3, n_states=20), 0.99, tolerance=tolerance)
    assert plan.method == "dense products"
    reward = reward_block(plan)
    by_products, by_sweeps = solve_dense(plan, reward), solve_stochastic(plan, reward)
    assert by_products.dtype == plan.dtype
    assert by_products == pytest.approx(by_sweeps, abs=2 * tolerance)
    exact = optimum(plan.mdp, reward[plan.structure.position, :3].astype(np.float64), 0.99)
    assert by_products[plan.structure.position, :3] == pytest.approx(exact, abs=tolerance)


def test_a_dense_process_whose_span_does_not_shrink_is_cut_into_components(monkeypatch):
    dense = np.random.default_rng(0).dirichlet(np.ones(6), size=(6, 2))
    dense[5] = np.eye(6)[5]
    plan = plan_solver(FiniteMDP.from_dense(dense), 0.99, tolerance=1e-6)
    assert plan.method == "dense products"
    called = []

    def solve(*arguments):
        called.append(1)
        return solve_stochastic(*arguments)

    monkeypatch.setattr(dense_sweeps, "solve_stochastic", solve)
    reward = reward_block(plan)
    value = solve_dense(plan, reward)
    assert called
    exact = optimum(plan.mdp, reward[plan.structure.position, :3], 0.99)
    assert value[plan.structure.position, :3] == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize("kind", ["deterministic", "multichain", "nearly apart"])
def test_the_fallback_certifies_what_float64_rounding_hides(kind):
    """Tolerance 1e-11 with values near 1e4: half a unit in their last place is 1e-12."""
    mdp = process(kind, 6)
    plan = plan_solver(mdp, 0.9999, tolerance=1e-11)
    reward = internal(plan, np.random.default_rng(0).random((6, 3)))
    value, error = solve_fallback(plan, reward, lanes=np.arange(3))
    assert (error[:3] <= 1e-11).all()
    assert np.isinf(error[3:]).all()
    exact = optimum(mdp, reward[plan.structure.position, :3], 0.9999)
    assert value[plan.structure.position, :3] == pytest.approx(exact, abs=1e-11)


def test_the_fallback_starts_policy_iteration_only_where_it_must(monkeypatch):
    monkeypatch.setattr(fallback, "iterate_policies", None)
    plan = plan_solver(process("periodic", 6), 0.999, tolerance=1e-6)
    _, error = solve_fallback(plan, reward_block(plan))
    assert (error <= 1e-6).all()


def test_what_is_remembered_of_a_structure_goes_with_it():
    plan = plan_solver(process("sparse", 1), 0.9, tolerance=1e-6)
    solve_stochastic(plan, reward_block(plan))
    structure = weakref.ref(plan.structure)
    assert structure() in stochastic_sweeps._pieces._made
    del plan
    gc.collect()
    assert structure() is None
