"""Which goals need a tagged act."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.solve import solve
from offswitch.theory.avoidance import avoiding_actions
from offswitch.theory.convergence import convergence
from offswitch.theory.reward_draws import sample_rewards
from offswitch.theory.tagged_optimality import optimal_share


@pytest.fixture
def fork() -> FiniteMDP:
    """hub -> left, hub -> right, both absorbing."""
    return FiniteMDP.from_graph(nx.DiGraph([("hub", "left"), ("hub", "right")]))


RIGHT = np.array([[False, True], [False, False], [False, False]])


def test_the_fall_is_the_difference_of_the_two_optima(fork):
    found = optimal_share(fork, [[0.0, 0.25, 1.0], [0.0, 1.0, 0.25]], RIGHT, discount=0.5)
    assert found.needed.tolist() == [True, False]
    # 0.5 / (1 - 0.5) times the difference of the leaves.
    assert found.forgone == pytest.approx([0.75, 0.0], abs=1e-7)
    assert not found.undecided.any()
    assert (np.abs(found.forgone - [0.75, 0.0]) <= found.error).all()


def test_an_act_that_only_ties_is_not_needed(fork):
    found = optimal_share(fork, [[0.3, 0.7, 0.7]], RIGHT, discount=0.999)
    assert (found.needed.tolist(), found.undecided.tolist()) == ([False], [False])


def test_a_tagged_copy_of_an_untagged_act_is_never_needed():
    rows = [(0, 0, 1, 1), (0, 1, 2, 1), (0, 2, 2, 1), (1, 0, 1, 1), (2, 0, 2, 1)]
    mdp = FiniteMDP.from_coo(3, 3, rows)
    tagged = np.zeros((3, 3), dtype=bool)
    tagged[0, 2] = True
    found = optimal_share(mdp, sample_rewards(mdp, 100, seed=0), tagged, discount=0.95)
    assert not found.needed.any()
    assert not found.undecided.any()


def test_the_answer_does_not_depend_on_the_unit_of_the_reward(fork):
    rewards = sample_rewards(fork, 50, seed=1)
    plain = optimal_share(fork, rewards, RIGHT, discount=0.9)
    for unit in (1e-9, 2.0**40):
        scaled = optimal_share(fork, rewards * unit, RIGHT, discount=0.9)
        assert scaled.needed.tolist() == plain.needed.tolist()
        assert scaled.forgone == pytest.approx(plain.forgone * unit, rel=1e-6, abs=1e-6 * unit)


def test_a_fall_at_the_edge_of_a_tie_is_undecided(fork):
    # The fall is gamma / (1 - gamma), here 1, times the difference of the leaves.
    falls = 1e-6 + np.array([-1e-12, -5e-16, 0.0, 5e-16, 1e-12])
    rewards = np.column_stack([np.zeros(5), 1 - falls, np.ones(5)])
    found = optimal_share(fork, rewards, RIGHT, discount=0.5, tolerance=1e-6)
    assert found.undecided.tolist() == [False, True, True, True, False]
    assert found.needed.tolist() == [False, False, False, False, True]


def test_a_constant_reward_needs_nothing(fork):
    found = optimal_share(fork, [[0.0, 0, 0], [5, 5, 5], [-2, -2, -2]], RIGHT, discount=0.9)
    assert not found.needed.any()
    assert not found.undecided.any()
    by_act = np.zeros((1, 3, 2))
    by_act[0, 1, 1] = 7.0  # unavailable there, so no part of the reward's range
    assert not optimal_share(fork, by_act, RIGHT, discount=0.9).needed.any()


def test_entering_a_state_that_forces_the_act_counts_as_taking_it():
    graph = nx.DiGraph([("hub", "hall"), ("hub", "end"), ("hall", "prize")])
    mdp = FiniteMDP.from_graph(graph)
    tagged = np.zeros((4, 2), dtype=bool)
    tagged[list(graph).index("hall"), 0] = True
    prize = [[float(node == "prize") for node in graph]]
    found = optimal_share(mdp, prize, tagged, discount=0.5)
    assert found.needed.tolist() == [True]
    assert found.forgone == pytest.approx([0.5])  # 0.5^2 / (1 - 0.5)


def test_an_act_that_only_risks_being_forced_is_avoided_too():
    rows = [(0, 0, 0, 1), (0, 1, 1, 0.01), (0, 1, 2, 0.99), (1, 0, 2, 1), (2, 0, 2, 1)]
    mdp = FiniteMDP.from_coo(3, 2, rows)
    tagged = np.zeros((3, 2), dtype=bool)
    tagged[1, 0] = True
    assert avoiding_actions(mdp, tagged).tolist() == [[True, False], [False, False], [True, False]]


def test_acts_no_policy_can_avoid_are_said_to_be_forced():
    loop = FiniteMDP.from_coo(2, 1, [(0, 0, 1, 1), (1, 0, 1, 1)], state_names=("go", "end"))
    tagged = np.array([[False], [True]])
    found = optimal_share(loop, [[0.0, 1.0], [1.0, 0.0]], tagged, discount=0.9)
    assert (found.forced, found.forced_at) == (True, 0)
    assert found.needed.tolist() == [True, True]
    assert np.isposinf(found.forgone).all()
    share = convergence(loop, [[0.0, 1.0], [1.0, 0.0]], tagged, discount=0.9)
    assert (share.estimate, share.n) == (1.0, 2)
    free = optimal_share(loop, [[0.0, 1.0]], np.zeros((2, 1), dtype=bool), discount=0.9)
    assert not free.forced


def test_what_is_not_allowed_is_no_alternative(fork):
    only_right = np.array([[False, True], [True, False], [True, False]])
    goal = [[0.0, 1.0, 0.25]]
    assert not optimal_share(fork, goal, RIGHT, discount=0.9).needed.any()
    assert optimal_share(fork, goal, RIGHT, discount=0.9, allowed=only_right).forced
    left = np.array([[True, False], [True, False], [True, False]])
    found = optimal_share(fork, [[0.0, 0.25, 1.0]], RIGHT, discount=0.9, allowed=left)
    assert found.forgone == pytest.approx([0.0], abs=1e-7)


def test_the_fall_agrees_with_masking_by_hand_on_random_processes():
    generator = np.random.default_rng(5)
    dense = generator.dirichlet(np.ones(6), size=(6, 4))
    mdp = FiniteMDP.from_dense(dense, start=generator.dirichlet(np.ones(6)))
    tagged = generator.random((6, 4)) < 0.4
    tagged[:, 0] = False
    rewards = generator.random((20, 6, 4))
    found = optimal_share(mdp, rewards, tagged, discount=0.9)
    free = solve(mdp, rewards, 0.9).value
    bound = solve(mdp, np.where(tagged, -1e6, rewards), 0.9, tolerance=1e-6).value
    assert found.forgone == pytest.approx((free - bound) @ mdp.start, abs=1e-5)
    assert 0 < found.needed.sum() <= 20


def test_convergence_counts_goals_with_an_exact_interval(fork):
    rewards = sample_rewards(fork, 200, seed=4)
    share = convergence(fork, rewards, RIGHT, discount=0.9, seed=4)
    assert share.estimate == np.mean(rewards[:, 2] > rewards[:, 1])
    assert share.low < 0.5 < share.high
    assert (share.n, share.missing, share.seed, share.unit) == (200, 0, 4, "share of goals")
    assert share.method == "clopper-pearson"


def test_undecided_goals_are_missing_and_no_data_is_none(fork):
    share = convergence(fork, [[0.0, 1 - 1e-6, 1.0]], RIGHT, discount=0.5)
    assert (share.estimate, share.low, share.n, share.missing) == (None, None, 0, 1)


def test_arguments_that_make_no_sense_are_refused(fork):
    with pytest.raises(ModelError, match="tolerance is 0, expected a share"):
        optimal_share(fork, np.ones((1, 3)), RIGHT, discount=0.9, tolerance=0)
    with pytest.raises(ModelError, match=r"tagged has shape \(3,\) of bool"):
        optimal_share(fork, np.ones((1, 3)), RIGHT[:, 0], discount=0.9)
    with pytest.raises(ModelError, match=r"tagged has shape \(3, 2\) of int64"):
        optimal_share(fork, np.ones((1, 3)), RIGHT.astype(int), discount=0.9)
