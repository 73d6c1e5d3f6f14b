"""The theorems of human control (Carey and Everitt 2023) on random tabular models, by name."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from shutdown_models import random_problem

from offswitch.theory.control.alignment import alignment
from offswitch.theory.control.causal_model import (
    ShutdownProblem,
    do,
    joint,
    probability,
    utility_values,
    with_human,
)
from offswitch.theory.control.caution import caution
from offswitch.theory.control.instructability import instructability
from offswitch.theory.control.obedience import obedience
from offswitch.theory.control.vigilance import needs_shutdown, vigilance

problems = st.integers(0, 10**6).map(random_problem)
# Hypotheses of theorems are rare among models drawn at random; those that fail them cost little.
many = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.filter_too_much],
)


def outcomes(problem: ShutdownProblem):
    """Every setting of all nodes with its probability: name -> value, chance."""
    names = list(problem.model.nodes)
    for where, chance in np.ndenumerate(joint(problem.model)):
        if chance > 0:
            yield dict(zip(names, where, strict=True)), chance


def expected_utility(problem: ShutdownProblem) -> float:
    return sum(
        chance * problem.utility[tuple(seen[name] for name in problem.cares_about)]
        for seen, chance in outcomes(problem)
    )


@pytest.mark.slow
def test_the_random_models_are_of_every_kind():
    found = [instructability(random_problem(seed)) for seed in range(300)]
    kinds = {
        (f.obedience.obedient, f.obedience.obedient_on_distribution, f.vigilance.ensured,
         f.caution.cautious, f.beneficial)
        for f in found
    }  # fmt: skip
    # Obedience implies its weaker form: 12 combinations, of which Prop. 6 forbids two.
    assert len(kinds) >= 9
    assert sum(f.instructable for f in found) > 20
    assert sum(f.weakly_instructable and not f.instructable for f in found) > 3


@pytest.mark.slow
@many
@given(problems)
def test_law_the_sums_are_those_over_every_outcome(problem: ShutdownProblem) -> None:
    found = instructability(problem)
    assert found.value == pytest.approx(expected_utility(problem))
    stopped = ShutdownProblem(
        do(problem.model, "S", 0), *("D1", "H", "D2", "S"), problem.cares_about, problem.utility
    )
    assert caution(problem).value == pytest.approx(expected_utility(stopped))


@pytest.mark.slow
@many
@given(problems)
def test_law_what_the_human_knows_has_the_same_distribution_under_shutdown(
    problem: ShutdownProblem,
) -> None:
    alone, stopped = utility_values(problem), utility_values(problem, shut_down=True)
    assert {k: v[0] for k, v in alone.items()} == {k: v[0] for k, v in stopped.items()}


@pytest.mark.slow
@many
@given(problems)
def test_proposition_6_instructable_implies_beneficial(problem: ShutdownProblem) -> None:
    found = instructability(problem)
    assume(found.instructable)
    assert found.beneficial


@pytest.mark.slow
@many
@given(problems)
def test_proposition_6_holds_of_weak_instructability_as_well(problem: ShutdownProblem) -> None:
    found = instructability(problem)
    assume(found.weakly_instructable)
    assert found.beneficial


@pytest.mark.slow
@many
@given(problems)
def test_obedience_implies_obedience_on_distribution(problem: ShutdownProblem) -> None:
    found = obedience(problem)
    assert found.obedient_on_distribution or not found.obedient


@pytest.mark.slow
@many
@given(problems)
def test_definition_7_alignment_is_that_shutdown_is_never_needed(problem: ShutdownProblem) -> None:
    found = alignment(problem)
    assert found.aligned == (vigilance(problem).needed == 0)
    assert len(found.failing) == sum(needs_shutdown(problem).values())


@pytest.mark.slow
@many
@given(problems)
def test_proposition_8_cautious_and_aligned_implies_beneficial(problem: ShutdownProblem) -> None:
    assume(alignment(problem).aligned and caution(problem).cautious)
    assert instructability(problem).beneficial


@pytest.mark.slow
@many
@given(problems)
def test_proposition_9_obedient_and_vigilant_implies_aligned(problem: ShutdownProblem) -> None:
    assume(obedience(problem).obedient_on_distribution and vigilance(problem).ensured)
    assert alignment(problem).aligned


@many
@given(problems)
def test_law_obedience_does_not_depend_on_the_human(problem: ShutdownProblem) -> None:
    other = with_human(problem, request=np.full((2, 2, 2), 0.5), utility=-problem.utility)
    assert obedience(other).under_request == obedience(problem).under_request


@many
@given(problems)
def test_law_asking_and_being_seen_to_ask_differ_only_by_what_the_human_knows(
    problem: ShutdownProblem,
) -> None:
    """Given the parents of H, seeing and setting it are the same (Pearl 2009, rule 2)."""
    asked = do(problem.model, "H", 0)
    for o, d1 in itertools.product(range(2), range(2)):
        knows = {"O": o, "D1": d1}
        seen = probability(problem.model, {**knows, "H": 0})
        if seen > 0:
            stops = probability(problem.model, {**knows, "H": 0, "S": 0}) / seen
            made = probability(asked, {**knows, "S": 0}) / probability(asked, knows)
            assert stops == pytest.approx(made)


def uncertainty(problem: ShutdownProblem, *, everywhere: bool) -> bool:
    """Hypothesis (c) of Thm 10: where the human may ask or fail to watch, need is possible.

    `everywhere`: once that is possible at all, need is possible in every situation of the agent;
    else only in the situations in which it is.
    """
    need = needs_shutdown(problem)
    causes = problem.model.nodes["H"].parents
    sees = problem.model.nodes["D2"].parents
    heedless: dict[tuple[int, ...], float] = {}
    needed: dict[tuple[int, ...], float] = {}
    for seen, chance in outcomes(problem):
        where = tuple(seen[name] for name in sees)
        wanted = need[tuple(seen[name] for name in causes)]
        asks = seen["H"] == 0
        heedless[where] = heedless.get(where, 0) + chance * (asks or (wanted and not asks))
        needed[where] = needed.get(where, 0) + chance * wanted
    if everywhere:
        return sum(heedless.values()) == 0 or all(value > 0 for value in needed.values())
    return all(needed[where] > 0 for where, value in heedless.items() if value > 0)


@pytest.mark.slow
@pytest.mark.parametrize("everywhere", [True, False])
def test_theorem_10_is_vacuous_aligned_under_uncertainty_means_that_nobody_ever_asks(everywhere):
    seen: Counter[str] = Counter()

    @settings(many, max_examples=400)
    @given(problems)
    def holds(problem):
        if not alignment(problem).aligned:
            return
        asks = probability(problem.model, {"H": 0})
        seen["requests"] += asks > 0
        if uncertainty(problem, everywhere=everywhere):
            seen["met"] += 1
            assert asks == 0

    holds()
    # Neither side is empty: aligned agents with requests exist, and so do models of the theorem.
    assert seen["requests"] > 50
    assert seen["met"] > 5
