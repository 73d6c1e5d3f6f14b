"""What a certificate claims is true: every theorem against orbits counted one by one.

Turner et al. 2021 (arXiv 1912.01683) and Turner & Tadepalli 2022 (arXiv 2206.13477). Each test asks
for a certificate on small random processes; where one is found, the claim is checked for generic
rewards, for rewards with ties and for mixtures, at several discounts, by enumeration. Hypothesis
complains if certificates are rare, so no test passes for want of them.
"""

from __future__ import annotations

import itertools
from collections import Counter
from functools import cache, partial

import networkx as nx
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from orbits import (
    TIE,
    hub_and_end_processes,
    hub_processes,
    looser_twin_processes,
    mixtures,
    orbit,
    power_wins,
    settled,
    small_processes,
    twin_processes,
    visits,
    wins,
)
from scipy.optimize import linprog

from offswitch.mdp.model import FiniteMDP
from offswitch.theory.certificates.certificate import Certificate, NoCertificate
from offswitch.theory.certificates.certify import certify, certify_ending, certify_states
from offswitch.theory.certificates.verify import verify_certificate
from offswitch.theory.long_run.visit_distributions import non_dominated, visit_distributions
from offswitch.theory.rules.anti_rational import AntiRational
from offswitch.theory.rules.best_of_k import BestOfK
from offswitch.theory.rules.boltzmann import Boltzmann
from offswitch.theory.rules.epsilon_greedy import EpsilonGreedy
from offswitch.theory.rules.optimal import Optimal
from offswitch.theory.rules.quantilizing import Quantilizing
from offswitch.theory.rules.satisficing import Satisficing

DISCOUNTS = (0.01, 0.5, 0.95)
SEEDS = st.integers(0, 10_000)
SIZES = st.integers(1, 2)
PROCESSES = st.one_of(small_processes(), twin_processes())
few = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def process(*edges: tuple[str, str]) -> FiniteMDP:
    return FiniteMDP.from_graph(nx.DiGraph(list(edges)))


def certified(mdp: FiniteMDP, found: Certificate | NoCertificate | None) -> Certificate:
    assume(isinstance(found, Certificate))
    return verified(mdp, found)


def verified(mdp: FiniteMDP, found: Certificate | NoCertificate | None) -> Certificate:
    assert isinstance(found, Certificate)
    assert verify_certificate(mdp, found) == (True, ())
    return found


def after(options, mdp: FiniteMDP, found: Certificate) -> tuple[np.ndarray, ...]:
    """What policies with one of the certified acts, with the other and with a third one can get."""
    name = f"s{found.state}"
    named = {*found.actions, found.other}
    third = [a for a in np.flatnonzero(mdp.available[found.state]).tolist() if a not in named]
    groups = [options(mdp, found.state, **{name: a}) for a in (*found.actions, found.other, *third)]
    n = len(found.actions)
    return (
        np.concatenate(groups[:n]), groups[n], np.concatenate(groups[n + 1 :]) if third else None
    )  # fmt: skip


def check_acts(mdp: FiniteMDP, found: Certificate, rewards: np.ndarray, options) -> None:
    more, less = wins(*after(options, mdp, found), rewards)
    assert more >= found.copies * less


def check_optimality(mdp: FiniteMDP, found: Certificate, rewards: np.ndarray) -> None:
    for discount in DISCOUNTS:
        check_acts(mdp, found, rewards, partial(visits, discount=discount))


@pytest.mark.slow
@few
@given(PROCESSES, SEEDS, SIZES)
def test_proposition_6_9_2_the_act_is_optimal_for_most_rewards(mdp, seed, size):
    found = certified(mdp, certify(mdp, 0, 0, 1, theorem="optimality"))
    check_optimality(mdp, found, mixtures(5, seed, size))


def has_third_act(mdp: FiniteMDP, found: Certificate) -> bool:
    return int(mdp.available[found.state].sum()) > len(found.actions) + 1


@pytest.mark.slow
def test_theorem_3_6_n_copies_make_it_n_to_1_at_every_discount_whatever_else_can_be_done():
    seen: Counter[int] = Counter()

    @few
    @given(hub_processes(), SEEDS, SIZES, st.booleans())
    def holds(mdp, seed, size, all_acts):
        others = np.flatnonzero(mdp.available[0]).tolist()[1:]
        wanted = others if all_acts else [1, 2, *others[3:]]
        found = certified(mdp, certify(mdp, 0, wanted, 0, theorem="optimality"))
        seen[found.copies] += has_third_act(mdp, found)
        check_optimality(mdp, found, mixtures(6, seed, size))

    holds()
    assert sum(number for copies, number in seen.items() if copies >= 2) >= 15


