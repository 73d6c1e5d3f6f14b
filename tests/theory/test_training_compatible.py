"""Goals that fit the training, and what they say of a shutdown it never saw."""

from __future__ import annotations

from fractions import Fraction

import networkx as nx
import numpy as np
import pytest

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.solve import solve
from offswitch.theory.goal_sets.cone_sampling import draw_by_hit_and_run, draw_by_rejection
from offswitch.theory.goal_sets.orbits import orbit
from offswitch.theory.goal_sets.training_compatible import (
    avoidance_share,
    goal_cone,
    in_cone,
    recurrent_value,
)
from offswitch.theory.optimal_actions import optimal_actions

FORK, LEFT, RIGHT, NEW, OFF, OTHER = range(6)


@pytest.fixture
def six() -> FiniteMDP:
    """Trained: fork -> left or right. New: off, left again, or somewhere else; all for ever."""
    edges = [
        (FORK, LEFT), (FORK, RIGHT), (LEFT, LEFT), (RIGHT, RIGHT),
        (NEW, OFF), (NEW, LEFT), (NEW, OTHER), (OFF, OFF), (OTHER, OTHER),
    ]  # fmt: skip
    graph = nx.DiGraph()
    graph.add_nodes_from(range(6))
    graph.add_edges_from(edges)
    return FiniteMDP.from_graph(graph)


TRAINED = {FORK: 0, LEFT: 0, RIGHT: 0}


@pytest.mark.parametrize("discount", [0.2, 0.9, 0.99])
def test_three_quarters_of_the_compatible_goals_avoid_shutdown_in_the_six_state_case(six, discount):
    # Of the 4! orders of (left, right, off, other) 12 have left above right; in 3 of these off is
    # above left and other. Without training it is 2/3: having been paid for left, left pays.
    cone = goal_cone(six, TRAINED, discount=discount)
    sample = draw_by_rejection(cone.normals, 4000, seed=1)
    share = avoidance_share(six, cone, sample, NEW, [0], level=0.9999)
    assert share.low <= 0.75 <= share.high
    assert share.high - share.low < 0.06
    assert (share.n, share.missing, share.method) == (4000, 0, "clopper-pearson")
    assert sample.acceptance == pytest.approx(0.5, abs=0.01)
    assert share.low > 2 / 3


@pytest.mark.slow
def test_hit_and_run_agrees_with_the_exact_share(six):
    cone = goal_cone(six, TRAINED, discount=0.9)
    sample = draw_by_hit_and_run(cone.normals, 6400, seed=2)
    assert in_cone(cone, sample.goals).all()
    share = avoidance_share(six, cone, sample, NEW, [0], level=0.9999)
    assert share.low <= 0.75 <= share.high
    assert share.high - share.low < 0.1
    assert share.clusters == 32


def test_the_exact_share_is_had_by_listing_all_orders(six):
    cone = goal_cone(six, TRAINED, discount=0.9)
    goals = orbit([0.5, 0.1, 0.3, 0.5, 0.7, 0.9], moved=[LEFT, RIGHT, OFF, OTHER])
    fits = goals[in_cone(cone, goals)]
    stops = optimal_actions(six, cone.rewards(fits), discount=0.9).optimal[:, NEW, 0]
    assert Fraction(int((~stops).sum()), len(fits)) == Fraction(3, 4)


@pytest.mark.parametrize("seed", range(6))
def test_a_goal_is_in_the_cone_exactly_if_the_trained_actions_are_optimal_for_it(seed):
    generator = np.random.default_rng(seed)
    dense = np.zeros((6, 3, 6))
    dense[:4, :, :4] = generator.dirichlet(np.full(4, 0.5), size=(4, 3))
    dense[4:] = generator.dirichlet(np.full(6, 0.5), size=(2, 3))
    dense[1, 2] = 0
    mdp = FiniteMDP.from_dense(dense)
    discount = float(generator.uniform(0.3, 0.95))
    lesson = solve(mdp, generator.random(6), discount).action[0]
    cone = goal_cone(mdp, {s: int(lesson[s]) for s in range(4)}, discount=discount)
    assert len(cone.normals) == 7  # 2 + 1 + 2 + 2 deviations
    goals = generator.random((2000, 6)) * 2 - 1
    found = optimal_actions(mdp, goals, discount=discount)
    optimal = found.optimal[:, range(4), lesson[:4]].all(axis=1)
    assert not found.near.any()
    assert 10 < optimal.sum() < 1990
    assert (in_cone(cone, goals) == optimal).all()


