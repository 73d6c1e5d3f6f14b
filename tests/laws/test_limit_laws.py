"""Visits, and POWER at the ends of the range of discounts, against every policy listed.

Turner et al. 2021, Defs 3.3-3.5, 5.2 and 6.10 and the limits after Def. 5.2.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from listed_policies import Listed, random_listed

from offswitch.theory.long_run.recurrent_states import recurrent_distributions
from offswitch.theory.long_run.visit_distributions import visit_distributions
from offswitch.theory.optimal_actions import optimal_actions
from offswitch.theory.power import power
from offswitch.theory.power_limits import power_limit_average, power_limit_myopic
from offswitch.theory.power_samples import power_samples

many = settings(max_examples=40, deadline=None, derandomize=True)
few = settings(max_examples=25, deadline=None, derandomize=True)
seeds = st.integers(0, 10**6)
discounts = st.sampled_from([0.2, 0.5, 0.9, 0.99])


def rounded(rows: np.ndarray) -> set[tuple[float, ...]]:
    return {tuple(row) for row in (rows.round(7) + 0.0).tolist()}


@many
@given(seeds, discounts)
def test_turner_definition_3_3_visits_are_those_of_every_policy_and_value_is_their_best(
    seed, discount
) -> None:
    listed = random_listed(seed)
    goals = np.random.default_rng(seed).uniform(-1, 1, size=(5, 4))
    every = listed.visits(discount)
    mdp = listed.mdp
    found = power_samples(mdp, goals, discount)
    for state in range(4):
        visits = visit_distributions(mdp, state, discount)
        assert rounded(visits * (1 - discount)) == rounded(every[:, state] * (1 - discount))
        assert visits.sum(axis=1) == pytest.approx(1 / (1 - discount))
        # V* = max f . r, from which Def. 5.2 takes the reward at hand.
        value = (goals @ every[:, state].T).max(axis=1)
        assert found.value[:, state] == pytest.approx(
            (1 - discount) / discount * (value - goals[:, state]), abs=found.solver_error + 1e-9
        )


@many
@given(seeds, discounts)
def test_turner_definition_4_3_an_action_is_optimal_iff_some_best_policy_takes_it(
    seed, discount
) -> None:
    """Rewards are few whole numbers, so that many actions tie."""
    listed = random_listed(seed)
    goals = np.random.default_rng(seed).integers(0, 3, size=(6, 4)).astype(float)
    returns = listed.visits(discount) @ goals.T
    found = optimal_actions(listed.mdp, goals, discount=discount)
    assert not found.near.any()
    taken = np.zeros((6, 4, 2), dtype=bool)
    for policy, value in zip(listed.policies(), returns, strict=True):
        best = (value >= returns.max(axis=0) - 1e-9).all(axis=0)  # everywhere at once
        for state, action in enumerate(policy):
            taken[best, state, action] = True
    assert (found.optimal == taken).all()


@pytest.mark.slow
@few
@given(seeds)
def test_turner_definition_6_10_recurrent_distributions_are_the_limits_of_visits(seed) -> None:
    listed = random_listed(seed)
    shares, near = listed.shares(), 1 - 1e-7
    for state in range(4):
        found = recurrent_distributions(listed.mdp, state)
        assert rounded(found) == rounded(shares[:, state])
    assert listed.visits(near) * (1 - near) == pytest.approx(shares, abs=1e-4)


@many
@given(seeds, st.sampled_from([1e-3, 0.05, 0.5]))
def test_turner_the_limit_of_power_to_discount_0_is_the_mean_of_the_best_next_reward(
    seed, discount
) -> None:
    """For rewards in [-1, 1]: what comes after the next step weighs gamma in all."""
    listed = random_listed(seed)
    goals = np.random.default_rng(seed).uniform(-1, 1, size=(6, 4))
    nexts = np.where(listed.available, np.einsum("sat,kt->ksa", listed.dense, goals), -np.inf)
    found = power_limit_myopic(listed.mdp, rewards=goals, keep_samples=True)
    assert found.samples == pytest.approx(nexts.max(axis=2), abs=1e-9)
    assert found.estimate == pytest.approx(nexts.max(axis=2).mean(axis=0), abs=1e-9)
    nearby = power_samples(listed.mdp, goals, discount)
    gap = np.abs(nearby.value - found.samples)
    assert (gap <= 2 * discount + nearby.solver_error + 1e-9).all()


@many
@given(seeds, st.booleans())
def test_turner_the_limit_of_power_to_discount_1_is_the_mean_of_the_best_long_run(
    seed, chance
) -> None:
    listed = random_listed(seed, chance=chance)
    goals = np.random.default_rng(seed).uniform(-1, 1, size=(6, 4))
    best = (listed.shares() @ goals.T).max(axis=0).T
    found = power_limit_average(listed.mdp, rewards=goals, keep_samples=True)
    assert found.samples == pytest.approx(best, abs=found.solver_error + 1e-9)
    # What is gained or lost on the way there weighs next to nothing.
    near = 1 - 1e-6
    late = (1 - near) / near * (listed.visits(near) @ goals.T).max(axis=0).T
    assert found.samples == pytest.approx(late, abs=1e-3)


@many
@given(seeds, st.integers(2, 5), discounts, st.integers(0, 3))
def test_turner_proposition_5_4_power_is_the_mean_best_reward_where_all_is_one_step_from_staying(
    seed, n, discount, more
) -> None:
    """Whatever else can be done."""
    generator = np.random.default_rng(seed)
    dense = np.eye(n)[None].repeat(n, axis=0)
    extra = generator.dirichlet(np.ones(n), size=(n, more)).reshape(n, more, n)
    mdp = Listed(np.concatenate([dense, extra], axis=1)).mdp
    goals = generator.uniform(-1, 1, size=(5, n))
    found = power(mdp, discount=discount, rewards=goals)
    best = np.full(n, goals.max(axis=1).mean())
    assert found.estimate == pytest.approx(best, abs=found.solver_error + 1e-9)
