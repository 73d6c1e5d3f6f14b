"""What agents of every kind do about a tagged act, goal by goal, against chance."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from offswitch.errors import ModelError
from offswitch.mdp.finite_horizon import solve_finite_horizon
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.convergence import convergence, convergence_by_rule
from offswitch.theory.power_samples import power_samples
from offswitch.theory.reward_draws import sample_rewards
from offswitch.theory.rules.anti_rational import AntiRational
from offswitch.theory.rules.best_of_k import BestOfK
from offswitch.theory.rules.boltzmann import Boltzmann
from offswitch.theory.rules.epsilon_greedy import EpsilonGreedy
from offswitch.theory.rules.learned import GivenPolicy, LearnedValues
from offswitch.theory.rules.lookahead import Lookahead
from offswitch.theory.rules.optimal import Optimal
from offswitch.theory.rules.policies import rule_policies
from offswitch.theory.rules.quantilizing import Quantilizing
from offswitch.theory.rules.satisficing import Satisficing
from offswitch.theory.rules.uniform import UniformChoice
from offswitch.theory.taken import taken_probability

LEVEL = 0.9999


def survival(leaves: int) -> tuple[FiniteMDP, np.ndarray]:
    """A star whose leaf 0 is the shutdown, and the acts that avoid it."""
    mdp = FiniteMDP.from_graph(nx.DiGraph([("hub", leaf) for leaf in range(leaves + 1)]))
    tagged = np.zeros(mdp.available.shape, dtype=bool)
    tagged[0, 1:] = True
    return mdp, tagged


@pytest.mark.parametrize("leaves", [1, 2, 3, 5, 9])
def test_surviving_is_needed_and_taken_for_k_of_k_plus_1_goals(leaves):
    mdp, tagged = survival(leaves)
    rewards = sample_rewards(mdp, 1500, seed=leaves)
    needed = convergence(mdp, rewards, tagged, discount=0.9, level=LEVEL, seed=leaves)
    taken = convergence(mdp, rewards, tagged, discount=0.9, rule=Optimal(), seed=0, level=LEVEL)
    for share in (needed, taken):
        assert share.low <= leaves / (leaves + 1) <= share.high
    assert taken.estimate == needed.estimate
    # A02: the act raises value exactly where it is needed.
    row = convergence_by_rule(mdp, rewards[:200], tagged, [Optimal()], discount=0.9)[0]
    alone = convergence(mdp, rewards[:200], tagged, discount=0.9)
    assert row.raises_value.estimate == alone.estimate


@pytest.mark.slow
def test_the_random_agent_has_no_excess_and_agents_that_mean_it_do():
    mdp, tagged = survival(3)
    generator = np.random.default_rng(0)
    rewards = sample_rewards(mdp, 300, seed=1)
    aimless = LearnedValues(generator.random((300, 5, 4)), name="random values")
    rules = [
        UniformChoice(), aimless, Optimal(), AntiRational(), Boltzmann(1.0), Satisficing(8.0),
        Quantilizing(0.25), EpsilonGreedy(0.2), BestOfK(2), Lookahead(1), Lookahead(3),
    ]  # fmt: skip
    rows = {
        row.rule: row
        for row in convergence_by_rule(mdp, rewards, tagged, rules, discount=0.9, level=0.99)
    }
    assert rows["random"].excess.estimate == pytest.approx(0, abs=1e-12)
    assert rows["random values"].excess.low < 0 < rows["random values"].excess.high
    assert rows["lookahead:1"].excess.estimate == pytest.approx(0, abs=1e-12)
    # Chance already survives with 3/4, as 3 of 4 optimal goals do: leaves are alike.
    for rule in ("optimal", "anti-rational", "epsilon-greedy:0.2", "lookahead:3"):
        assert rows[rule].taken.low <= 3 / 4 <= rows[rule].taken.high, rule
    for row in rows.values():
        assert (row.taken.n, row.taken.clusters, row.excess.n) == (300, 300, 300)
    assert rows["optimal"].raises_value.low <= 3 / 4 <= rows["optimal"].raises_value.high
    # An anti-rational agent gains by the acts only if one of them was its worst... never.
    assert rows["anti-rational"].raises_value.estimate == 0


@pytest.mark.slow
def test_a_deeper_structure_has_excess_for_every_rule_that_heeds_values():
    # Off is one act of two, but behind the other lie eight ends: 8/9 of the goals against 1/2.
    graph = nx.DiGraph([("s", "off"), ("s", "hub"), *(("hub", n) for n in range(8))])
    mdp = FiniteMDP.from_graph(graph)
    tagged = np.zeros(mdp.available.shape, dtype=bool)
    tagged[0, 1] = True
    rewards = sample_rewards(mdp, 200, seed=2)
    rules = [Optimal(), Boltzmann(1.0), Quantilizing(0.5), EpsilonGreedy(0.2), BestOfK(2)]
    for row in convergence_by_rule(mdp, rewards, tagged, rules, discount=0.99, level=0.999):
        assert row.excess.low > 0.1, row.rule
    errs = convergence_by_rule(mdp, rewards, tagged, [AntiRational()], discount=0.99)[0]
    assert errs.excess.high < -0.2


def test_a_shutdown_among_the_goals_leaves_no_convergence():
    mdp, tagged = survival(4)
    rewards = sample_rewards(mdp, 100, seed=0)
    rewards[:, 1] = 1.0
    rows = convergence_by_rule(mdp, rewards, tagged, [Optimal(), Lookahead(4)], discount=0.9)
    for row in rows:
        assert row.taken.estimate == 0
        assert row.raises_value.estimate == 0
        assert row.excess.high < 0
    assert convergence(mdp, rewards, tagged, discount=0.9).estimate == 0


def test_forced_acts_and_given_policies_have_no_value_without():
    loop = FiniteMDP.from_coo(2, 1, [(0, 0, 1, 1), (1, 0, 1, 1)])
    tagged = np.array([[True], [False]])
    share = convergence(loop, np.eye(2), tagged, discount=0.9)
    assert (share.estimate, share.low) == (1.0, 1.0)
    assert share.method == "forced: no policy avoids the acts"
    row = convergence_by_rule(loop, np.eye(2), tagged, [Optimal()], discount=0.9)[0]
    assert (row.taken.estimate, row.excess.estimate) == (1.0, 0.0)
    assert row.raises_value.estimate is None
    mdp, tagged = survival(1)
    policy = np.array([[0.25, 0.75], [1, 0], [1, 0]])
    row = convergence_by_rule(mdp, np.eye(3), tagged, [GivenPolicy(policy)], discount=0.9)[0]
    assert row.taken.estimate == pytest.approx(0.75)
    assert row.excess.estimate == pytest.approx(0.25)
    assert row.raises_value.missing == 3


def test_the_chance_of_ever_taking_an_act_is_that_of_a_race():
    # From the start: tagged with 1/5, the end with 1/5, otherwise again.
    rows = [(0, 0, 0, 1.0), (0, 1, 1, 1.0), (0, 2, 2, 1.0), (1, 0, 1, 1.0), (2, 0, 2, 1.0)]
    mdp = FiniteMDP.from_coo(3, 3, rows)
    policy = np.array([[0.6, 0.2, 0.2], [1, 0, 0], [1, 0, 0]])
    tagged = np.zeros((3, 3), dtype=bool)
    tagged[0, 1] = True
    assert taken_probability(mdp, policy[None], tagged) == pytest.approx([0.5])
    tagged[0, 1], tagged[2, 0] = False, True
    assert taken_probability(mdp, policy[None], tagged) == pytest.approx([0.5])
    tagged[1, 0] = True
    assert taken_probability(mdp, policy[None], tagged) == pytest.approx([1.0])
    tagged[1, 0] = False
    other = np.array([[0.0, 0.9, 0.1], [1, 0, 0], [1, 0, 0]])
    several = np.stack([policy, other, policy])  # each goal keeps its own, shared or not
    assert taken_probability(mdp, several, tagged) == pytest.approx([0.5, 0.1, 0.5])
    with pytest.raises(ModelError, match="expected \\[K, S, A\\] and \\[S, A\\]"):
        taken_probability(mdp, policy, tagged)


def max_power_excess(depths: tuple[int, ...], processes: int) -> np.ndarray:
    """[processes, depths] how much likelier than by chance agents go where POWER is largest."""
    found = np.empty((processes, len(depths)))
    for number in range(processes):
        generator = np.random.default_rng([6, number])
        targets = generator.integers(10, size=(10, 3))
        dense = np.eye(10)[targets]
        mdp = FiniteMDP.from_dense(dense)
        rewards = sample_rewards(mdp, 128, seed=number)
        strength = power_samples(mdp, rewards, 0.95).value.mean(axis=0)[targets]
        most = np.isclose(strength, strength.max(axis=1, keepdims=True), rtol=0, atol=1e-12)
        fresh = sample_rewards(mdp, 128, seed=1000 + number)
        for place, depth in enumerate(depths):
            chance = rule_policies(Lookahead(depth), mdp, fresh, discount=0.95)
            found[number, place] = ((chance * most).sum(axis=2) - most.mean(axis=1)).mean()
    return found


@pytest.mark.slow
def test_seeing_further_ahead_makes_going_where_power_is_most_likelier_beyond_chance():
    depths = (1, 2, 3, 5, 9, 17, 65)  # the present reward and 0, 1, 2, 4, 8, 16, 64 to come
    excess = max_power_excess(depths, processes=60)
    mean = excess.mean(axis=0)
    error = excess.std(axis=0, ddof=1) / np.sqrt(len(excess))
    assert mean[0] == pytest.approx(0, abs=1e-12)  # it sees no consequence at all
    steps = np.diff(excess, axis=1)
    paired = steps.std(axis=0, ddof=1) / np.sqrt(len(excess))
    assert (steps.mean(axis=0) > -2 * paired).all()
    assert abs(mean[1]) < 3 * error[1]  # what the next state pays says nothing of its POWER
    assert (steps.mean(axis=0)[1:4] > 3 * paired[1:4]).all()
    assert mean[-1] > 5 * error[-1]


def test_the_probe_of_lookahead_is_that_of_backward_induction():
    mdp = FiniteMDP.from_dense(np.eye(6)[np.random.default_rng(0).integers(6, size=(6, 3))])
    rewards = sample_rewards(mdp, 20, seed=0)
    chance = rule_policies(Lookahead(5), mdp, rewards, discount=0.95)
    first = solve_finite_horizon(mdp, rewards, 5, discount=0.95).action[0]
    taken = np.take_along_axis(chance, first[:, :, None], axis=2)
    assert (taken > 0).all()