def test_the_cone_is_scaled_and_added_to_without_leaving_it(six):
    cone = goal_cone(six, TRAINED, discount=0.9)
    inside = draw_by_rejection(cone.normals, 50, seed=0).goals
    assert in_cone(cone, 1e6 * inside).all()
    assert in_cone(cone, inside[:25] + inside[25:]).all()
    tie = np.array([[0.1, 0.3, 0.3, 0, 0, 0]])
    assert in_cone(cone, tie).all()
    worse = tie + np.array([0, 0, 1e-9, 0, 0, 0])
    assert not in_cone(cone, worse).any()


def test_a_tie_is_not_broken_by_the_rounding_of_visits_that_cancel():
    # Only state 0 pays, and both its actions come back to it in two steps.
    ways = {(0, 0): 1, (0, 1): 2, (1, 0): 1, (1, 1): 0, (2, 0): 2, (2, 1): 0}
    mdp = FiniteMDP.from_coo(3, 2, [(s, a, to, 1.0) for (s, a), to in ways.items()])
    for discount in (0.1, 0.3, 0.9, 0.99):
        cone = goal_cone(mdp, {0: 0, 1: 1, 2: 1}, discount=discount)
        assert in_cone(cone, [[60.0, 0.0, 0.0]]).all()
        assert not in_cone(cone, [[60.0, 0.0, 1e-9]]).any()


def test_only_shared_features_make_training_speak_of_other_states(six):
    # What left pays is also what off pays: having learnt left is having learnt to stop.
    shared = np.zeros((6, 4))
    shared[LEFT, 0] = shared[OFF, 0] = shared[RIGHT, 1] = shared[OTHER, 2] = shared[FORK, 3] = 1
    cone = goal_cone(six, TRAINED, discount=0.9, features=shared)
    sample = draw_by_rejection(cone.normals, 3000, seed=3)
    share = avoidance_share(six, cone, sample, NEW, [0], level=0.9999)
    # Off ties with left; only other, above left which is the larger of two, avoids: 1/3.
    assert share.low <= 1 / 3 <= share.high


def test_recurrent_values_of_loops_and_cycles_are_the_closed_forms():
    graph = nx.DiGraph([("new", "loop"), ("loop", "loop"), ("new", "c0")])
    graph.add_edges_from([("c0", "c1"), ("c1", "c2"), ("c2", "c0"), ("new", "dead")])
    mdp = FiniteMDP.from_graph(graph)
    names = mdp.state_names.index
    for gamma in (0.1, 0.5, 0.9, 0.99):
        value = {
            n: recurrent_value(mdp, 0, names(n), discount=gamma)
            for n in ("loop", "c0", "c1", "dead", "new")
        }
        assert value["loop"] == pytest.approx(1 / (1 - gamma), rel=1e-6)
        assert value["c0"] == pytest.approx(1 / (1 - gamma**3), rel=1e-6)
        assert value["c1"] == pytest.approx(gamma / (1 - gamma**3), rel=1e-6)
        assert value["new"] == pytest.approx(0, abs=1e-6)


def test_the_bound_is_tight_for_one_reward_that_outweighs_every_loop():
    graph = nx.DiGraph([("new", "off"), ("off", "null"), ("null", "null")])
    graph.add_edges_from(edge for n in "abc" for edge in (("new", n), (n, n)))
    mdp = FiniteMDP.from_graph(graph)
    moved = [mdp.state_names.index(name) for name in ("off", *"abc")]
    for rest, expected in ((0.099, 6), (0.101, 0)):
        reward = np.zeros(6)
        reward[moved] = [1, rest, rest / 2, rest / 3]
        stops = optimal_actions(mdp, orbit(reward, moved), discount=0.9).optimal[:, 0, 0]
        assert stops.sum() == expected  # of 24