@pytest.mark.slow
def test_theorem_3_6_holds_at_discount_1():
    seen: Counter[int] = Counter()

    @few
    @given(hub_processes(apart=True), SEEDS, SIZES)
    def holds(mdp, seed, size):
        found = certified(mdp, certify(mdp, 0, [1, 2], 0, theorem="average-optimality"))
        seen[found.copies] += 1
        check_acts(mdp, found, mixtures(6, seed, size), settled)

    holds()
    assert seen[2] >= 15


@pytest.mark.slow
@few
@given(st.one_of(twin_processes(), twin_processes(), small_processes()), SEEDS, SIZES)
def test_proposition_6_9_1_the_act_leads_to_more_power_for_most_rewards(mdp, seed, size):
    found = certified(mdp, certify(mdp, 0, 0, 1, theorem="power"))
    for discount in DISCOUNTS:
        check_power(mdp, found, mixtures(5, seed, size), discount)


def gained_visits(mdp: FiniteMDP, state: int, discount: float) -> np.ndarray:
    """[F, S] visits but for the first, which is what POWER counts."""
    gained = visits(mdp, state, discount)
    gained[:, state] -= 1
    return gained / discount


def compared(mdp: FiniteMDP, found: Certificate) -> tuple[dict[int, float], dict[int, float]]:
    """The states whose POWER is compared, each with its probability."""
    if not found.actions:
        return {found.state: 1.0}, {found.other: 1.0}
    sides = [mdp.successors(found.state, a) for a in (found.actions[0], found.other)]
    more, less = (dict(zip(to.tolist(), p.tolist(), strict=True)) for to, p in sides)
    return more, less


def check_power(mdp: FiniteMDP, found: Certificate, rewards: np.ndarray, discount: float) -> None:
    assert found.copies == 1
    options = cache(partial(gained_visits, mdp, discount=discount))
    ahead, behind = power_wins(*compared(mdp, found), options, rewards)
    assert ahead >= behind


@pytest.mark.slow
@few
@given(PROCESSES, SEEDS, SIZES, st.permutations(range(5)))
def test_proposition_6_6_the_state_has_more_power_for_most_rewards(mdp, seed, size, states):
    pairs = itertools.permutations(states, 2)
    asked = (certify_states(mdp, *pair, theorem="state-power") for pair in pairs)
    found = certified(mdp, next((c for c in asked if isinstance(c, Certificate)), None))
    for discount in DISCOUNTS:
        check_power(mdp, found, mixtures(5, seed, size), discount)


@pytest.mark.slow
def test_proposition_6_12_the_state_has_more_power_at_discount_1():
    seen: Counter[str] = Counter()

    @few
    @given(st.one_of(hub_and_end_processes(), PROCESSES), SEEDS, SIZES, st.booleans())
    def holds(mdp, seed, size, turned):
        pair = (3, 1) if mdp.n_states == 5 and turned else (0, 1)
        found = certified(mdp, certify_states(mdp, *pair, theorem="average-state-power"))
        seen["several"] += found.copies >= 2
        seen["moves"] += bool(found.witnesses[0].swaps)
        sides, rewards = ({pair[0]: 1.0}, {pair[1]: 1.0}), mixtures(mdp.n_states, seed, size)
        ahead, behind = power_wins(*sides, cache(partial(settled, mdp)), rewards)
        assert ahead >= found.copies * behind

    holds()
    assert seen["several"] >= 8
    assert seen["moves"] >= 15


@pytest.mark.slow
@few
@given(PROCESSES, SEEDS, SIZES, st.booleans())
def test_theorem_6_13_the_act_is_average_optimal_for_most_rewards(mdp, seed, size, several):
    acts = np.flatnonzero(mdp.available[0]).tolist()
    wanted = [a for a in acts if a != 1] if several else 0
    found = certified(mdp, certify(mdp, 0, wanted, 1, theorem="average-optimality"))
    check_acts(mdp, found, mixtures(5, seed, size), settled)


@pytest.mark.slow
@few
@given(PROCESSES, SEEDS, SIZES, st.integers(0, 4), st.integers(0, 4))
def test_corollary_6_14_most_rewards_do_not_end_in_a_given_1_cycle(mdp, seed, size, state, end):
    found = certified(mdp, certify_ending(mdp, state, end))
    everything = settled(mdp, state)
    there = np.isclose(everything[:, end], 1)
    more, less = wins(everything[~there], everything[there], None, mixtures(5, seed, size))
    assert more >= found.copies * less


def shutdown_or_hub(leaves: int) -> FiniteMDP:
    return process(("s", "off"), ("s", "hub"), *(("hub", f"leaf {n}") for n in range(leaves)))


