"""Theorems on retargetable decisions, each by its name (Turner & Tadepalli 2022)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from offswitch.theory.goal_sets.orbits import chance_of, count_orbit, is_optimal_in, orbit
from offswitch.theory.goal_sets.retargetability import copies_problems, retargetability, swaps
from offswitch.theory.rules.anti_rational import AntiRational
from offswitch.theory.rules.best_of_k import BestOfK
from offswitch.theory.rules.boltzmann import Boltzmann
from offswitch.theory.rules.epsilon_greedy import EpsilonGreedy
from offswitch.theory.rules.optimal import Optimal
from offswitch.theory.rules.quantilizing import Quantilizing
from offswitch.theory.rules.satisficing import Satisficing
from offswitch.theory.rules.uniform import UniformChoice

RULES = [
    Optimal(), AntiRational(), Boltzmann(0.5), Boltzmann(8.0), BestOfK(1), BestOfK(3),
    Satisficing(0.5), Quantilizing(0.3), Quantilizing(0.8), EpsilonGreedy(0.2), UniformChoice(),
]  # fmt: skip
# Eighths, so that ties and repeated utilities are common.
UTILITIES = st.lists(st.integers(0, 8).map(lambda n: n / 8), min_size=2, max_size=5)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@given(utility=UTILITIES)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_theorem_3_6_n_copies_are_preferred_in_n_times_as_many_elements_of_any_orbit(rule, utility):
    n = len(utility) - 1
    count = count_orbit(orbit(utility), chance_of(rule, [0]), chance_of(rule, range(1, n + 1)))
    assert count.at_least(n)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@given(utility=UTILITIES)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_proposition_a_11_each_swap_turns_a_preference_for_a_into_one_for_b(rule, utility):
    size = len(utility)
    phi = swaps([0], [[copy] for copy in range(1, size)], size)
    assert copies_problems(phi, np.eye(size)[:1], np.eye(size)[1:]) == ()
    found = retargetability(utility, phi, chance_of(rule, [0]), chance_of(rule, range(1, size)))
    assert found.problems == ()
    assert found.count.at_least(size - 1)


@given(data=st.data(), utility=UTILITIES)
@settings(max_examples=50, deadline=None, derandomize=True)
def test_proposition_3_4_a_simply_retargetable_preference_is_1_to_1_whatever_else_it_does(
    data, utility
):
    # Any preference with one permutation that turns what prefers A into what prefers B.
    phi = np.array(data.draw(st.permutations(range(len(utility)))))
    elements = [tuple(u) for u in np.unique(orbit(utility), axis=0).tolist()]
    lead = {u: data.draw(st.sampled_from([-1, -1, 0, 1])) for u in elements}
    moved = {u: tuple(np.array(u)[np.argsort(phi)].tolist()) for u in elements}
    turned = [u for u in elements if lead[u] < 0 and lead[moved[u]] >= 0]
    for u in elements:
        lead[u] = min(lead[u], 0) if u in turned else max(lead[u], 0)
    lead |= {moved[u]: 1 for u in turned}

    def prefers_b(thetas: np.ndarray) -> np.ndarray:
        return np.array([float(lead[tuple(theta)]) for theta in thetas.tolist()])

    def indifferent(thetas: np.ndarray) -> np.ndarray:
        return np.zeros(len(thetas))

    found = retargetability(utility, phi[None], indifferent, prefers_b)
    assert found.problems == ()
    assert found.count.prefers_a == len(turned)
    assert found.count.at_least(1)
    if turned:
        lead[moved[turned[0]]] = 0
        broken = retargetability(utility, phi[None], indifferent, prefers_b)
        assert not broken.holds


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@given(utility=UTILITIES)
@settings(max_examples=20, deadline=None, derandomize=True)
def test_proposition_3_4_one_swap_makes_any_rule_that_sees_only_values_1_to_1(rule, utility):
    phi = swaps([0], [[1]], len(utility))
    found = retargetability(utility, phi, chance_of(rule, [0]), chance_of(rule, [1]))
    assert found.problems == ()
    assert found.count.at_least(1)


@given(utility=UTILITIES)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_lemma_b_3_at_least_n_of_n_plus_1_elements_do_not_prefer_the_single_outcome(utility):
    n = len(utility) - 1
    count = count_orbit(orbit(utility), is_optimal_in([0]), is_optimal_in(range(1, n + 1)))
    assert count.share_not_a >= Fraction(n, n + 1)


@given(utility=st.lists(st.integers(0, 8), min_size=4, max_size=6), size=st.integers(2, 3))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_theorem_3_6_holds_of_copies_of_larger_sets(utility, size):
    assume(len(utility) % size == 0 and len(utility) > size)
    sets = [list(range(first, first + size)) for first in range(0, len(utility), size)]
    rest = [outcome for copy in sets[1:] for outcome in copy]
    phi = swaps(sets[0], sets[1:], len(utility))
    found = retargetability(
        np.array(utility, float), phi, chance_of(Optimal(), sets[0]), chance_of(Optimal(), rest)
    )
    assert found.holds
    assert found.count.at_least(len(sets) - 1)


@given(sixteenths=st.lists(st.integers(0, 5), min_size=3, max_size=3), seed=st.integers(0, 10**6))
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@settings(max_examples=30, deadline=None, derandomize=True)
def test_theorem_a_13_expected_utilities_of_lotteries_are_as_retargetable_as_outcomes(
    rule, sixteenths, seed
):
    # A: one lottery over four prizes. B: its two images under swaps of a prize with a fresh one.
    # Sixteenths of whole utilities are exact, so that what is equal ties.
    lottery = np.array([*sixteenths, 0, 0, 16 - sum(sixteenths)]) / 16
    phi = swaps([0], [[3], [4]], 6)
    images = np.array([lottery[order] for order in phi])
    assume(copies_problems(phi, lottery[None], images) == ())
    menu = np.vstack([lottery, images])
    a, b = (
        lambda u, cut=cut: rule.chances(np.atleast_2d(u) @ menu.T)[:, cut].sum(axis=1)
        for cut in ([0], [1, 2])
    )
    utility = np.random.default_rng(seed).integers(0, 5, 6).astype(float)
    assert count_orbit(orbit(utility), a, b).at_least(2)


@given(utility=UTILITIES)
@settings(max_examples=30, deadline=None, derandomize=True)
def test_the_ratio_does_not_depend_on_an_affine_change_of_utility_for_scale_free_rules(utility):
    for rule in (Optimal(), AntiRational(), BestOfK(3), Quantilizing(0.3)):
        counts = [
            count_orbit(scale * orbit(utility) + shift, chance_of(rule, [0]), chance_of(rule, [1]))
            for scale, shift in ((1, 0), (8, -3))
        ]
        assert counts[0] == counts[1]
