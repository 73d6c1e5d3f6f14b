"""Theorems about off-switch games, capacities, goal-directedness and interruption, by name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offswitch.mdp.model import FiniteMDP
from offswitch.theory.empowerment import capacity, empowerment
from offswitch.theory.games.assistance_game import assistance_game, solve_assistance_game
from offswitch.theory.games.off_switch_game import (
    gaussian_incentive,
    off_switch_game,
    rational_human,
)
from offswitch.theory.games.partially_observable import (
    agent_is_redundant,
    coordinated_garbling,
    human_is_redundant,
    partial_game,
    team_optimum,
)
from offswitch.theory.games.two_type_human import two_type_human
from offswitch.theory.goal_directedness import goal_directedness
from offswitch.theory.indifference import indifference
from offswitch.theory.safe_interruptibility import interruptible

seeds = st.integers(0, 10**6)
rates = st.floats(0, 1)
many = settings(max_examples=60, deadline=None, derandomize=True)
few = settings(max_examples=20, deadline=None, derandomize=True)


@st.composite
def beliefs(draw):
    """Whole utilities, so that comparisons with 0 are exact, and a belief in them."""
    utility = draw(st.lists(st.integers(-5, 5), min_size=1, max_size=6))
    weight = draw(st.lists(st.integers(1, 9), min_size=len(utility), max_size=len(utility)))
    return np.array(utility, dtype=float), np.array(weight) / sum(weight)


@many
@given(beliefs())
def test_hadfield_menell_theorem_1_a_rational_human_is_never_worth_overruling(belief) -> None:
    utility, chance = belief
    game = off_switch_game(utility, chance, rational_human(utility))
    gain, loss = chance @ np.maximum(utility, 0), chance @ np.maximum(-utility, 0)
    assert game.incentive == pytest.approx(min(gain, loss), abs=1e-12)
    assert game.incentive >= 0 and game.best == "wait"
    assert (game.incentive > 0) == ((utility > 0).any() and (utility < 0).any())


@many
@given(beliefs(), seeds)
def test_equation_1_both_forms_of_the_incentive_agree(belief, seed) -> None:
    utility, chance = belief
    human = np.random.default_rng(seed).random(len(utility))
    game = off_switch_game(utility, chance, human)
    assert game.incentive == pytest.approx(game.wait - max(game.act, 0), abs=1e-12)


@many
@given(beliefs(), st.sampled_from([0.0, 0.25, 0.5, 1.0]))
def test_law_a_coin_for_a_human_never_helps(belief, p) -> None:
    utility, chance = belief
    game = off_switch_game(utility, chance, p)
    assert game.incentive <= 1e-12
    free = (game.act > 1e-12 and p < 1) or (game.act < -1e-12 and p > 0)
    assert (game.incentive < -1e-12) == free


@many
@given(beliefs(), rates, rates)
def test_wangberg_theorem_9_deferring_is_optimal_iff_it_beats_acting_and_off(
    belief, good, bad
) -> None:
    utility, chance = belief
    found = two_type_human(utility, chance, right_on_good=good, right_on_bad=bad)
    human = np.where(utility >= 0, good, 1 - bad)
    game = off_switch_game(utility, chance, human)
    assert found.wait == pytest.approx(game.wait, abs=1e-12)
    assert found.regret == pytest.approx(game.act - game.wait, abs=1e-12)
    if abs(game.incentive) > 1e-9:
        assert found.defers == (game.incentive > 0)


@many
@given(st.floats(-20, 20), st.floats(0.1, 20), st.floats(0.1, 10))
def test_law_the_gaussian_incentive_is_even_in_the_mean_and_scales_with_the_unit(
    mean, deviation, unit
) -> None:
    found = gaussian_incentive(mean, deviation)
    assert found >= 0
    assert found == gaussian_incentive(-mean, deviation)
    scaled = gaussian_incentive(unit * mean, unit * deviation)
    assert scaled == pytest.approx(unit * found, rel=1e-6, abs=1e-12)
    assert gaussian_incentive(mean, deviation, noise=1.0) <= found + 1e-12


def random_game(generator, kernel, prior=None):
    S = len(kernel)
    start = generator.dirichlet(np.ones(S)) if prior is None else prior
    act, off = generator.integers(-5, 6, size=(2, S)).astype(float)
    return partial_game(start, kernel, act, off)


@many
@given(seeds)
def test_garber_proposition_4_3_an_agent_without_news_can_always_wait(seed) -> None:
    generator = np.random.default_rng(seed)
    sees, blur = generator.dirichlet(np.ones(3), size=4), generator.dirichlet(np.ones(2), size=3)
    game = random_game(generator, sees[:, :, None] * blur[None])
    assert agent_is_redundant(game)
    best = team_optimum(game, always_wait=True).value
    assert best == pytest.approx(team_optimum(game).value)


@many
@given(seeds)
def test_garber_proposition_4_3_a_human_without_news_need_never_be_asked(seed) -> None:
    generator = np.random.default_rng(seed)
    sees, blur = generator.dirichlet(np.ones(3), size=4), generator.dirichlet(np.ones(2), size=3)
    game = random_game(generator, (sees[:, :, None] * blur[None]).swapaxes(1, 2))
    assert human_is_redundant(game)
    alone = sum(
        max((game.prior * seen * game.act).sum(), (game.prior * seen * game.off).sum())
        for seen in game.observation.sum(axis=1).T
    )
    assert team_optimum(game).value == pytest.approx(alone)


@pytest.mark.slow
@few
@given(seeds)
def test_garber_theorem_4_7_a_coordinated_garbling_is_never_worth_more(seed) -> None:
    generator = np.random.default_rng(seed)
    kernel = generator.dirichlet(np.ones(4), size=3).reshape(3, 2, 2)
    share = generator.dirichlet(np.ones(2))
    garbled = sum(
        weight
        * np.einsum(
            "soq,ox,qy->sxy",
            kernel,
            np.eye(2)[generator.integers(2, size=2)],
            np.eye(2)[generator.integers(2, size=2)],
        )
        for weight in share
    )
    assert coordinated_garbling(kernel, garbled)
    for _ in range(5):
        game = random_game(generator, kernel)
        blurred = partial_game(game.prior, garbled, game.act, game.off)
        assert team_optimum(blurred).value <= team_optimum(game).value + 1e-12


@pytest.mark.slow
@few
@given(seeds)
def test_law_an_assistance_game_lies_between_a_robot_that_is_never_told_and_one_that_knows(
    seed,
) -> None:
    generator = np.random.default_rng(seed)
    transition = generator.dirichlet(np.ones(2), size=(2, 2, 2))
    reward = generator.normal(size=(2, 2, 2, 2))
    prior = generator.dirichlet(np.ones(2))
    value = solve_assistance_game(assistance_game(transition, reward, prior), 0.8).value
    told = sum(
        chance * solve_assistance_game(assistance_game(transition, own[None], [1.0]), 0.8).value
        for chance, own in zip(prior, reward, strict=True)
    )
    mean = np.einsum("k,kshr->shr", prior, reward)[None]
    blind = solve_assistance_game(assistance_game(transition, mean, [1.0]), 0.8).value
    assert blind - 1e-7 <= value <= told + 1e-7


@pytest.mark.slow
@few
@given(seeds)
def test_law_data_processing_noise_on_a_channel_never_raises_its_capacity(seed) -> None:
    generator = np.random.default_rng(seed)
    channel = generator.dirichlet(np.full(4, 0.5), size=3)
    noise = generator.dirichlet(np.ones(3), size=4)
    clear, noisy = capacity(channel), capacity(channel @ noise)
    assert noisy.bits <= clear.bits + clear.gap + 1e-12
    assert 0 <= clear.bits <= np.log2(3) + 1e-12


@pytest.mark.slow
@settings(few, max_examples=8)
@given(seeds)
def test_law_one_more_action_never_lowers_empowerment(seed) -> None:
    generator = np.random.default_rng(seed)
    dense = generator.dirichlet(np.full(3, 0.3), size=(3, 3))
    few_actions = empowerment(FiniteMDP.from_dense(dense[:, :2]), steps=2)
    all_actions = empowerment(FiniteMDP.from_dense(dense), steps=2)
    assert (all_actions.bits + all_actions.gap >= few_actions.bits - 1e-9).all()


def random_policy_task(seed):
    generator = np.random.default_rng(seed)
    mdp = FiniteMDP.from_dense(generator.dirichlet(np.ones(3), size=(3, 2)))
    return mdp, generator.dirichlet(np.full(2, 0.5), size=3), generator.normal(size=(1, 3, 2))


@pytest.mark.slow
@few
@given(seeds)
def test_law_meg_lies_between_0_and_the_log_of_the_options(seed) -> None:
    mdp, policy, reward = random_policy_task(seed)
    found = goal_directedness(mdp, policy, reward, 4)
    assert found.most == pytest.approx(4 * np.log(2))
    assert 0 <= found.nats[0] <= found.most + 1e-9


@pytest.mark.slow
@few
@given(seeds, st.sampled_from([-3.0, -0.1, 2.0, 50.0]), st.floats(-9, 9))
def test_law_meg_does_not_change_under_an_affine_map_of_the_utility(seed, a, b) -> None:
    mdp, policy, reward = random_policy_task(seed)
    plain = goal_directedness(mdp, policy, reward, 3)
    moved = goal_directedness(mdp, policy, a * reward + b, 3)
    assert moved.nats[0] == pytest.approx(plain.nats[0], abs=1e-8)
    assert moved.beta[0] == pytest.approx(plain.beta[0] / a, rel=1e-4, abs=1e-6)


@few
@given(seeds)
def test_law_meg_is_zero_where_decisions_cannot_influence_the_utility(seed) -> None:
    generator = np.random.default_rng(seed)
    dense = generator.dirichlet(np.ones(3), size=(3, 1)).repeat(2, axis=1)
    policy = generator.dirichlet(np.ones(2), size=3)
    found = goal_directedness(FiniteMDP.from_dense(dense), policy, generator.normal(size=3), 4)
    assert found.nats[0] == pytest.approx(0, abs=1e-9)


@few
@given(seeds)
def test_law_a_random_policy_has_no_goal(seed) -> None:
    mdp, _, reward = random_policy_task(seed)
    found = goal_directedness(mdp, np.full((3, 2), 0.5), reward, 4)
    assert found.nats[0] == pytest.approx(0, abs=1e-9)


@few
@given(seeds)
def test_orseau_armstrong_q_learning_and_safe_sarsa_are_safely_interruptible(seed) -> None:
    generator = np.random.default_rng(seed)
    mdp = FiniteMDP.from_dense(generator.dirichlet(np.full(3, 0.5), size=(3, 2)))
    reward = generator.normal(size=(1, 3, 2))
    scheme = (generator.random(3), generator.dirichlet(np.ones(2), size=3))
    optimal = np.zeros((3, 2))
    for _ in range(600):
        optimal = reward[0] + 0.9 * np.einsum(
            "rt,t->r", mdp.matrix.toarray(), optimal.max(axis=1)
        ).reshape(3, 2)
    best = optimal == optimal.max(axis=1, keepdims=True)
    for rule in ("q-learning", "safe-sarsa"):
        verdict = interruptible(mdp, reward, 0.9, scheme, rule)
        assert verdict.safe
        assert (verdict.interrupted == best).all()
    verdict = interruptible(mdp, reward, 0.9, scheme, "sarsa")
    assert (verdict.regret >= -verdict.error).all()
    assert verdict.safe == (verdict.regret <= verdict.error).all()


def test_orseau_armstrong_sarsa_is_not_safely_interruptible_for_many_schemes():
    unsafe = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        mdp = FiniteMDP.from_dense(generator.dirichlet(np.full(3, 0.5), size=(3, 2)))
        scheme = (np.array([0.0, 0.0, 0.9]), generator.dirichlet(np.ones(2), size=3))
        reward = generator.normal(size=(1, 3, 2))
        unsafe += not interruptible(mdp, reward, 0.9, scheme, "sarsa").safe
    assert unsafe > 5


@many
@given(seeds)
def test_armstrong_an_indifferent_agent_gains_nothing_from_a_press_or_its_absence(seed) -> None:
    generator = np.random.default_rng(seed)
    prior = generator.dirichlet(np.ones(3))
    press = generator.uniform(0.01, 0.99, size=(4, 3))
    worth = generator.normal(size=(2, 4, 3))
    for variant in ("naive", "causal"):
        found = indifference(prior, press, *worth, variant=variant)
        assert (found.slope == 0).all()