def test_the_bound_holds_in_the_orbit_that_stays_compatible(six):
    # All rewards move, and only relabellings that fit the training count.
    cone = goal_cone(six, TRAINED, discount=0.9)
    goals = orbit(np.random.default_rng(0).random(6))
    fits = goals[in_cone(cone, goals)]
    assert len(fits) == 360
    stops = optimal_actions(six, fits, discount=0.9).optimal[:, NEW, 0]
    assert (~stops).mean() == 0.75


@pytest.mark.slow
@pytest.mark.parametrize("dimension", [2, 5])
def test_hit_and_run_is_uniform_on_a_simplex_of_orders(dimension):
    # g_1 >= g_2 >= ...: the k-th coordinate is an order statistic, mean (D + 1 - k) / (D + 1).
    normals = np.eye(dimension)[:-1] - np.eye(dimension)[1:]
    sample = draw_by_hit_and_run(normals, 6400, seed=1, box=(-1.0, 1.0))
    expected = 2 * np.arange(dimension, 0, -1) / (dimension + 1) - 1
    assert sample.goals.mean(axis=0) == pytest.approx(expected, abs=0.04)
    second = draw_by_rejection(normals, 6400, seed=1, box=(-1.0, 1.0)).goals
    assert sample.goals.std(axis=0) == pytest.approx(second.std(axis=0), abs=0.04)


def test_the_same_seed_gives_the_same_goals_and_another_does_not():
    for draw in (draw_by_rejection, draw_by_hit_and_run):
        first, again, other = (draw([[1.0, -1.0]], 100, seed=seed).goals for seed in (1, 1, 2))
        assert (first == again).all()
        assert (first != other).any()


def test_arguments_that_make_no_sense_are_refused(six):
    with pytest.raises(ModelError, match="may lead to '4', which is not trained"):
        goal_cone(six, {**TRAINED, NEW: 1}, discount=0.9)
    with pytest.raises(ModelError, match="trained action 1 of state 1 does not exist"):
        goal_cone(six, {**TRAINED, LEFT: 1}, discount=0.9)
    with pytest.raises(ModelError, match="no state is trained"):
        goal_cone(six, {}, discount=0.9)
    with pytest.raises(ModelError, match=r"features have shape \(5, 2\)"):
        goal_cone(six, TRAINED, discount=0.9, features=np.zeros((5, 2)))
    cone = goal_cone(six, TRAINED, discount=0.9)
    with pytest.raises(ModelError, match=r"expected \[N, D\] = \[N, 6\]"):
        in_cone(cone, np.zeros((2, 5)))
    sample = draw_by_rejection(cone.normals, 10, seed=0)
    with pytest.raises(ModelError, match=r"shutdown actions \[\]"):
        avoidance_share(six, cone, sample, NEW, [])
    with pytest.raises(ModelError, match=r"no goal in the box \(0.0, 1.0\) is strictly inside"):
        draw_by_hit_and_run([[1.0, -1.0], [-1.0, 1.0]], 10, seed=0)
    thin = np.vstack([[[1.0, -1.0]], [[-1.0, 1.0]]])
    with pytest.raises(ModelError, match="use draw_by_hit_and_run"):
        draw_by_rejection(thin, 10, seed=0, most_draws=100_000)
    with pytest.raises(ModelError, match="chains is 1"):
        draw_by_hit_and_run([[1.0]], 10, seed=0, chains=1)
    with pytest.raises(ModelError, match="n is 0"):
        draw_by_rejection([[1.0]], 0, seed=0)
    with pytest.raises(ModelError, match="box is"):
        draw_by_rejection([[1.0]], 1, seed=0, box=(1.0, 0.0))
    with pytest.raises(ModelError, match="states 0 and 9"):
        recurrent_value(six, 0, 9, discount=0.9)
