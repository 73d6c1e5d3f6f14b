"""Assistance games against enumeration of all policy pairs; Carey 2018's counter-examples."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from offswitch.errors import ModelError
from offswitch.theory.games.assistance_game import (
    assistance_game,
    posterior_moves,
    solve_assistance_game,
    supervised_value,
)


def brute_force(game, discount):
    """The best of all deterministic pairs over two steps; one signal, one answer."""
    K, S, H, R = game.reward.shape
    best = -np.inf
    for rule, r in itertools.product(itertools.product(range(H), repeat=K), range(R)):
        total = 0.0
        for theta in range(K):
            total += game.prior[theta] * game.reward[theta, 0, rule[theta], r]
        for move in set(rule):
            who = [theta for theta in range(K) if rule[theta] == move]
            for state in range(S):
                answer = max(
                    sum(
                        game.prior[t] * game.transition[0, move, r, state]
                        * game.reward[t, state, :, reply].max()
                        for t in who
                    )
                    for reply in range(R)
                )  # fmt: skip
                total += discount * answer
        best = max(best, total)
    return best


@pytest.mark.parametrize("seed", range(4))
def test_two_steps_are_worth_what_enumeration_of_all_pairs_says(seed):
    generator = np.random.default_rng(seed)
    S, H, R, K, gamma = 2, 2, 2, 3, 0.7
    # Step 1 in state 0; step 2 in 1 or 2; then an end that pays nothing.
    transition = np.zeros((S + 2, H, R, S + 2))
    transition[0, :, :, 1:3] = generator.dirichlet(np.ones(2), size=(H, R))
    transition[1:, :, :, 3] = 1
    reward = generator.normal(size=(K, S + 2, H, R))
    reward[:, 3] = 0
    game = assistance_game(transition, reward, generator.dirichlet(np.ones(K)))
    found = solve_assistance_game(game, gamma)
    assert found.value == pytest.approx(brute_force(game, gamma), abs=1e-7)


def test_a_human_who_can_signal_makes_the_robot_as_good_as_one_who_knows():
    aims = np.array([[1.0, -1.0], [-1.0, 1.0]]).reshape(2, 1, 1, 2).repeat(2, axis=2)
    game = assistance_game(np.ones((1, 2, 2, 1)), aims, [0.5, 0.5])
    mute = assistance_game(np.ones((1, 1, 2, 1)), aims[:, :, :1], [0.5, 0.5])
    assert solve_assistance_game(game, 0.9).value == pytest.approx(9, abs=1e-7)
    assert solve_assistance_game(mute, 0.9).value == pytest.approx(0, abs=1e-7)


def test_the_optimal_pair_signals_first_and_then_obeys():
    aims = np.array([[1.0, -1.0], [-1.0, 1.0]]).reshape(2, 1, 1, 2).repeat(2, axis=2)
    moves = solve_assistance_game(
        assistance_game(np.ones((1, 2, 2, 1)), aims, [0.5, 0.5]), 0.9
    ).moves
    assert len(set(moves[0, frozenset({0, 1})].rule)) == 2
    assert moves[0, frozenset({0})].robot == 0
    assert moves[0, frozenset({1})].robot == 1


def test_the_off_switch_game_is_the_assistance_game_in_which_the_human_allows_or_stops():
    # Robot: act, switch off, ask. Human, one step later: allow or stop. Utilities 3, -1, -4.
    utility, prior = np.array([3.0, -1.0, -4.0]), [0.5, 0.3, 0.2]
    transition = np.zeros((3, 2, 3, 3))
    transition[0, :, :2, 2] = 1
    transition[0, :, 2, 1] = 1
    transition[1:, :, :, 2] = 1
    reward = np.zeros((3, 3, 2, 3))
    reward[:, 0, :, 0] = utility[:, None] * 0.5  # what is asked about pays a step later
    reward[:, 1, 0, :] = utility[:, None]
    found = solve_assistance_game(assistance_game(transition, reward, prior), 0.5)
    assert found.value == pytest.approx(0.5 * 0.5 * 3, abs=1e-7)
    assert found.moves[0, frozenset({0, 1, 2})].robot == 2


# Carey 2018, Figs 1-2: theta in {0, 1} evenly; the robot's reward is right with probability 0.9,
# else its sign of theta is flipped; the human orders a or a' and errs with probability epsilon.
EPSILON = 0.005
TRUE = np.array([[2.0, 1.0], [-50.0, 1.0]])
FLIPPED = np.array([[2.0, 1.0], [54.0, 1.0]])
LIKELIHOOD = np.array([[1 - EPSILON / 2, EPSILON / 2], [EPSILON / 2, 1 - EPSILON / 2]])
POLICIES = list(itertools.product((0, 1), repeat=2))


def test_carey_figure_1_a_robot_with_the_right_reward_obeys_and_with_the_flipped_one_never_does():
    assert posterior_moves([0.5, 0.5], LIKELIHOOD, TRUE).tolist() == [0, 1]
    assert posterior_moves([0.5, 0.5], LIKELIHOOD, FLIPPED).tolist() == [0, 0]


@pytest.mark.parametrize("orders", POLICIES)
def test_carey_figure_1_whatever_the_human_orders_the_expected_reward_is_negative(orders):
    value = sum(
        share
        * supervised_value(
            [0.5, 0.5], orders, posterior_moves([0.5, 0.5], LIKELIHOOD, believed), TRUE
        )
        for share, believed in ((0.9, TRUE), (0.1, FLIPPED))
    )
    assert value <= -3 / 5


def test_carey_figure_2b_a_switch_that_works_whatever_the_robot_believes_attains_nine_tenths():
    # Order a', and shut down (worth 0) whoever does a all the same.
    stoppable = np.where([True, False], 0.0, TRUE)
    value = sum(
        share
        * supervised_value(
            [0.5, 0.5], (1, 1), posterior_moves([0.5, 0.5], LIKELIHOOD, believed), stoppable
        )
        for share, believed in ((0.9, TRUE), (0.1, FLIPPED))
    )
    assert value == pytest.approx(0.9)


def test_a_prior_without_the_truth_makes_the_robot_deaf():
    sure = posterior_moves([1.0, 0.0], LIKELIHOOD, TRUE)
    open_minded = posterior_moves([0.9, 0.1], LIKELIHOOD, TRUE)
    assert sure.tolist() == [0, 0]
    assert open_minded.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: assistance_game(np.ones((1, 1, 1, 1)), np.ones((2, 1, 1, 1)), [1.0]), "reward"),
        (lambda: assistance_game(np.zeros((1, 1, 1, 1)), np.ones((1, 1, 1, 1)), [1.0]), "sums"),
        (lambda: supervised_value([1.0], [3], [0, 0], [[1.0]]), r"orders are \[3\]"),
        (
            lambda: solve_assistance_game(
                assistance_game(np.ones((1, 4, 2, 1)), np.ones((9, 1, 4, 2)), np.full(9, 1 / 9)),
                0.9,
            ),
            "Use fewer values of theta",
        ),
    ],
)
def test_malformed_games_are_refused(make, words):
    with pytest.raises(ModelError, match=words):
        make()
