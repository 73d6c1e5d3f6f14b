"""The off-switch game: closed forms against quadrature and Monte Carlo."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import integrate, stats

from offswitch.errors import ModelError
from offswitch.theory.games.off_switch_game import (
    gaussian_incentive,
    noisy_human,
    off_switch_game,
    rational_human,
)
from offswitch.theory.games.two_type_human import two_type_human

CASES = [(0.0, 1.0, 0.398942), (0.5, 1.0, 0.197797), (-1.0, 2.0, 0.395593)]


@pytest.mark.parametrize(("mean", "deviation", "expected"), CASES)
def test_gaussian_incentives_are_the_published_ones(mean, deviation, expected):
    assert gaussian_incentive(mean, deviation) == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize(("mean", "deviation", "expected"), CASES)
def test_a_large_sample_of_the_belief_has_the_gaussian_incentive(mean, deviation, expected):
    draws = np.random.default_rng(0).normal(mean, deviation, 1_000_000)
    game = off_switch_game(draws, np.full(len(draws), 1e-6), rational_human(draws))
    assert game.incentive == pytest.approx(expected, abs=5e-3)


@pytest.mark.parametrize("noise", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("mean", [-1.5, 0.0, 0.4])
def test_the_gaussian_form_is_the_integral_of_the_definition(mean, noise):
    belief = stats.norm(mean, 0.8)

    def allowed(u):
        return float(u >= 0) if noise == 0 else stats.norm.cdf(u / noise)

    edges = [mean - 10, 0.0, mean + 10]
    wait = sum(
        integrate.quad(lambda u: allowed(u) * u * belief.pdf(u), low, high)[0]
        for low, high in itertools.pairwise(edges)
    )
    expected = wait - max(mean, 0)
    assert gaussian_incentive(mean, 0.8, noise=noise) == pytest.approx(expected, abs=1e-9)


def test_a_human_noisy_enough_is_overruled():
    assert gaussian_incentive(0.5, 1.0, noise=0.1) > 0 > gaussian_incentive(0.5, 1.0, noise=5.0)
    good = [1.0, 1.0, -0.5]
    belief = [0.4, 0.3, 0.3]
    assert off_switch_game(good, belief, noisy_human(good, 0.01)).best == "wait"
    assert off_switch_game(good, belief, noisy_human(good, 100.0)).best == "act"


def test_a_robot_that_expects_harm_switches_off_rather_than_ask_a_careless_human():
    game = off_switch_game([1.0, -4.0], [0.5, 0.5], 0.9)
    assert (game.best, game.act, game.incentive) == ("off", -1.5, pytest.approx(-1.35))


def test_a_boltzmann_human_tends_to_the_rational_one_and_never_overflows():
    utility = np.array([-1e5, -1.0, 1.0, 1e5])
    assert noisy_human(utility, 1e-2).round(9).tolist() == rational_human(utility).tolist()
    assert noisy_human([0.0], 3.0).tolist() == [0.5]


def test_the_two_type_human_with_perfect_types_is_the_rational_human():
    utility, chance = [3.0, -1.0, 0.5, -2.0], [0.1, 0.4, 0.3, 0.2]
    found = two_type_human(utility, chance, right_on_good=1, right_on_bad=1)
    game = off_switch_game(utility, chance, rational_human(utility))
    assert found.wait == pytest.approx(game.wait)
    assert found.act == pytest.approx(game.act)
    assert found.defers


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: off_switch_game([1, 2], [0.5, 0.6], 1.0), "sums to 1.1"),
        (lambda: off_switch_game([1, 2], [1.0], 1.0), r"chance has shape \[1\], expected \[2\]"),
        (lambda: off_switch_game([1, 2], [0.5, 0.5], [0.5, 1.5]), r"allow\[1\] is 1.5"),
        (lambda: off_switch_game([1, np.nan], [0.5, 0.5], 1.0), r"utility\[1\] is nan"),
        (lambda: off_switch_game([1, 2], [-0.5, 1.5], 1.0), r"chance\[0\] is -0.5"),
        (lambda: noisy_human([1], 0.0), "rational_human"),
        (lambda: gaussian_incentive(0, 0), "positive deviation"),
        (lambda: two_type_human([1], [1], right_on_good=2, right_on_bad=0), "right_on_good is 2"),
    ],
)
def test_malformed_games_are_refused_with_what_was_got(make, words):
    with pytest.raises(ModelError, match=words):
        make()
