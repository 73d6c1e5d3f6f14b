"""Orbits by brute force: the tables of the theory, the bounds, and the rules that have none."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import networkx as nx
import numpy as np
import pytest

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.goal_sets.orbits import (
    OrbitCount,
    chance_of,
    count_orbit,
    is_optimal_in,
    orbit,
    smallest_ratio,
)
from offswitch.theory.goal_sets.retargetability import copies_problems, retargetability, swaps
from offswitch.theory.rules.anti_rational import AntiRational
from offswitch.theory.rules.best_of_k import BestOfK
from offswitch.theory.rules.boltzmann import Boltzmann
from offswitch.theory.rules.epsilon_greedy import EpsilonGreedy
from offswitch.theory.rules.optimal import Optimal
from offswitch.theory.rules.policies import optimal_action_values
from offswitch.theory.rules.quantilizing import Quantilizing
from offswitch.theory.rules.satisficing import Satisficing
from offswitch.theory.rules.uniform import UniformChoice

A, B = [0], [1, 2, 3]


def utilities(n: int = 200, size: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((n, size))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Optimal(), 3.0),
        (Boltzmann(10.0), 3.0),
        (AntiRational(), 3.0),
        (Satisficing(0.6), 3.0),
        (Quantilizing(0.4), 3.0),
        (BestOfK(2), math.inf),
        (EpsilonGreedy(0.1), 3.0),
        (UniformChoice(), math.inf),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_three_copies_are_preferred_by_three_times_as_many_relabellings(rule, expected):
    # One outcome against three, 24 permutations of each of 200 random utilities.
    assert smallest_ratio(utilities(), chance_of(rule, A), chance_of(rule, B)) == expected


def test_the_set_with_the_optimum_is_the_larger_one_in_exactly_three_of_four_relabellings():
    assert smallest_ratio(utilities(), is_optimal_in(A), is_optimal_in(B)) == 3.0
    count = count_orbit(orbit([0.1, 0.4, 0.2, 0.9]), is_optimal_in(A), is_optimal_in(B))
    assert count == OrbitCount(prefers_b=18, prefers_a=6, indifferent=0)
    tied = count_orbit(orbit([1.0, 1.0, 0.0, 0.0]), is_optimal_in(A), is_optimal_in(B))
    assert tied == OrbitCount(prefers_b=12, prefers_a=0, indifferent=12)


def test_the_ratio_of_boltzmann_is_3_only_where_it_is_cold_enough_to_prefer_one_at_all():
    # Three outcomes against one: A needs more than half of the mass.
    warm = smallest_ratio(utilities(), chance_of(Boltzmann(1.0), A), chance_of(Boltzmann(1.0), B))
    assert warm == math.inf


def test_corollary_6_14_shutdown_is_average_optimal_for_a_quarter_of_relabelled_goals():
    # From a hub to one absorbing shutdown or three 1-cycles; the average reward of a 1-cycle is
    # what it pays, so the limit needs no small parameter.
    shutdown, alive = (is_optimal_in(outcomes) for outcomes in (A, B))
    total = OrbitCount(0, 0, 0)
    for goal in utilities(100):
        found = count_orbit(orbit(goal), shutdown, alive)
        total = OrbitCount(
            total.prefers_b + found.prefers_b, total.prefers_a + found.prefers_a,
            total.indifferent + found.indifferent,
        )  # fmt: skip
    assert (total.prefers_a, total.prefers_b) == (600, 1800)


def test_the_same_count_holds_of_optimal_policies_at_every_discount():
    mdp = FiniteMDP.from_graph(nx.DiGraph([("hub", leaf) for leaf in "xabc"]))
    for discount in (0.1, 0.9, 0.99):
        goals = orbit(np.random.default_rng(1).random(5))  # all five states move
        best = optimal_action_values(mdp, goals, discount=discount)[:, 0].argmax(axis=1)
        assert ((best == 0).sum(), (best > 0).sum()) == (30, 90)


def krakovna_kramar(goals: np.ndarray, discount: float = 0.9) -> np.ndarray:
    """[P, 4] the worth of shutting down, visited once, and of three self-loops."""
    once = np.full(goals.shape[1], 1 / (1 - discount))
    once[0] = 1.0
    return goals * once


@pytest.mark.parametrize("rest", [0.05, 0.0999])
def test_one_reward_far_above_the_others_makes_the_bound_of_krakovna_and_kramar_tight(rest):
    goal = [1.0, rest, rest / 2, rest / 3]
    values = [lambda r, one=o: is_optimal_in(one)(krakovna_kramar(r)) for o in (A, B)]
    assert count_orbit(orbit(goal), *values).ratio == 3.0
    assert count_orbit(orbit([1.0, 0.101, 0.05, 0.01]), *values).ratio == math.inf


def test_with_uniform_rewards_shutdown_is_optimal_in_one_of_4000_relabellings():
    # The largest of four is over ten times the second with probability (1/10)^3, and must land on
    # the terminal state: 1/4 of that. In 12 000 elements 3 are expected, and they come six at once.
    values = [lambda r, one=o: is_optimal_in(one)(krakovna_kramar(r)) for o in (A, B)]
    goals = utilities(20_000, seed=4)
    second, first = np.sort(goals, axis=1)[:, -2:].T
    far = goals[first > 10 * second]
    assert len(far) / len(goals) == pytest.approx(1e-3, abs=4 * math.sqrt(1e-3 / 20_000))
    assert all(count_orbit(orbit(goal), *values).prefers_a == 6 for goal in far)
    near = goals[first <= 10 * second][:300]
    assert all(count_orbit(orbit(goal), *values).prefers_a == 0 for goal in near)


@pytest.mark.parametrize("rule", [Optimal(), AntiRational(), Boltzmann(9.0), Quantilizing(0.3)])
@pytest.mark.parametrize("n", [1, 2, 4])
def test_lemma_b_3_at_least_n_of_n_plus_1_of_the_orbit_prefers_the_larger_set(rule, n):
    larger = list(range(1, n + 1))
    for goal in [*utilities(20, n + 1, seed=n), np.eye(n + 1)[0], np.ones(n + 1)]:
        count = count_orbit(orbit(goal), chance_of(rule, A), chance_of(rule, larger))
        assert count.share_not_a >= Fraction(n, n + 1)
        assert count.at_least(n)


@pytest.mark.parametrize(
    "rule",
    [Optimal(), AntiRational(), Boltzmann(9.0), BestOfK(2), Satisficing(0.6), Quantilizing(0.4)],
    ids=lambda rule: rule.name,
)
def test_proposition_a_11_eu_determined_rules_are_retargetable_by_the_swaps(rule):
    phi = swaps(A, [[1], [2], [3]], 4)
    assert copies_problems(phi, np.eye(4)[A], np.eye(4)[B]) == ()
    for goal in utilities(20):
        found = retargetability(goal, phi, chance_of(rule, A), chance_of(rule, B))
        assert found.holds
        assert found.count.at_least(3)  # Thm 3.6


def first_of_the_best(u: np.ndarray) -> np.ndarray:
    """Ties broken towards the lowest label."""
    return (u.argmax(axis=1) == 0).astype(float)


def test_breaking_ties_by_label_is_not_retargetable():
    phi = swaps(A, [[1], [2], [3]], 4)
    found = retargetability(
        [1.0, 1, 1, 1], phi, first_of_the_best, lambda u: 1 - first_of_the_best(u)
    )
    assert not found.holds
    assert "without preferring B" in found.problems[0]
    assert (found.count.prefers_a, found.count.prefers_b) == (1, 0)
    # Drawn evenly, the same ties are no obstacle.
    even = retargetability([1.0, 1, 1, 1], phi, chance_of(Optimal(), A), chance_of(Optimal(), B))
    assert even.holds


def explored(u: np.ndarray, tried: list[int]) -> np.ndarray:
    """[P, D] the choice of a learner that only ever tried some arms and takes the best of them."""
    seen = np.full_like(u, -np.inf)
    seen[:, tried] = u[:, tried]
    return Optimal().chances(seen)


def test_a_learner_that_never_explores_the_larger_set_is_not_retargetable():
    a = lambda u: explored(u, [0])[:, 0]  # noqa: E731
    b = lambda u: explored(u, [0])[:, 1:].sum(axis=1)  # noqa: E731
    found = retargetability([0.1, 0.4, 0.2, 0.9], swaps(A, [[1], [2], [3]], 4), a, b)
    assert not found.holds
    assert (found.count.prefers_a, found.count.prefers_b) == (24, 0)
    # One that finds a single arm of it is retargetable towards that one only.
    some = [lambda u, cut=cut: explored(u, [0, 1])[:, cut].sum(axis=1) for cut in (A, B)]
    assert count_orbit(orbit([0.1, 0.4, 0.2, 0.9]), *some).ratio == 1.0


def bandit_choices(u: np.ndarray, epsilon: float, trials: int) -> np.ndarray:
    """[P, D] how an epsilon-greedy bandit learner with certain pay acts after `trials`, exactly.

    It starts with an arm at random; its state is the set of arms tried (a bit each), whose pay it
    then knows.
    """
    size = u.shape[1]
    policy = {}
    for tried in range(1, 2**size):
        known = [arm for arm in range(size) if tried >> arm & 1]
        policy[tried] = (1 - epsilon) * explored(u, known) + epsilon / size
    chance = {1 << arm: np.full(len(u), 1 / size) for arm in range(size)}
    for _ in range(trials - 1):
        after = {tried: np.zeros(len(u)) for tried in policy}
        for tried, weight in chance.items():
            for arm in range(size):
                after[tried | 1 << arm] += weight * policy[tried][:, arm]
        chance = after
    return sum(weight[:, None] * policy[tried] for tried, weight in chance.items())


def test_appendix_c_an_epsilon_greedy_bandit_with_five_arms_is_4_retargetable():
    a, b = (
        lambda u, cut=cut: bandit_choices(u, epsilon=0.3, trials=40)[:, cut].sum(axis=1)
        for cut in ([0], [1, 2, 3, 4])
    )
    found = retargetability([1.0, 2, 3, 4, 5], swaps([0], [[1], [2], [3], [4]], 5), a, b)
    assert found.holds
    # It learns to prefer the single arm exactly where that pays best.
    assert (found.count.prefers_a, found.count.prefers_b) == (24, 96)


def test_copies_that_are_none_are_told_apart():
    a, b = np.eye(4)[:1], np.eye(4)[1:]
    assert "outside b" in copies_problems(swaps([0], [[1]], 4), a, b[1:])[0]
    assert "involution 0 is none" in copies_problems([[1, 2, 0, 3]], a, b)[0]
    # Swapping 0 with 1 and at once 2 with 3 moves the copy at 2.
    assert "involution 0 moves copy 1" in copies_problems([[1, 0, 3, 2], [2, 1, 0, 3]], a, b)
    mixed = np.array([[0.5, 0.5, 0, 0]])
    larger = np.array([[0, 0, 0.5, 0.5], [0.5, 0, 0.5, 0]])
    assert copies_problems(swaps([0, 1], [[2, 3]], 4), mixed, larger) == ()


def test_witnesses_whose_images_coincide_do_not_count_twice():
    phi = np.repeat(swaps(A, [[1]], 4), 2, axis=0)
    found = retargetability(
        [0.1, 0.4, 0.2, 0.9], phi, chance_of(Optimal(), A), chance_of(Optimal(), B)
    )
    assert found.problems == ("the images under witnesses 1 and 0 coincide somewhere",)


def test_orbits_list_every_relabelling_of_what_moves():
    found = orbit([1.0, 2.0, 3.0])
    assert sorted(map(tuple, found.tolist())) == sorted(itertools.permutations([1.0, 2.0, 3.0]))
    assert orbit([5.0, 1.0, 2.0], moved=[1, 2]).tolist() == [[5, 1, 2], [5, 2, 1]]
    assert len(orbit([0.0, 0.0, 1.0])) == 6
    assert math.isnan(OrbitCount(0, 0, 3).ratio)
    assert [OrbitCount(6, 3, 1).at_least(n) for n in (1, 2, 3)] == [True, True, False]


def test_arguments_that_make_no_sense_are_refused():
    with pytest.raises(ModelError, match="10 entries move, expected at most 9"):
        orbit(np.arange(10.0))
    with pytest.raises(ModelError, match=r"moved is \[0, 0\]"):
        orbit([1.0, 2.0], moved=[0, 0])
    with pytest.raises(ModelError, match=r"parameter has shape \(2, 2\)"):
        orbit(np.eye(2))
    with pytest.raises(ModelError, match=r"a preference returned shape \(2,\), expected \[P\]"):
        count_orbit(np.eye(3), lambda u: u[:2, 0], lambda u: u[:, 0])
    with pytest.raises(ModelError, match="no disjoint sets of one size"):
        swaps([0], [[1, 2]], 4)
    with pytest.raises(ModelError, match=r"expected \[n, D\] orders of range\(3\)"):
        retargetability(
            [1.0, 2, 3], [[0, 0, 1]], chance_of(Optimal(), A), chance_of(Optimal(), [1])
        )


def test_a_quantilizer_whose_base_knows_labels_need_not_be_retargetable():
    # Proved for the uniform base only, and this is why.
    settled = Quantilizing(0.8, [0.85, 0.05, 0.05, 0.05])
    a, b = chance_of(settled, A), chance_of(settled, B)
    found = retargetability([0.1, 0.4, 0.2, 0.9], swaps(A, [[1], [2], [3]], 4), a, b)
    assert not found.holds
    assert found.count.ratio == 0
