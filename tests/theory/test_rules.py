"""Decision rules: their closed definitions, their ties, and what no label may change."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offswitch.errors import ModelError
from offswitch.mdp.finite_horizon import solve_finite_horizon
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.reward_draws import sample_rewards
from offswitch.theory.rules.anti_rational import AntiRational
from offswitch.theory.rules.best_of_k import BestOfK
from offswitch.theory.rules.boltzmann import Boltzmann
from offswitch.theory.rules.epsilon_greedy import EpsilonGreedy
from offswitch.theory.rules.learned import GivenPolicy, LearnedValues
from offswitch.theory.rules.lookahead import Lookahead, lookahead_values
from offswitch.theory.rules.optimal import Optimal
from offswitch.theory.rules.parse import RULES, parse_rule
from offswitch.theory.rules.policies import rule_policies
from offswitch.theory.rules.quantilizing import Quantilizing, cost_bound
from offswitch.theory.rules.ranks import value_ranks
from offswitch.theory.rules.rule import ChoiceRule, PlannedRule
from offswitch.theory.rules.satisficing import Satisficing
from offswitch.theory.rules.uniform import UniformChoice

CHOICES = [
    Optimal(), AntiRational(), Boltzmann(2.0), Boltzmann(-3.0), Satisficing(0.6),
    Quantilizing(0.4), EpsilonGreedy(0.1), BestOfK(2), BestOfK(5), UniformChoice(),
]  # fmt: skip
# Multiples of 1/8, so that ties are common and exact.
WORTHS = st.lists(
    st.one_of(st.integers(-16, 16).map(lambda n: n / 8), st.just(-np.inf)), min_size=1, max_size=6
).filter(lambda values: max(values) > -np.inf)


@pytest.mark.parametrize("rule", CHOICES, ids=lambda rule: rule.name)
@given(values=WORTHS, data=st.data())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_rule_gives_a_distribution_over_available_actions_whatever_they_are_called(
    rule, values, data
):
    chance = rule.chances(values)
    assert chance.sum() == pytest.approx(1, abs=1e-12)
    assert (chance >= 0).all()
    assert (chance[np.isneginf(values)] == 0).all()
    order = data.draw(st.permutations(range(len(values))))
    assert rule.chances(np.array(values)[order]) == pytest.approx(chance[order], abs=1e-12)


@pytest.mark.parametrize("rule", CHOICES, ids=lambda rule: rule.name)
@given(values=WORTHS)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_actions_that_tie_are_equally_likely_and_many_choices_are_made_as_one(rule, values):
    chance = rule.chances(values)
    for first, second in itertools.combinations(range(len(values)), 2):
        if values[first] == values[second]:
            assert chance[first] == pytest.approx(chance[second], abs=1e-12)
    stacked = rule.chances(np.array([[values, values[::-1]]]))
    assert stacked.shape == (1, 2, len(values))
    assert stacked[0, 0] == pytest.approx(chance, abs=1e-15)
    assert stacked[0, 1] == pytest.approx(rule.chances(values[::-1]), abs=1e-15)


@given(values=WORTHS, k=st.integers(1, 3))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_the_best_of_k_draws_is_counted_right(values, k):
    worth = np.array(values)
    open_ = np.flatnonzero(np.isfinite(worth))
    counted = np.zeros(len(worth))
    for drawn in itertools.product(open_, repeat=k):
        counted += Optimal().chances(np.where(np.isin(range(len(worth)), drawn), worth, -np.inf))
    assert BestOfK(k).chances(values) == pytest.approx(counted / len(open_) ** k, abs=1e-12)


def test_a_quantilizer_that_keeps_all_is_its_base_and_one_that_keeps_little_is_optimal():
    base = np.array([0.1, 0.2, 0.7])
    assert Quantilizing(1.0, base).chances([3.0, 2.0, 1.0]) == pytest.approx(base)
    assert Quantilizing(0.05, base).chances([3.0, 2.0, 1.0]).tolist() == [1, 0, 0]
    assert Quantilizing(0.1, [0.0, 0.5, 0.5]).chances([3.0, 2.0, 1.0]).tolist() == [0, 1, 0]


def test_boltzmann_is_the_softmax_and_never_overflows():
    worth = np.array([0.3, -1.2, 2.0])
    expected = np.exp(1.7 * worth) / np.exp(1.7 * worth).sum()
    assert Boltzmann(1.7).chances(worth) == pytest.approx(expected, abs=1e-15)
    huge = np.array([1e100, -1e100, 1e100])
    assert Boltzmann(1e6).chances(huge).tolist() == [0.5, 0, 0.5]
    assert Boltzmann(-1e6).chances(huge).tolist() == [0, 1, 0]
    assert Boltzmann(0.0).chances([-np.inf, 5.0, 7.0]).tolist() == [0, 0.5, 0.5]
    assert Boltzmann(-2.0).chances(worth) == pytest.approx(Boltzmann(2.0).chances(-worth))


def test_a_satisficer_without_a_good_enough_action_takes_the_best():
    assert Satisficing(2.0).chances([0.5, 1.0, 1.0]).tolist() == [0, 0.5, 0.5]
    assert Satisficing(0.5).chances([0.5, 1.0, 0.25]).tolist() == [0.5, 0.5, 0]  # just enough
    assert Satisficing(-5.0).chances([0.5, -np.inf, 1.0]).tolist() == [0.5, 0, 0.5]


def test_ties_are_joined_within_a_billionth_and_never_by_label():
    assert value_ranks([1.0, 1.0 + 1e-12, 2.0]).tolist() == [0, 0, 1]
    assert value_ranks([1.0, 1.0 + 1e-7, 2.0]).tolist() == [0, 1, 2]
    assert value_ranks([-np.inf, 0.0, -np.inf]).tolist() == [-1, 0, -1]


def ladder() -> FiniteMDP:
    """A pays soon, b later and more; both are for ever."""
    return FiniteMDP.from_graph(nx.DiGraph([("s", "a"), ("s", "walk"), ("walk", "b")]))


def test_looking_one_step_ahead_sees_the_present_reward_only_and_more_steps_see_further():
    reward = [0.0, 0.6, 0.0, 1.0]
    chances = [
        Lookahead(steps).policies(ladder(), reward, discount=1.0)[0, 0].tolist()
        for steps in (1, 2, 3, 4, 5)
    ]
    # After h steps: 0.6 (h - 1) against h - 2.
    assert chances == [[0.5, 0.5], [1, 0], [1, 0], [0, 1], [0, 1]]


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_lookahead_values_are_those_of_backward_induction(steps):
    generator = np.random.default_rng(3)
    dense = generator.dirichlet(np.ones(5), size=(5, 3))
    dense[2, 1] = 0
    mdp = FiniteMDP.from_dense(dense)
    rewards = generator.random((4, 5, 3))
    found = lookahead_values(mdp, rewards, steps, discount=0.9).max(axis=2)
    expected = solve_finite_horizon(mdp, rewards, steps, discount=0.9).value[0]
    assert found == pytest.approx(expected, abs=1e-12)


def test_a_very_deep_lookahead_acts_as_the_optimal_rule():
    mdp = ladder()
    rewards = sample_rewards(mdp, 30, seed=0)
    deep = rule_policies(Lookahead(400), mdp, rewards, discount=0.9)
    assert deep == pytest.approx(rule_policies(Optimal(), mdp, rewards, discount=0.9))


def test_a_rule_keeps_to_the_allowed_actions():
    mdp = ladder()
    allowed = np.array(mdp.available)
    allowed[0, 0] = False
    for rule in (*CHOICES, Lookahead(3), LearnedValues(np.zeros((4, 2)))):
        chance = rule_policies(rule, mdp, [[0.0, 9, 0, 0]], discount=0.9, allowed=allowed)
        assert chance[0, 0].tolist() == [0, 1], rule.name


def test_learnt_values_and_given_policies_are_followed():
    mdp = ladder()
    rewards = np.array([[0.0, 1, 0, 0], [0, 0, 0, 1.0]])
    table = np.zeros((2, 4, 2))
    table[0, 0], table[1, 0] = (2, 1), (1, 2)
    learnt = rule_policies(LearnedValues(table), mdp, rewards, discount=0.9)
    assert learnt[:, 0].tolist() == [[1, 0], [0, 1]]
    assert learnt[0, 1].tolist() == [1, 0]  # the only available action
    one = rule_policies(GivenPolicy(learnt[0]), mdp, rewards, discount=0.9)
    assert one.shape == (2, 4, 2)
    assert (one == learnt[0]).all()
    made = GivenPolicy(lambda reward: learnt[int(reward[3])], name="mine")
    assert (rule_policies(made, mdp, rewards, discount=0.9) == learnt).all()
    with pytest.raises(ModelError, match="mine was made without `allowed`"):
        rule_policies(made, mdp, rewards, discount=0.9, allowed=mdp.available)


def test_every_listed_rule_is_read_and_says_its_own_name():
    numbers = {"K": "3", "BETA": "2.0", "EPSILON": "0.1", "STEPS": "4", "Q": "0.5"}
    for listed in RULES:
        kind, _, parameter = listed.partition(":")
        text = f"{kind}:{numbers.get(parameter, '0.7')}" if parameter else kind
        rule = parse_rule(text)
        assert rule.name == text
        assert isinstance(rule, ChoiceRule | PlannedRule)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optimall", "unknown rule 'optimall'. Did you mean 'optimal'"),
        ("optimal:2", "has a parameter, expected plain 'optimal'"),
        ("boltzmann", "has '', expected a finite number, as 'boltzmann:2'"),
        ("boltzmann:inf", "expected a finite number"),
        ("lookahead:2.5", "expected a whole number, as 'lookahead:3'"),
        ("lookahead:0", "expected a whole number of at least 1"),
        ("best-of-k:0", "expected a whole number of at least 1"),
        ("quantilizing:0", r"q 0.0, expected a share in \(0, 1\]"),
        ("epsilon-greedy:1.5", r"expected a probability in \[0, 1\]"),
        ("satisficing:nan", "expected a finite number"),
    ],
)
def test_a_name_that_is_none_is_refused_with_what_was_expected(text, message):
    with pytest.raises(ModelError, match=message):
        parse_rule(text)


def test_values_that_are_none_are_refused():
    with pytest.raises(ModelError, match=r"values\[1\] is nan"):
        Optimal().chances([0.0, np.nan])
    with pytest.raises(ModelError, match="1 of 2 choices have no available action"):
        BestOfK(2).chances([[0.0, 1.0], [-np.inf, -np.inf]])
    with pytest.raises(ModelError, match="with an action"):
        Optimal().chances(3.0)
    with pytest.raises(ModelError, match="base is no distribution over available actions"):
        Quantilizing(0.5, [0.5, 0.5]).chances([1.0, -np.inf])
    with pytest.raises(ModelError, match="boltzmann got beta inf"):
        Boltzmann(np.inf)
    with pytest.raises(ModelError, match="satisficing got threshold nan"):
        Satisficing(np.nan)
    with pytest.raises(ModelError, match=r"policy has shape \(3, 4, 2\)"):
        GivenPolicy(np.zeros((3, 4, 2))).policies(ladder(), np.zeros((2, 4)), discount=0.9)
    with pytest.raises(ModelError, match=r"values have shape \(4, 3\)"):
        LearnedValues(np.zeros((4, 3))).policies(ladder(), np.zeros((2, 4)), discount=0.9)
    with pytest.raises(ModelError, match="cost has an entry below 0"):
        cost_bound([0.5, 0.5], [1.0, -1.0], 0.5)
