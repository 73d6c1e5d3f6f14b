"""What an act is worth beyond its alternative, by hand and over families of goals."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.solve import solve
from offswitch.theory.instrumental_value import convergent, instrumental_value
from offswitch.theory.reward_draws import sample_rewards

START, OFF, HALL, LEFT, RIGHT = range(5)


@pytest.fixture
def five() -> FiniteMDP:
    """Start: comply -> off, disable -> hall, wave -> hall; hall -> left or right, for ever."""
    rows = [
        (START, 0, OFF, 1), (START, 1, HALL, 1), (START, 2, HALL, 1), (OFF, 0, OFF, 1),
        (HALL, 0, LEFT, 1), (HALL, 1, RIGHT, 1), (LEFT, 0, LEFT, 1), (RIGHT, 0, RIGHT, 1),
    ]  # fmt: skip
    return FiniteMDP.from_coo(5, 3, rows, state_names=("start", "off", "hall", "left", "right"))


# By hand at discount 1/2: disable - comply = 1/2 (hall + max(left, right)) - off, since being in
# left for ever is worth 2 left, half of it from the hall; off for ever is worth 2 off.
GOALS = [
    ([0, 0, 0, 1, 0], 0.5),
    ([0, 0, 0, 0, 1], 0.5),
    ([0, 0, 1, 0, 0], 0.5),
    ([0, 1, 0, 0, 0], -1.0),
    ([0, 0.25, 0, 1, 0.5], 0.25),
    ([1, 0, 0, 0, 0], 0.0),
    ([0, 0, 0.5, 0.5, 1], 0.75),
    ([0, 1, 1, 1, 1], 0.0),
    ([0, -1, 0, 0, 0], 1.0),
    ([4, 0.5, 0.25, 0, 3], 1.125),
]


def test_the_hand_solved_five_state_case_is_met_exactly(five):
    rewards = [goal for goal, _ in GOALS]
    worth = instrumental_value(five, rewards, START, 1, 0, discount=0.5)
    assert worth == pytest.approx([by_hand for _, by_hand in GOALS], abs=4e-9)
    found = convergent(worth, margin=1e-8)
    assert (found.positive, found.negative, found.zero) == (7, 1, 2)
    assert found.share.estimate == 0.7
    # Of 8 goals that care 7 agree: (8 + 1) / 2^8.
    assert found.p_value == pytest.approx(9 / 256, abs=1e-12)


def test_an_act_without_effect_is_worth_exactly_nothing_to_every_goal(five):
    rewards = sample_rewards(five, 200, seed=0) * 100 - 50
    assert (instrumental_value(five, rewards, START, 2, 1, discount=0.97) == 0).all()
    chance = FiniteMDP.from_coo(
        3, 2, [(0, a, s, p) for a in (0, 1) for s, p in ((1, 0.3), (2, 0.7))]
        + [(1, 0, 0, 1), (2, 0, 2, 1)],
    )  # fmt: skip
    rewards = sample_rewards(chance, 200, seed=1)
    assert (instrumental_value(chance, rewards, 0, 1, 0, discount=0.9) == 0).all()
    found = convergent(np.zeros(200))
    assert (found.share.estimate, found.p_value, found.is_convergent) == (0.0, 1.0, False)


@pytest.mark.parametrize("discount", [0.5, 0.99, 0.9999])
def test_the_value_is_within_its_tolerance_of_the_exact_difference(discount):
    generator = np.random.default_rng(3)
    mdp = FiniteMDP.from_dense(generator.dirichlet(np.full(6, 0.4), size=(6, 3)))
    rewards = generator.normal(size=(20, 6, 3)) * 1000
    found = instrumental_value(mdp, rewards, 2, 0, 1, discount=discount, tolerance=1e-7)
    policy = solve(mdp, rewards, discount, tolerance=1e-5).action
    for goal in range(20):
        taken = mdp.matrix.toarray().reshape(6, 3, 6)[range(6), policy[goal]]
        own = rewards[goal][range(6), policy[goal]]
        value = np.linalg.solve(np.eye(6) - discount * taken, own)
        row = rewards[goal, 2] + discount * mdp.matrix.toarray().reshape(6, 3, 6)[2] @ value
        spread = np.ptp(rewards[goal])
        assert abs(found[goal] - (row[0] - row[1])) <= 2e-7 * spread  # the unit is rounded up


@given(scale=st.sampled_from([1e-6, 0.5, 3.0, 1e6]), shift=st.floats(-2, 2))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_an_affine_change_of_the_goal_scales_the_value_and_keeps_its_sign(scale, shift):
    mdp = FiniteMDP.from_graph(nx.DiGraph([(0, 1), (0, 2), (2, 3), (2, 4)]))
    rewards = sample_rewards(mdp, 10, seed=2)
    plain = instrumental_value(mdp, rewards, 0, 1, 0, discount=0.9)
    changed = instrumental_value(mdp, scale * (rewards + shift), 0, 1, 0, discount=0.9)
    assert changed == pytest.approx(scale * plain, rel=1e-6, abs=1e-8 * scale)


@given(values=st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=8, max_size=40))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_the_sign_test_is_the_exact_binomial_one(values):
    found = convergent(values)
    cared = found.positive + found.negative
    expected = 1.0
    if cared:
        test = stats.binomtest(found.positive, cared, alternative="greater")
        expected = test.pvalue
    assert found.p_value == pytest.approx(expected, abs=1e-12)
    assert found.share.n == len(values)
    assert found.is_convergent == (found.share.low >= 0.5)


def test_few_goals_get_no_p_value_and_no_goal_no_share():
    assert convergent([1.0] * 7).p_value is None
    assert convergent([1.0] * 8).p_value == pytest.approx(2.0**-8)
    none = convergent([])
    assert (none.share.estimate, none.share.n, none.p_value) == (None, 0, None)
    assert not none.is_convergent


def test_arguments_that_make_no_sense_are_refused(five):
    goal = np.zeros(5)
    with pytest.raises(ModelError, match=r"action 2 is unavailable in state 2 \('hall'\)"):
        instrumental_value(five, goal, HALL, 0, 2, discount=0.9)
    with pytest.raises(ModelError, match=r"state is 5, expected a number in \[0, 5\)"):
        instrumental_value(five, goal, 5, 0, 1, discount=0.9)
    with pytest.raises(ModelError, match="tolerance is 0, expected a share"):
        instrumental_value(five, goal, START, 0, 1, discount=0.9, tolerance=0)
    with pytest.raises(ModelError, match=r"expected \[K\] finite numbers"):
        convergent([0.0, np.nan])
    with pytest.raises(ModelError, match="least_share 0"):
        convergent([0.0], least_share=0)
