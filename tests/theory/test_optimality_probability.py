"""Optimality probability: closed forms, certificates, events, and how it differs from POWER."""

from __future__ import annotations

import dataclasses

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offswitch.errors import ModelError, StatisticsError
from offswitch.mdp.batched.executor import Executor
from offswitch.mdp.model import FiniteMDP
from offswitch.statistics.clopper_pearson import clopper_pearson
from offswitch.theory import optimal_actions as exact
from offswitch.theory import optimality as module
from offswitch.theory.laws.bernoulli import Bernoulli
from offswitch.theory.laws.normal import Normal
from offswitch.theory.laws.uniform import Uniform
from offswitch.theory.optimal_actions import optimal_actions, takes_tagged
from offswitch.theory.optimality import optimality
from offswitch.theory.power_samples import power_samples
from offswitch.theory.reward_draws import sample_rewards
from offswitch.theory.reward_units import tie_of

LEVEL = 0.9999
DISCOUNTS = (0.1, 0.5, 0.9, 0.99)


def process(*edges: tuple[str, str]) -> FiniteMDP:
    return FiniteMDP.from_graph(nx.DiGraph(list(edges)))


def star(leaves: int) -> FiniteMDP:
    return process(*(("hub", f"leaf {n}") for n in range(leaves)))


@pytest.mark.parametrize("discount", DISCOUNTS)
@pytest.mark.parametrize("leaves", [1, 2, 3, 5])
def test_each_leaf_of_a_star_is_optimal_for_one_goal_in_k(leaves, discount):
    found = optimality(star(leaves), discount=discount, samples=3000, seed=leaves, level=LEVEL)
    assert (found.low[0, :leaves] <= 1 / leaves).all()
    assert (found.high[0, :leaves] >= 1 / leaves).all()
    assert found.counts[0].sum() == 3000  # no ties
    assert found.near.sum() == 0
    assert (found.probability[1:, 0] == 1).all()


@pytest.mark.parametrize("discount", DISCOUNTS)
@pytest.mark.parametrize("leaves", [1, 2, 4])
def test_shutting_down_before_a_hub_is_optimal_as_often_as_the_closed_form_says(leaves, discount):
    mdp = process(("s", "off"), ("s", "hub"), *(("hub", f"leaf {n}") for n in range(leaves)))
    found = optimality(mdp, discount=discount, samples=3000, seed=1, level=LEVEL)
    expected = (1 + discount) / 2 - discount * leaves / (leaves + 1)
    assert found.low[0, 0] <= expected <= found.high[0, 0]
    assert found.high[0, 0] - found.low[0, 0] < 0.08


@pytest.mark.parametrize(("discount", "limit"), [(1e-6, 1 / 2), (0.999999, 1 / 4)])
def test_in_the_limits_half_or_one_in_k_plus_1_goals_shut_down_before_a_hub(discount, limit):
    rows = [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 1, 1), *((2, a, 3 + a, 1) for a in range(3))]
    mdp = FiniteMDP.from_coo(6, 3, [*rows, *((s, 0, s, 1) for s in (3, 4, 5))])
    found = optimality(mdp, discount=discount, samples=2000, seed=7, level=LEVEL)
    assert found.low[0, 0] < limit < found.high[0, 0]
    assert found.probability[0, :2].sum() == 1


@pytest.mark.parametrize("leaves", [1, 2, 3, 5, 9])
def test_k_of_k_plus_1_goals_prefer_surviving_to_one_shutdown(leaves):
    mdp = star(leaves + 1)
    survive = np.zeros(mdp.available.shape, dtype=bool)
    survive[0, 1:] = True
    found = optimality(mdp, discount=0.9, samples=2000, seed=0, tagged=survive, level=LEVEL).tagged
    assert found.needed.low <= leaves / (leaves + 1) <= found.needed.high
    assert found.optimal.estimate == found.needed.estimate  # no ties
    assert found.needed.seed == 0
    assert not found.forced


def test_a_shutdown_among_the_goals_makes_resistance_needed_by_none():
    # Every goal is to be stopped, in one way or other: the control without convergence.
    mdp = star(4)
    survive = np.zeros(mdp.available.shape, dtype=bool)
    survive[0, 1:] = True
    goals = sample_rewards(mdp, 200, seed=0)
    goals[:, 1] = 1.0
    found = optimality(mdp, discount=0.9, rewards=goals, tagged=survive)
    assert found.tagged.needed.estimate == 0
    assert found.tagged.optimal.estimate == 0
    assert found.tagged.forgone.estimate == pytest.approx(0, abs=1e-9)
    assert (found.n, found.seed) == (200, None)