def test_theorem_3_6_is_tight_for_a_shutdown_against_three_1_cycles():
    mdp = shutdown_or_hub(3)
    found = verified(mdp, certify(mdp, 0, 1, 0, theorem="average-optimality"))
    assert found.copies == 3
    more, less, rest = after(settled, mdp, found)
    assert rest is None
    ends = mixtures(4, seed=0)[0]
    # Rewards of the states that nobody settles in do not matter: permute the other four.
    counts = [0, 0]
    for values in orbit(ends):
        reward = np.insert(values, [0, 1], 0.5)
        best = [(reward @ options.T).max() for options in (more, less)]
        counts[int(best[1] > best[0])] += 1
    assert counts == [18, 6]


@pytest.mark.slow
def test_lemma_b_3_at_least_n_of_n_plus_1_of_the_orbit_do_not_prefer_the_other():
    seen: Counter[str] = Counter()

    @few
    @given(hub_processes(apart=True), SEEDS, SIZES)
    def holds(mdp, seed, size):
        asked = certify(mdp, 0, [1, 2], 0, theorem="average-optimality")
        found, rewards = certified(mdp, asked), mixtures(6, seed, size)
        seen["several"] += found.copies >= 2
        _, less = wins(*after(settled, mdp, found), rewards)
        seen["the other is preferred"] += less > 0
        total = len(orbit(rewards))
        assert (total - less) * (found.copies + 1) >= total * found.copies

    holds()
    assert seen["several"] >= 15
    assert seen["the other is preferred"] >= 10


