"""What a certificate claims is true: every theorem against orbits counted one by one.

Turner et al. 2021 (arXiv 1912.01683) and Turner & Tadepalli 2022 (arXiv 2206.13477). Each test asks
for a certificate on small random processes; where one is found, the claim is checked for generic
rewards, for rewards with ties and for mixtures, at several discounts, by enumeration. Hypothesis
complains if certificates are rare, so no test passes for want of them.
"""

from __future__ import annotations

import itertools
from functools import cache, partial

import networkx as nx
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from orbits import (
    mixtures,
    orbit,
    power_wins,
    settled,
    small_processes,
    twin_processes,
    visits,
    wins,
)

from offswitch.mdp.model import FiniteMDP
from offswitch.theory.certificates.certificate import Certificate, NoCertificate
from offswitch.theory.certificates.certify import certify, certify_ending, certify_states
from offswitch.theory.certificates.verify import verify_certificate

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


@pytest.mark.slow
@few
@given(PROCESSES, SEEDS, SIZES)
def test_theorem_3_6_n_copies_make_it_n_to_1_at_every_discount(mdp, seed, size):
    acts = np.flatnonzero(mdp.available[0]).tolist()
    found = certified(mdp, certify(mdp, 0, [a for a in acts if a != 1], 1, theorem="optimality"))
    check_optimality(mdp, found, mixtures(5, seed, size))


@pytest.mark.slow
@few
@given(st.one_of(twin_processes(), twin_processes(), small_processes()), SEEDS, SIZES)
def test_proposition_6_9_1_the_act_leads_to_more_power_for_most_rewards(mdp, seed, size):
    found = certified(mdp, certify(mdp, 0, 0, 1, theorem="power"))
    for discount in DISCOUNTS:
        check_power(mdp, found, mixtures(5, seed, size), discount)


def check_power(mdp: FiniteMDP, found: Certificate, rewards: np.ndarray, discount: float) -> None:
    @cache
    def options(state: int) -> np.ndarray:
        gained = visits(mdp, state, discount)
        gained[:, state] -= 1
        return gained / discount

    if found.actions:
        sides = [mdp.successors(found.state, a) for a in (found.actions[0], found.other)]
        more, less = (dict(zip(to.tolist(), p.tolist(), strict=True)) for to, p in sides)
    else:
        more, less = {found.state: 1.0}, {found.other: 1.0}
    assert found.copies == 1
    ahead, behind = power_wins(more, less, options, rewards)
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
@few
@given(PROCESSES, SEEDS, SIZES, st.permutations(range(5)))
def test_proposition_6_12_the_state_has_more_power_at_discount_1(mdp, seed, size, states):
    asked = certify_states(mdp, states[0], states[1], theorem="average-state-power")
    found = certified(mdp, asked)
    sides = ({found.state: 1.0}, {found.other: 1.0})
    ahead, behind = power_wins(*sides, cache(partial(settled, mdp)), mixtures(5, seed, size))
    assert ahead >= found.copies * behind


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
@few
@given(PROCESSES, SEEDS, SIZES)
def test_lemma_b_3_at_least_n_of_n_plus_1_of_the_orbit_do_not_prefer_the_other(mdp, seed, size):
    acts = np.flatnonzero(mdp.available[0]).tolist()
    asked = certify(mdp, 0, [a for a in acts if a != 1], 1, theorem="average-optimality")
    found, rewards = certified(mdp, asked), mixtures(5, seed, size)
    _, less = wins(*after(settled, mdp, found), rewards)
    total = len(orbit(rewards))
    assert (total - less) * (found.copies + 1) >= total * found.copies


RULES = {
    "optimal": lambda v: v == v.max(),
    "anti-rational": lambda v: v == v.min(),
    "Boltzmann": lambda v: np.exp(3 * v),
    "satisficing": lambda v: (v >= 0.6) if (v >= 0.6).any() else np.ones(len(v)),
    "quantilizing": lambda v: np.isin(np.arange(len(v)), np.argsort(-v)[:2]),
    "best of 2": lambda v: 2 * (len(v) - np.argsort(np.argsort(-v))) - 1,
}


@pytest.mark.parametrize("rule", RULES)
def test_proposition_a_11_rules_that_see_only_values_keep_the_n_to_1(rule):
    star = process(*(("s", f"leaf {n}") for n in range(4)))
    found = verified(star, certify(star, 0, [1, 2, 3], 0, theorem="optimality"))
    assert found.copies == 3
    for seed in range(40):
        more = less = 0
        for values in orbit(mixtures(4, 2 * seed)[0]):
            weight = np.asarray(RULES[rule](values), dtype=np.float64)
            chance = weight / weight.sum()
            more += chance[1:].sum() > chance[0] + 1e-12
            less += chance[1:].sum() < chance[0] - 1e-12
        assert more >= found.copies * less
        assert more + less > 0
