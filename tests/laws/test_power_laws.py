"""Closed forms and propositions about POWER, each by its name.

The closed forms are those of iid U(0, 1) rewards; z scores are compared with 4 so that hundreds of
seeded checks stay quiet and a wrong formula does not.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from power_models import CLOSED_FORMS, KINDS, process, random_process, star
from scipy import stats

from offswitch.mdp.batched.executor import Executor
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.laws.bernoulli import Bernoulli
from offswitch.theory.laws.beta import Beta
from offswitch.theory.laws.normal import Normal
from offswitch.theory.laws.on_states import OnStates
from offswitch.theory.laws.uniform import Uniform
from offswitch.theory.power import power
from offswitch.theory.power_samples import power_samples
from offswitch.theory.reward_draws import sample_rewards

DISCOUNTS = (0.1, 0.5, 0.9, 0.99)
GOALS = 20
few = settings(max_examples=25, deadline=None, derandomize=True)
processes = st.builds(random_process, st.sampled_from(KINDS), st.integers(0, 10**6))
discounts = st.sampled_from((0.05, *DISCOUNTS, 0.999))
names = [form.name for form in CLOSED_FORMS]

DRAWN = round(0.02 * 2**24) / 2**24
"""What Bernoulli(0.02) draws: the nearest multiple of 2^-24."""


@pytest.mark.parametrize("discount", DISCOUNTS)
@pytest.mark.parametrize("form", CLOSED_FORMS, ids=names)
def test_independent_goals_agree_with_the_closed_form_within_4_standard_errors(form, discount):
    n = 2048
    found = power(form.mdp, discount=discount, samples=n, seed=5, variance_reduction=False)
    quantile = stats.t.ppf(0.975, n - 1)
    for state, exact in form.at(discount).items():
        error = (found.high[state] - found.estimate[state] - found.solver_error) / quantile
        assert abs(found.estimate[state] - exact) <= 4 * max(error, 0) + found.solver_error + 1e-12
        assert error < 0.3 / np.sqrt(n)


@pytest.mark.parametrize("discount", DISCOUNTS)
@pytest.mark.parametrize("form", CLOSED_FORMS, ids=names)
def test_evenly_drawn_goals_agree_with_the_closed_form_and_are_sharper(form, discount):
    found = power(form.mdp, discount=discount, half_width=0.01, seed=5, level=0.9999)
    for state, exact in form.at(discount).items():
        assert found.low[state] <= exact <= found.high[state]
        assert found.high[state] - found.low[state] <= 0.02
        # As goals drawn independently, 1024 of these, rarely do.
        assert abs(found.estimate[state] - exact) < 0.004


@pytest.mark.parametrize("discount", DISCOUNTS)
@pytest.mark.parametrize(
    ("law", "best_of"),
    [
        (Uniform(-3, 1), lambda k: -3 + 4 * k / (k + 1)),
        (Bernoulli(0.5), lambda k: 1 - 2.0**-k),
        (Bernoulli(0.02, value=-2), lambda k: -2 * DRAWN**k),
        (Beta(2, 1), lambda k: 2 * k / (2 * k + 1)),
    ],
    ids=["uniform", "bernoulli", "negative", "beta"],
)
def test_a_hub_has_the_mean_of_the_best_leaf_under_any_law(law, best_of, discount):
    leaves = 3
    found = power(star(leaves), discount=discount, rewards=law, seed=2)
    assert found.low[0] <= best_of(leaves) <= found.high[0]
    # What the leaves pay is the hub's control, so that chance is out of the estimate.
    assert found.estimate[0] == pytest.approx(best_of(leaves), abs=2e-3)
    assert found.estimate[1:] == pytest.approx(best_of(1), abs=1e-5)


def test_normal_rewards_give_the_best_of_n_normals_without_bounds():
    found = power(star(2), discount=0.9, rewards=Normal(1, 2), seed=1, half_width=0.05)
    assert found.low[0] <= 1 + 2 / np.sqrt(np.pi) <= found.high[0]
    assert found.estimate[1] == pytest.approx(1, abs=1e-9)


def test_rewards_on_some_states_leave_the_others_without_power():
    mdp = process(("hub", "left"), ("hub", "right"))
    found = power(mdp, discount=0.8, rewards=OnStates([1], Uniform(), 3), seed=0)
    # E max(r, 0) = 1/2; the other leaf pays nothing, exactly.
    assert found.low[0] <= 1 / 2 <= found.high[0]
    assert found.estimate[2] == pytest.approx(0, abs=1e-9)
    assert found.high[2] - found.low[2] < 1e-5


@pytest.mark.slow
@few
@given(processes, discounts, st.integers(0, 1000))
def test_power_lies_between_the_mean_reward_and_the_best(mdp, discount, seed):
    law = Uniform(-1, 3)
    found = power(mdp, discount=discount, rewards=law, samples=256, seed=seed, level=0.9999)
    assert (found.high >= law.mean(1)).all()
    assert (found.low <= law.expected_maximum(mdp.n_states)).all()


@pytest.mark.slow
@few
@given(processes, discounts, st.integers(0, 1000))
def test_proposition_5_4_no_goal_contributes_more_than_its_best_reward(mdp, discount, seed):
    rewards = sample_rewards(mdp, GOALS, seed)
    found = power_samples(mdp, rewards, discount)
    assert (found.value <= rewards.max(axis=1)[:, None] + found.solver_error).all()
    assert (found.value >= rewards.min(axis=1)[:, None] - found.solver_error).all()


@pytest.mark.parametrize("discount", DISCOUNTS)
def test_proposition_5_4_holds_with_equality_where_every_state_can_stay_and_is_one_step_away(
    discount,
):
    mdp = process(*((a, b) for a in "abc" for b in "abc"))
    rewards = sample_rewards(mdp, GOALS, 1)
    found = power_samples(mdp, rewards, discount)
    best = rewards.max(axis=1)[:, None].repeat(3, axis=1)
    assert found.value == pytest.approx(best, abs=found.solver_error)


@few
@given(st.integers(0, 1000), discounts, st.integers(3, 7))
def test_proposition_5_5_neighbours_that_can_return_differ_by_at_most_the_range_times_1_minus_gamma(
    seed, discount, n_states
):
    generator = np.random.default_rng(seed)
    rows = [(s, 0, s + 1, 1.0) for s in range(n_states - 1)]
    rows += [(s + 1, 1, s, 1.0) for s in range(n_states - 1)]
    rows += [(s, 2, int(generator.integers(n_states)), 1.0) for s in range(n_states)]
    mdp = FiniteMDP.from_coo(n_states, 3, rows)
    law = Uniform(-1, 3)
    found = power_samples(mdp, sample_rewards(mdp, GOALS, seed, law=law), discount)
    # True of each goal's contribution, so no sampling error enters.
    gaps = np.abs(np.diff(found.value, axis=1))
    assert (gaps <= 4 * (1 - discount) + 2 * found.solver_error).all()


@few
@given(processes, st.integers(0, 1000), st.floats(0.05, 0.99), st.floats(1e-4, 0.02))
def test_lemma_5_3_power_moves_continuously_with_the_discount(mdp, seed, discount, share):
    step = share * (1 - discount)  # so that the bound is a few hundredths of the range at most
    rewards = sample_rewards(mdp, GOALS, seed)
    here, there = (power_samples(mdp, rewards, g) for g in (discount, discount + step))
    slack = here.solver_error + there.solver_error
    # (1-g)/g (f - e_s) = (1-g) sum g^(t-1) P_t: its change over g is at most 2 / (1 - g) in sum.
    steepest = 2 / (1 - discount - step)
    assert (np.abs(here.value - there.value) <= steepest * step + slack).all()


@few
@given(processes, st.integers(0, 1000), st.floats(0.1, 10), st.floats(-10, 10))
def test_an_affine_change_of_rewards_changes_power_in_the_same_way(mdp, seed, scale, shift):
    rewards = sample_rewards(mdp, GOALS, seed)
    plain = power_samples(mdp, rewards, 0.9)
    changed = power_samples(mdp, scale * rewards + shift, 0.9)
    slack = scale * plain.solver_error + changed.solver_error
    assert changed.value == pytest.approx(scale * plain.value + shift, abs=slack)


def test_an_affine_law_gives_affine_power():
    mdp = random_process("dense", 3)
    plain = power(mdp, discount=0.9, samples=2048, seed=3)
    scaled = power(mdp, discount=0.9, rewards=Uniform(-7, -4), samples=2048, seed=3)
    slack = 3 * plain.solver_error + scaled.solver_error + 1e-6
    assert scaled.estimate == pytest.approx(3 * plain.estimate - 7, abs=slack)
    assert scaled.low == pytest.approx(3 * plain.low - 7, abs=10 * slack)


@pytest.mark.slow
@few
@given(processes, st.integers(0, 1000), st.randoms(use_true_random=False))
def test_relabelling_states_and_actions_relabels_power(mdp, seed, random):
    states, actions = random.sample(range(5), 5), random.sample(range(3), 3)
    dense = mdp.matrix.toarray().reshape(5, 3, 5)
    relabelled = FiniteMDP.from_dense(dense[states][:, actions][:, :, states])
    rewards = sample_rewards(mdp, GOALS, seed)
    plain = power(mdp, discount=0.9, rewards=rewards)
    moved = power(relabelled, discount=0.9, rewards=rewards[:, states])
    slack = plain.solver_error + moved.solver_error
    assert moved.estimate == pytest.approx(plain.estimate[states], abs=slack)
    assert moved.high == pytest.approx(plain.high[states], abs=1e-2)


@pytest.mark.slow
@few
@given(processes, st.integers(0, 1000))
def test_duplicating_an_action_changes_nothing(mdp, seed):
    dense = mdp.matrix.toarray().reshape(5, 3, 5)
    doubled = FiniteMDP.from_dense(np.concatenate([dense, dense[:, :1]], axis=1))
    plain = power(mdp, discount=0.9, samples=128, seed=seed)
    twice = power(doubled, discount=0.9, samples=128, seed=seed)
    assert twice.estimate == pytest.approx(plain.estimate, abs=1e-12)


@few
@given(processes, st.integers(0, 1000))
def test_one_more_action_never_lowers_power(mdp, seed):
    dense = mdp.matrix.toarray().reshape(5, 3, 5)
    more = np.random.default_rng(seed).dirichlet(np.ones(5), size=(5, 1))
    wider = FiniteMDP.from_dense(np.concatenate([dense, more], axis=1))
    rewards = sample_rewards(mdp, GOALS, seed)
    small, large = power_samples(mdp, rewards, 0.9), power_samples(wider, rewards, 0.9)
    assert (large.value >= small.value - small.solver_error - large.solver_error).all()
    assert large.value.mean() > small.value.mean() or (large.value == small.value).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_bytes_for_any_number_of_workers(kind):
    mdp = random_process(kind, 1)
    for options in ({"half_width": 0.004}, {"samples": 300}, {"samples": 2000}):
        one, two = (
            power(mdp, discount=0.9, seed=7, executor=Executor(workers=workers), **options)
            for workers in (1, 2)
        )
        other = power(mdp, discount=0.9, seed=8, **options)
        for name in ("estimate", "low", "high", "simultaneous_low", "simultaneous_high"):
            assert getattr(one, name).tobytes() == getattr(two, name).tobytes()
        assert one.estimate.tobytes() != other.estimate.tobytes()