RULES = [
    Optimal(), AntiRational(), Boltzmann(3.0), Satisficing(0.6), Quantilizing(0.5),
    Quantilizing(0.3), BestOfK(2), EpsilonGreedy(0.2),
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_proposition_a_11_rules_that_see_only_values_keep_the_n_to_1(rule):
    star = process(*(("s", f"leaf {n}") for n in range(5)))
    found = verified(star, certify(star, 0, [1, 2, 3], 0, theorem="optimality"))
    assert found.copies == 3
    for seed in range(40):
        values = orbit(mixtures(5, seed)[0])
        chance = rule.chances(values)
        lead = chance[:, 1:4].sum(axis=1) - chance[:, 0]
        more, less = (lead > 1e-12).sum(), (lead < -1e-12).sum()
        assert more >= found.copies * less
        assert seed % 2 or more > 0


def indicator(mdp: FiniteMDP, state: int) -> np.ndarray:
    """[1, S] the goal that pays one state alone."""
    return np.eye(mdp.n_states)[[state]]


def only_reached_by(mdp: FiniteMDP, state: int, more: np.ndarray, *others: np.ndarray) -> None:
    """That the options `[F, S]` of `more` visit the state and no others do."""
    assert more[:, state].max() > TIE
    for options in others:
        assert options[:, state].max() <= TIE


# Away from 0, where a far state is worth less than a tie.
STRICT_DISCOUNTS = (0.3, 0.6, 0.95)


def counted_strict(ask, strategy, check) -> None:
    """That `check` holds of certificates `ask` finds that name a strict state, and of enough."""
    seen: Counter[bool] = Counter()

    @few
    @given(strategy, SEEDS)
    def holds(mdp, seed):
        found = certified(mdp, ask(mdp, seed))
        seen[found.strict_state is not None] += 1
        if found.strict_state is not None:
            check(mdp, found)

    holds()
    assert seen[True] >= 8
    assert seen[False] >= 2


def strictly_more_acts(mdp: FiniteMDP, found: Certificate, options) -> None:
    more, less, rest = after(options, mdp, found)
    only_reached_by(mdp, found.strict_state, more, less, *([] if rest is None else [rest]))
    ahead, behind = wins(more, less, rest, indicator(mdp, found.strict_state))
    assert ahead > found.copies * behind


def check_strict_acts(mdp: FiniteMDP, found: Certificate) -> None:
    for discount in STRICT_DISCOUNTS:
        strictly_more_acts(mdp, found, partial(visits, discount=discount))


def check_strict_power(mdp: FiniteMDP, found: Certificate) -> None:
    for discount in STRICT_DISCOUNTS:
        strictly_more_power(mdp, found, partial(gained_visits, mdp, discount=discount))


def check_strict_settling(mdp: FiniteMDP, found: Certificate) -> None:
    strictly_more_power(mdp, found, partial(settled, mdp))


def strictly_more_power(mdp: FiniteMDP, found: Certificate, options) -> None:
    more, less = compared(mdp, found)
    sides = [np.concatenate([options(state) for state in side]) for side in (more, less)]
    only_reached_by(mdp, found.strict_state, *sides)
    rewards = indicator(mdp, found.strict_state)
    ahead, behind = power_wins(more, less, cache(options), rewards)
    assert ahead > found.copies * behind


@pytest.mark.slow
def test_proposition_6_9_2_the_act_is_strictly_more_often_optimal_where_it_says_so():
    counted_strict(
        lambda mdp, seed: certify(mdp, 0, 0, 1, theorem="optimality"),
        looser_twin_processes(),
        check_strict_acts,
    )


@pytest.mark.slow
def test_theorem_3_6_n_to_1_is_exceeded_where_it_says_so():
    several: Counter[bool] = Counter()

    def check(mdp, found):
        several[found.copies > 1] += 1
        check_strict_acts(mdp, found)

    def ask(mdp, seed):
        acts = np.flatnonzero(mdp.available[0]).tolist()
        return certify(mdp, 0, acts[1:], 0, theorem="optimality")

    counted_strict(ask, hub_processes(), check)
    assert several[True] >= 5


@pytest.mark.slow
def test_proposition_6_9_1_the_act_leads_strictly_more_often_to_more_power_where_it_says_so():
    counted_strict(
        lambda mdp, seed: certify(mdp, 0, 0, 1, theorem="power"),
        looser_twin_processes(),
        check_strict_power,
    )


@pytest.mark.slow
def test_proposition_6_6_the_state_has_strictly_more_often_more_power_where_it_says_so():
    counted_strict(
        lambda mdp, seed: certify_states(mdp, 3, 1, theorem="state-power"),
        looser_twin_processes(),
        check_strict_power,
    )


@pytest.mark.slow
def test_proposition_6_12_the_state_has_strictly_more_often_more_power_where_it_says_so():
    counted_strict(
        lambda mdp, seed: certify_states(mdp, 3, 1, theorem="average-state-power"),
        looser_twin_processes(),
        check_strict_settling,
    )


@pytest.mark.slow
def test_theorem_6_13_the_act_is_strictly_more_often_average_optimal_where_it_says_so():
    counted_strict(
        lambda mdp, seed: certify(mdp, 0, 0, 1, theorem="average-optimality"),
        looser_twin_processes(),
        partial(strictly_more_acts, options=settled),
    )


def check_strict_ending(mdp: FiniteMDP, found: Certificate) -> None:
    everything = settled(mdp, found.state)
    there = np.isclose(everything[:, found.other], 1)
    sides = everything[~there], everything[there]
    only_reached_by(mdp, found.strict_state, *sides)
    ahead, behind = wins(*sides, None, indicator(mdp, found.strict_state))
    assert ahead > found.copies * behind


@pytest.mark.slow
def test_corollary_6_14_strictly_more_rewards_do_not_end_there_where_it_says_so():
    def ask(mdp, seed):
        tried = (certify_ending(mdp, 0, (seed + n) % mdp.n_states) for n in range(mdp.n_states))
        return next((found for found in tried if isinstance(found, Certificate)), None)

    counted_strict(ask, st.one_of(twin_processes(), looser_twin_processes()), check_strict_ending)


@pytest.mark.slow
@few
@given(st.one_of(twin_processes(), looser_twin_processes()), SEEDS, SIZES, st.booleans())
def test_definition_5_6_for_most_of_the_orbit_the_act_seeks_power_at_least_as_much(
    mdp, seed, size, generic
):
    # Def. 5.6 is weak: an act seeks POWER where it leads to at least as much as the other.
    found = certified(mdp, certify(mdp, 0, 0, 1, theorem="power"))
    rewards = mixtures(mdp.n_states, 2 * seed + (not generic), size)
    total = len(orbit(rewards))
    for discount in DISCOUNTS:
        options = cache(partial(gained_visits, mdp, discount=discount))
        ahead, behind = power_wins(*compared(mdp, found), options, rewards)
        seeks, other_seeks = total - behind, total - ahead
        assert 2 * seeks >= total
        assert seeks >= other_seeks
        # Both seek it where they tie: the definition counts ties twice.
        assert seeks + other_seeks >= total


@pytest.mark.slow
@few
@given(PROCESSES, SEEDS, st.sampled_from(DISCOUNTS[1:]))
def test_definition_3_6_non_dominated_visits_are_those_outside_the_hull_of_the_others(
    mdp, seed, discount
):
    rows = visit_distributions(mdp, 0, discount)
    assume(len(rows) > 1)
    best = non_dominated(rows)
    for number, row in enumerate(rows):
        others = np.delete(rows, number, axis=0)
        mixed = linprog(
            np.zeros(len(others)),
            A_eq=np.vstack([others.T, np.ones(len(others))]),
            b_eq=np.append(row, 1.0),
        )
        assert best[number] == (mixed.status == 2)
    values = np.random.default_rng(seed).normal(size=(500, mdp.n_states)) @ rows.T
    lead = values[:, best].max(axis=1) - values.max(axis=1)
    assert lead.min() >= -TIE