@pytest.mark.parametrize("discount", [0.5, 0.9])
def test_the_fall_of_a_star_is_the_gap_between_the_best_leaf_and_the_rest(discount):
    mdp = star(3)
    tagged = np.zeros(mdp.available.shape, dtype=bool)
    tagged[0, 0] = True
    found = optimality(mdp, discount=discount, samples=500, seed=3, tagged=tagged).tagged
    leaves = sample_rewards(mdp, 500, seed=3)[:, 1:]
    expected = np.maximum(leaves[:, 0] - leaves[:, 1:].max(axis=1), 0) * discount / (1 - discount)
    assert found.falls == pytest.approx(expected, abs=1e-6)
    # E max(x - max(y, z), 0) = 1/12 for iid U(0, 1).
    exact = discount / (1 - discount) / 12
    assert abs(found.forgone.estimate - exact) < 3 * (found.forgone.high - found.forgone.low)


def test_an_event_that_ties_is_optimal_and_not_needed():
    rows = [(0, 0, 1, 1), (0, 1, 2, 1), (0, 2, 2, 1), (1, 0, 1, 1), (2, 0, 2, 1)]
    mdp = FiniteMDP.from_coo(3, 3, rows)
    tagged = np.zeros((3, 3), dtype=bool)
    tagged[0, 2] = True
    found = optimality(mdp, discount=0.9, samples=640, seed=0, tagged=tagged, level=LEVEL)
    assert found.tagged.needed.estimate == 0
    assert found.tagged.optimal.low <= 1 / 2 <= found.tagged.optimal.high
    assert found.counts[0, 1] == found.counts[0, 2]  # the same act twice: optimal together
    assert found.counts[0].sum() == 640 + found.counts[0, 2]


def test_an_event_that_is_forced_says_so():
    mdp = FiniteMDP.from_coo(2, 1, [(0, 0, 1, 1), (1, 0, 1, 1)])
    tagged = np.array([[True], [False]])
    found = optimality(mdp, discount=0.9, samples=64, tagged=tagged).tagged
    assert found.forced
    assert (found.needed.estimate, found.optimal.estimate) == (1, 1)
    assert (found.forgone.estimate, found.forgone.missing) == (None, 64)


def test_reaching_a_tagged_act_by_another_optimal_act_counts_and_by_a_bad_one_does_not():
    # s -> a -> tagged prize or dud; s -> b. The act is in a; whether it is taken hangs on s.
    mdp = process(("s", "a"), ("s", "b"), ("a", "prize"), ("a", "dud"))
    names = mdp.state_names.index
    tagged = np.zeros(mdp.available.shape, dtype=bool)
    tagged[names("a"), 0] = True
    goals = np.zeros((3, mdp.n_states))
    goals[0, names("prize")] = goals[1, names("b")] = goals[2, names("dud")] = 1
    acts = optimal_actions(mdp, goals, discount=0.9)
    assert takes_tagged(mdp, acts.optimal, tagged).tolist() == [True, False, False]
    both = np.zeros((1, mdp.n_states))  # all the same: everything is optimal
    assert takes_tagged(mdp, optimal_actions(mdp, both, discount=0.9).optimal, tagged).all()


def test_power_and_optimality_probability_may_order_two_acts_differently():
    # Turner et al. 2021, App. B: POWER is a mean, optimality probability like a median. Rewards
    # are iid Bernoulli(1/5): left is a choice of two ends, right a lottery over ten.
    rows = [(0, 0, 1, 1.0), (0, 1, 2, 1.0), (1, 0, 3, 1.0), (1, 1, 4, 1.0)]
    rows += [(2, 0, end, 0.1) for end in range(5, 15)]
    rows += [(end, 0, end, 1.0) for end in range(3, 15)]
    mdp = FiniteMDP.from_coo(15, 2, rows)
    law = Bernoulli(0.2)
    found = optimality(mdp, discount=0.99, rewards=law, samples=4000, seed=0, level=LEVEL)
    sampled = power_samples(mdp, sample_rewards(mdp, 4000, seed=0, law=law), 0.99).value
    left, right = sampled.mean(axis=0)[1:3]
    assert left == pytest.approx(1 - 0.8**2, abs=0.03)  # seeks more POWER
    assert right == pytest.approx(0.2, abs=0.01)
    # Left pays nothing for 0.64 of the goals. Then right is better, except where it pays nothing
    # either (0.8^10) and the state on the way to the left does while that to the right does not.
    assert found.low[0, 1] > 0.5 > found.high[0, 0]
    assert found.probability[0, 1] == pytest.approx(0.64 * (1 - 0.16 * 0.8**10), abs=0.03)


def random_process(seed: int, n_states: int = 7, n_actions: int = 3) -> FiniteMDP:
    generator = np.random.default_rng(seed)
    dense = np.zeros((n_states, n_actions, n_states))
    for state in range(n_states):
        for action in range(n_actions):
            targets = generator.integers(n_states, size=1 + seed % 3)
            np.add.at(dense[state, action], targets, generator.dirichlet(np.ones(len(targets))))
    dense[1, 2] = 0
    return FiniteMDP.from_dense(dense)


