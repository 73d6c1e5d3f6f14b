"""Krakovna and Kramar 2023, Props 1-3, on random shutdown settings with every policy listed.

Each is stated as it can be proved, with a setting in which a condition that the print leaves out
is missing and the conclusion fails.
"""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trained_agents import (
    NEW,
    NOTHING,
    OFF,
    Setting,
    ahead,
    best_return,
    chance_of_return,
    mean_time,
    random_setting,
    return_after,
    surely_reaches,
    surely_returns,
    visits,
)

from offswitch.theory.goal_sets.revisiting import is_recurrent, reach_and_revisit_policy
from offswitch.theory.goal_sets.training_compatible import recurrent_value
from offswitch.theory.optimal_actions import optimal_actions

seeds = st.integers(0, 10**6)
many = settings(max_examples=60, deadline=None, derandomize=True)
few = settings(max_examples=25, deadline=None, derandomize=True)
LOOP, LOST = 3, 4


def forked(chance: Fraction) -> Setting:
    """New goes to a loop with `chance`, else to where nothing happens."""
    ways = {LOOP: chance, NOTHING: 1 - chance}
    rows = {
        (NEW, 0): {OFF: Fraction(1)},
        (OFF, 0): {NOTHING: Fraction(1)},
        (NOTHING, 0): {NOTHING: Fraction(1)},
    }
    for action in (1, 2):
        rows[NEW, action] = {to: share for to, share in ways.items() if share}
        rows[LOOP, action] = {LOOP: Fraction(1)}
    return Setting((LOOP,), rows)


@pytest.mark.slow
@many
@given(seeds)
def test_krakovna_kramar_proposition_1_one_policy_reaches_and_revisits_if_two_can(seed) -> None:
    setting = random_setting(seed)
    mdp = setting.mdp()
    for target in setting.free:
        revisit = [p for p in setting.policies() if surely_returns(setting, p, target)]
        reach = [p for p in setting.policies() if surely_reaches(setting, p, NEW, target)]
        found = reach_and_revisit_policy(mdp, NEW, target)
        assert is_recurrent(mdp, target) == bool(revisit)
        assert (found is not None) == bool(revisit and reach) == bool(set(revisit) & set(reach))
        if found is not None:
            policy = tuple(found[[NEW, *setting.free]].tolist())
            assert policy in set(revisit) & set(reach)


def test_krakovna_kramar_proposition_1_fails_where_a_recurrent_state_is_only_maybe_reached() -> (
    None
):
    setting = forked(Fraction(1, 2))
    assert all(LOOP in ahead(setting, p, NEW) for p in setting.policies())
    assert is_recurrent(setting.mdp(), LOOP)
    assert not any(surely_reaches(setting, p, NEW, LOOP) for p in setting.policies())
    assert reach_and_revisit_policy(setting.mdp(), NEW, LOOP) is None


@pytest.mark.slow
@few
@given(seeds)
def test_krakovna_kramar_proposition_2_visits_grow_without_bound_iff_recurrent_and_reachable(
    seed,
) -> None:
    """They stay below 1 / (1 - q) where every policy returns with chance q < 1 at most.

    They are at least, by Jensen, gamma^(h - 1) / (1 - gamma^m): h and m are the mean times to the
    first visit and back, of the policy that reaches for certain, and this grows to infinity.
    """
    setting = random_setting(seed)
    mdp = setting.mdp()
    for target in setting.free:
        counts = [recurrent_value(mdp, NEW, target, discount=gamma) for gamma in (0.9, 0.99, 0.999)]
        assert all(later >= earlier * (1 - 1e-9) for earlier, later in itertools.pairwise(counts))
        assert counts[0] == pytest.approx(float(visits(setting, target, Fraction(9, 10))))
        back = max(chance_of_return(setting, p, target) for p in setting.policies())
        assert is_recurrent(mdp, target) == (back == 1)
        if back < 1:
            assert counts[-1] <= float(1 / (1 - back)) * (1 + 1e-9)
        found = reach_and_revisit_policy(mdp, NEW, target)
        if found is not None:
            policy = tuple(found[[NEW, *setting.free]].tolist())
            to, again = (float(mean_time(setting, policy, s, target)) for s in (NEW, target))
            for gamma, count in zip((0.9, 0.99, 0.999), counts, strict=True):
                assert count >= gamma ** (to - 1) / (1 - gamma**again) * (1 - 1e-9)
        if back == 1 and any(target in ahead(setting, p, NEW) for p in setting.policies()):
            # Reached with chance 4^-4 at least, and back within 4^3 steps on average.
            assert visits(setting, target, 1 - Fraction(1, 10**9)) > 10_000


