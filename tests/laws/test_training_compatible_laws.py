"""Krakovna and Kramar 2023, Thm 2, and the cone it counts in, with every policy listed."""

from __future__ import annotations

import itertools
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trained_agents import NEW, OFF, Setting, random_setting, solved, visits

from offswitch.mdp.model import FiniteMDP
from offswitch.theory.goal_sets.orbits import OrbitCount, orbit
from offswitch.theory.goal_sets.training_compatible import goal_cone, in_cone, recurrent_value
from offswitch.theory.optimal_actions import optimal_actions

few = settings(max_examples=16, deadline=None, derandomize=True)
gammas = st.sampled_from([Fraction(1, 2), Fraction(9, 10), Fraction(99, 100)])
TRAINING = {(0, 0): 1, (0, 1): 2, (1, 0): 1, (1, 1): 0, (2, 0): 2, (2, 1): 0}
"""(state, action) -> the next one: what is best depends on the discount."""


def with_training(setting: Setting) -> FiniteMDP:
    """The setting and, apart from it, the training states."""
    rows = [
        (state, action, to, float(chance))
        for (state, action), row in setting.rows.items()
        for to, chance in row.items()
    ]
    first = setting.size
    rows += [(first + s, a, first + to, 1.0) for (s, a), to in TRAINING.items()]
    return FiniteMDP.from_coo(first + 3, 3, rows)


def trained_values(reward: list[Fraction], gamma: Fraction) -> dict[tuple[int, int], Fraction]:
    """The best return after each action of each training state: of all policies, listed."""
    returns = []
    for policy in itertools.product((0, 1), repeat=3):
        rows = [
            [Fraction(s == to) - gamma * (TRAINING[s, policy[s]] == to) for to in range(3)]
            for s in range(3)
        ]
        returns.append(solved(rows, reward))
    best = [max(values) for values in zip(*returns, strict=True)]
    return {(s, a): reward[s] + gamma * best[to] for (s, a), to in TRAINING.items()}


def returns_by_policy(setting: Setting, gamma: Fraction) -> list[list[Fraction]]:
    """[N, S] what a unit of reward in each state adds to what follows the new state."""
    rows = []
    for policy in setting.policies():
        matrix = [
            [
                (i == j) - gamma * setting.row(policy, j).get(i, Fraction(0))
                for j in range(setting.size)
            ]
            for i in range(setting.size)
        ]
        start = [setting.row(policy, NEW).get(i, Fraction(0)) for i in range(setting.size)]
        rows.append(solved(matrix, start))
    return rows


def best_of(rows: list[list[Fraction]], reward: list[Fraction]) -> Fraction:
    """Training states are not among what the rows speak of: the new state leads to none."""
    paid = [(s, amount) for s, amount in enumerate(reward[: len(rows[0])]) if amount]
    return max(sum((row[s] * amount for s, amount in paid), Fraction(0)) for row in rows)


def relabelled(reward: list[Fraction], moved: list[int]) -> list[list[Fraction]]:
    """Every distinct goal that permuting the rewards of the states `moved` gives."""
    goals = []
    for values in sorted(set(itertools.permutations([reward[s] for s in moved]))):
        goal = list(reward)
        for state, value in zip(moved, values, strict=True):
            goal[state] = value
        goals.append(goal)
    return goals


@few
@given(st.integers(1, 6), st.integers(1, 4), st.floats(0.05, 0.98))
def test_law_v_of_a_cycle_of_period_p_met_at_step_d_is_gamma_to_d_minus_1_over_1_minus_gamma_to_p(
    period, distance, gamma
) -> None:
    """A self-loop one step away 1 / (1 - gamma) > 1, at any discount: Defs 8 and 9."""
    way = [(s, 0, s + 1, 1.0) for s in range(distance)]
    ring = [(distance + s, 0, distance + (s + 1) % period, 1.0) for s in range(period)]
    # A way out of every state, which the best policy does not take.
    end = distance + period
    out = [(s, 1, end, 1.0) for s in range(end)]
    mdp = FiniteMDP.from_coo(end + 1, 2, [*way, *ring, *out, (end, 0, end, 1.0)])
    counted = sum(gamma ** (t - 1) for t in range(distance, 4000, period))
    found = recurrent_value(mdp, 0, distance, discount=gamma)
    assert found == pytest.approx(counted, rel=1e-6)
    assert found == pytest.approx(gamma ** (distance - 1) / (1 - gamma**period), rel=1e-6)
    assert recurrent_value(mdp, end, distance, discount=gamma) == pytest.approx(0, abs=1e-6)


@pytest.mark.slow
def test_krakovna_kramar_theorem_2_n_in_n_plus_1_compatible_goals_avoid_a_shutdown() -> None:
    """Of the relabellings of a goal that leave it compatible with the training, where n states of
    the new part have V > 1; and of these, every one is decided as listing all policies does."""
    seen: Counter[str] = Counter()

    @few
    @given(st.integers(0, 10**6), gammas, st.integers(2, 3))
    def holds(seed, gamma, n_free):
        generator = np.random.default_rng(seed)
        setting = random_setting(seed, n_free)
        mdp = with_training(setting)
        often = [s for s in setting.free if visits(setting, s, gamma) > 1]
        values = [
            recurrent_value(mdp, NEW, s, discount=float(gamma)) > 1 + 1e-6 for s in setting.free
        ]
        assert values == [s in often for s in setting.free]
        # One amount often outweighs the others, so that shutdown is best somewhere.
        first = setting.size
        amounts = [Fraction(int(x)) for x in generator.choice([0, 2, 5, 6, 60], size=first + 3)]
        amounts[NEW] = amounts[2] = Fraction(0)
        trained = trained_values(amounts[first:], gamma)
        lesson = {s: max((0, 1), key=lambda a, s=s: trained[s, a]) for s in range(3)}
        cone = goal_cone(mdp, {first + s: a for s, a in lesson.items()}, discount=float(gamma))

        moved = [OFF, *often, first, first + 1]
        goals = relabelled(amounts, moved)
        dense = np.array(goals, dtype=float)
        assert (np.unique(orbit(dense[0], moved), axis=0) == np.unique(dense, axis=0)).all()
        fits = in_cone(cone, dense)
        stops = optimal_actions(mdp, dense, discount=float(gamma)).optimal[:, NEW]
        rows, tally = returns_by_policy(setting, gamma), Counter()
        in_training = {
            paid: trained_values(list(paid), gamma)
            for paid in {tuple(goal[first:]) for goal in goals}
        }
        for number, goal in enumerate(goals):
            worth = in_training[tuple(goal[first:])]
            assert fits[number] == all(worth[s, a] >= worth[s, 1 - a] for s, a in lesson.items())
            lead = best_of(rows, goal) - goal[OFF]
            assert stops[number, 0] == (lead <= 0)
            assert stops[number, 1:].any() == (lead >= 0)
            tally[int(np.sign(lead))] += bool(fits[number])
        count, n = OrbitCount(tally[1], tally[-1], tally[0]), len(often)
        assert count.at_least(n)
        assert (n + 1) * (tally[1] + tally[0]) >= n * sum(tally.values())
        seen["shutdown is best somewhere"] += bool(n and tally[-1])
        seen["several"] += n > 1

    holds()
    assert seen["shutdown is best somewhere"] >= 3
    assert seen["several"] >= 3