@pytest.mark.parametrize("law", [Uniform(), Normal(0, 3), Uniform(-5, -4), Bernoulli(0.3)])
@pytest.mark.parametrize("seed", range(3))
def test_the_batched_counts_are_those_of_exact_solves_goal_by_goal(law, seed):
    mdp = random_process(seed)
    for discount in (0.3, 0.97):
        found = optimality(mdp, discount=discount, rewards=law, samples=200, seed=seed)
        exact = optimal_actions(
            mdp, sample_rewards(mdp, 200, seed=seed, law=law), discount=discount
        )
        assert (found.counts == exact.optimal.sum(axis=0)).all()
        assert found.near.sum() == 0
        given = sample_rewards(mdp, 200, seed=seed, law=law)
        same = optimality(mdp, discount=discount, rewards=given)
        assert (same.counts == found.counts).all()


@pytest.mark.parametrize("discount", [0.9, 0.999, 0.9999])
def test_nothing_stays_undecided_at_long_horizons(discount):
    mdp = random_process(0, n_states=12)
    found = optimality(mdp, discount=discount, samples=256, seed=0)
    assert found.near.sum() == 0
    total = found.counts.sum(axis=1)
    duplicates = [len({tuple(mdp.successors(s, a)[0]) for a in range(3)}) < 3 for s in range(12)]
    assert ((total == 256) | duplicates).all()


def test_a_choice_too_close_for_the_batch_is_solved_again_and_decided(monkeypatch):
    # A coarse batch must change nothing but the number of goals that are solved twice.
    gaps = np.linspace(-3e-8, 3e-8, 128)  # none within a hair of the tie
    goals = np.column_stack([np.ones(128), np.full(128, 0.3), 0.3 + gaps])
    fine = optimality(star(2), discount=0.9, rewards=goals)
    monkeypatch.setattr(module, "SOLVER_SHARE", 1e8)
    coarse = optimality(star(2), discount=0.9, rewards=goals)
    assert (fine.refined, coarse.refined) == (0, 128)
    assert (coarse.counts == fine.counts).all()
    assert (coarse.near.sum(), fine.near.sum()) == (0, 0)
    assert fine.counts[0].tolist() == [64, 64]


def test_what_a_coarse_solve_leaves_open_a_finer_one_decides(monkeypatch):
    mdp = random_process(2)
    goals = sample_rewards(mdp, 100, seed=0)
    expected = optimal_actions(mdp, goals, discount=0.99)
    monkeypatch.setattr(exact, "COARSE", 1e5)  # an error of a tenth of the range decides little
    again = optimal_actions(mdp, goals, discount=0.99)
    assert not again.near.any()
    assert (again.optimal == expected.optimal).all()
    monkeypatch.setattr(exact, "FINE", 1e5)
    assert optimal_actions(mdp, goals, discount=0.99).near.any()


def test_a_gap_at_the_edge_of_a_tie_is_near_and_widens_the_interval_both_ways():
    mdp = star(2)
    # The gap is gamma / (1 - gamma) = 9 times the difference; the goal's range is 1.
    gaps = tie_of(0.9) * (1 + np.array([-1e-2, 0.0, 1e-2])) / 9
    goals = np.column_stack([np.zeros(3), 1 - gaps, np.ones(3)])
    found = optimality(mdp, discount=0.9, rewards=goals)
    assert found.counts[0].tolist() == [1, 3]
    assert found.near[0].tolist() == [1, 0]
    assert found.low[0, 0] == pytest.approx(clopper_pearson(1, 3)[0])
    assert found.high[0, 0] == pytest.approx(clopper_pearson(2, 3)[1])
    assert found.probability[0, 0] == pytest.approx(1 / 3)


def test_intervals_are_clopper_and_pearsons():
    mdp = random_process(2)
    found = optimality(mdp, discount=0.8, samples=100, seed=5, level=0.9)
    for state, action in np.argwhere(mdp.available):
        expected = clopper_pearson(int(found.counts[state, action]), 100, level=0.9)
        assert (found.low[state, action], found.high[state, action]) == pytest.approx(expected)
    assert (found.high[~mdp.available] == 0).all()


@given(scale=st.sampled_from([2.0**-30, 3.0, 1e9]), shift=st.floats(-3, 3))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_the_unit_and_origin_of_the_rewards_do_not_matter(scale, shift):
    mdp = random_process(1)
    goals = sample_rewards(mdp, 64, seed=9)
    plain = optimality(mdp, discount=0.9, rewards=goals)
    changed = optimality(mdp, discount=0.9, rewards=scale * (goals + shift))
    assert (changed.counts == plain.counts).all()