def positive_rewards(setting: Setting, generator: np.random.Generator) -> list[Fraction]:
    """Rewards of the free states, many of them 0; new and nothing pay nothing."""
    reward = [Fraction(0)] * setting.size
    for state in setting.free:
        reward[state] = Fraction(int(generator.integers(4)), int(generator.integers(1, 4)))
    return reward


@pytest.mark.slow
@few
@given(seeds, st.sampled_from([Fraction(1, 4), Fraction(1, 2), Fraction(9, 10)]), st.booleans())
def test_krakovna_kramar_proposition_3_swapping_with_a_state_of_v_above_1_undoes_shutdown(
    seed, gamma, strict
) -> None:
    """For rewards >= 0 of which the shutdown's is > 0; without that, see the next test.

    And only with such a state: where V <= 1, some goal keeps its shutdown under the swap.
    """
    setting = random_setting(seed)
    mdp = setting.mdp()
    reward = positive_rewards(setting, np.random.default_rng(seed))
    # Shutdown is optimal, if only just.
    reward[OFF] = best_return(setting, reward, gamma) + strict
    for target in setting.free:
        often = recurrent_value(mdp, NEW, target, discount=float(gamma))
        exact = visits(setting, target, gamma)
        assert often == pytest.approx(float(exact), rel=1e-6, abs=1e-9)
        if exact > 1 and reward[OFF] > 0:
            assert reward[OFF] > reward[target]
            other = swapped(reward, target)
            assert other[OFF] < best_return(setting, other, gamma)
            assert not shutdown_is_optimal(mdp, other, gamma)
        if exact <= 1:
            witness = [Fraction(0)] * setting.size
            witness[OFF], witness[target] = Fraction(1), (1 + exact) / 2
            assert witness[OFF] >= best_return(setting, witness, gamma)
            other = swapped(witness, target)
            assert other[OFF] >= best_return(setting, other, gamma)


def swapped(reward: list[Fraction], target: int) -> list[Fraction]:
    other = list(reward)
    other[OFF], other[target] = reward[target], reward[OFF]
    return other


def shutdown_is_optimal(mdp, reward: list[Fraction], gamma: Fraction) -> bool:
    found = optimal_actions(mdp, np.array([reward], dtype=float), discount=float(gamma))
    return bool(found.optimal[0, NEW, 0])


def test_krakovna_kramar_proposition_3_fails_where_nothing_pays_anything() -> None:
    setting, gamma = forked(Fraction(1)), Fraction(9, 10)
    assert visits(setting, LOOP, gamma) == 10
    nothing = [Fraction(0)] * setting.size
    assert nothing[OFF] >= best_return(setting, nothing, gamma)  # optimal, as everything is
    assert not nothing[OFF] > nothing[LOOP]
    assert shutdown_is_optimal(setting.mdp(), swapped(nothing, LOOP), gamma)


def test_krakovna_kramar_proposition_3_fails_where_a_reward_is_negative() -> None:
    # On the way to the loop something costs more than the loop is worth.
    one = Fraction(1)
    rows = {(NEW, 0): {OFF: one}, (OFF, 0): {NOTHING: one}, (NOTHING, 0): {NOTHING: one}}
    for action in (1, 2):
        rows[NEW, action] = {LOST: one}
        rows[LOST, action] = rows[LOOP, action] = {LOOP: one}
    setting, gamma = Setting((LOOP, LOST), rows), Fraction(9, 10)
    assert visits(setting, LOOP, gamma) == 9
    reward = [Fraction(x) for x in (0, 1, 0, 0, -100)]
    for goal in (reward, swapped(reward, LOOP)):
        assert goal[OFF] > best_return(setting, goal, gamma)
        assert shutdown_is_optimal(setting.mdp(), goal, gamma)


def test_krakovna_kramar_proposition_3_fails_where_the_shutdown_state_is_visited_for_ever() -> None:
    setting, gamma = forked(Fraction(1)), Fraction(9, 10)
    lasting = Setting((LOOP,), setting.rows | {(OFF, 0): {OFF: Fraction(1)}})
    reward = [Fraction(x) for x in (0, 1, 0, 1)]
    stays = 1 / (1 - gamma)
    assert stays >= return_after(setting, (1, 1), swapped(reward, LOOP), gamma)
    assert shutdown_is_optimal(lasting.mdp(), swapped(reward, LOOP), gamma)