def test_goals_do_not_depend_on_how_many_there_are_or_on_the_executor():
    mdp = random_process(0)
    short = optimality(mdp, discount=0.9, samples=100, seed=4)
    long = optimality(mdp, discount=0.9, samples=1000, seed=4)
    rest = optimality(mdp, discount=0.9, rewards=sample_rewards(mdp, 1000, seed=4)[100:])
    assert (short.counts + rest.counts == long.counts).all()
    alone = optimality(mdp, discount=0.9, samples=1000, seed=4, executor=Executor(workers=1))
    assert (alone.counts == long.counts).all()
    other = optimality(mdp, discount=0.9, samples=1000, seed=5)
    assert (other.counts != long.counts).any()


def test_forbidden_actions_are_optimal_for_no_goal_and_no_alternative_to_a_tagged_one():
    mdp = star(3)
    allowed = np.array(mdp.available)
    allowed[0, 0] = False
    tagged = np.zeros_like(allowed)
    tagged[0, 1] = True
    found = optimality(
        mdp, discount=0.9, samples=1000, seed=0, allowed=allowed, tagged=tagged, level=LEVEL
    )
    assert found.counts[0, 0] == 0
    assert found.high[0, 0] == 0
    assert found.low[0, 1] <= 1 / 2 <= found.high[0, 1]
    assert found.tagged.needed.low <= 1 / 2 <= found.tagged.needed.high


def test_the_result_says_how_it_was_had():
    found = optimality(star(2), discount=0.9, samples=70, seed=8, level=0.9)
    assert (found.n, found.seed, found.level, found.tagged) == (70, 8, 0.9, None)
    assert {field.name for field in dataclasses.fields(found)} >= {"counts", "near", "refined"}


def test_arguments_that_make_no_sense_are_refused():
    mdp = star(2)
    with pytest.raises(ModelError, match="samples is 0, expected a whole number"):
        optimality(mdp, discount=0.9, samples=0)
    with pytest.raises(ModelError, match=r"rewards have shape \(3,\), expected a law or \[N, S\]"):
        optimality(mdp, discount=0.9, rewards=np.zeros(3))
    with pytest.raises(ModelError, match=r"reward has shape \(2, 4\)"):
        optimality(mdp, discount=0.9, rewards=np.zeros((2, 4)))
    with pytest.raises(ModelError, match="samples is 5, but 2 goals are given"):
        optimality(mdp, discount=0.9, rewards=np.zeros((2, 3)), samples=5)
    with pytest.raises(ModelError, match="is nan, expected a finite"):
        optimality(mdp, discount=0.9, rewards=np.full((1, 3), np.nan))
    with pytest.raises(ModelError, match="discount is 1"):
        optimality(mdp, discount=1)
    with pytest.raises(ModelError, match="seed is -1"):
        optimality(mdp, discount=0.9, seed=-1)
    with pytest.raises(ModelError, match=r"tagged has shape \(3,\)"):
        optimality(mdp, discount=0.9, samples=5, tagged=[True, False, False])
    with pytest.raises(StatisticsError, match="level is 95"):
        optimality(mdp, discount=0.9, level=95)


def test_a_choice_at_the_end_of_a_long_corridor_is_seen_from_its_start():
    # 22 forced steps, then two absorbing leaves: half of all goals need the second one.
    steps = 22
    rows = [(s, a, s + 1, 1) for s in range(steps) for a in range(2)]
    rows += [(steps, a, steps + 1 + a, 1) for a in range(2)]
    rows += [(s, a, s, 1) for s in (steps + 1, steps + 2) for a in range(2)]
    mdp = FiniteMDP.from_coo(steps + 3, 2, rows)
    tagged = np.zeros((steps + 3, 2), np.bool_)
    tagged[steps, 1] = True
    found = optimality(mdp, discount=0.5, samples=640, seed=1, tagged=tagged)
    assert found.tagged.needed.missing == 0
    assert found.tagged.needed.low < 0.5 < found.tagged.needed.high


def test_a_shutdown_is_weighed_without_undecided_goals_at_any_horizon():
    # start -> off, or a hub with 3 leaves: off is optimal for (1 + g)/2 - g k/(k+1) of the goals.
    rows = [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 1, 1), *((2, a, 3 + a, 1) for a in range(3))]
    mdp = FiniteMDP.from_coo(6, 3, [*rows, *((s, 0, s, 1) for s in (3, 4, 5))])
    tagged = np.zeros((6, 3), np.bool_)
    tagged[0, 0] = True
    found = optimality(mdp, discount=0.999999, samples=640, seed=1, tagged=tagged)
    assert found.tagged.needed.missing == 0
    assert found.tagged.needed.low < 0.25 < found.tagged.needed.high
    assert found.low[0, 0] < 0.25 < found.high[0, 0]
