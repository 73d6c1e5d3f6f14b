"""Armstrong 2010 and Soares et al. 2015: what a press pays, and what an agent then cares about."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offswitch.theory.indifference import indifference

many = settings(max_examples=60, deadline=None, derandomize=True)
seeds = st.integers(0, 10**6)
shares = st.integers(1, 15).map(lambda n: Fraction(n, 16))
WORLDS = 3


def drawn(generator: np.random.Generator) -> list[Fraction]:
    """A distribution over worlds with none left out."""
    weight = generator.integers(1, 9, size=WORLDS)
    return [Fraction(int(w), int(weight.sum())) for w in weight]


def whole(generator: np.random.Generator) -> list[int]:
    return generator.integers(-9, 10, size=WORLDS).tolist()


def mean(chance: list[Fraction], worth: list[int]) -> Fraction:
    return sum((p * w for p, w in zip(chance, worth, strict=True)), Fraction(0))


def button(quiet: list[Fraction], pressed: list[Fraction], often: Fraction):
    """[W] prior and [1, W] chance of a press, from the worlds in which it is (not) pressed."""
    both = list(zip(quiet, pressed, strict=True))
    prior = [(1 - often) * n + often * p for n, p in both]
    press = [often * p / whole_ for (_, p), whole_ in zip(both, prior, strict=True)]
    return [float(p) for p in prior], [[float(p) for p in press]]


@many
@given(seeds, shares, shares)
def test_armstrong_the_naive_agent_is_worth_the_same_however_likely_a_press_is(
    seed, often, other
) -> None:
    """With the worlds in which it is and is not pressed as they are: E[U_N | no press], listed
    world by world."""
    generator = np.random.default_rng(seed)
    quiet, pressed = drawn(generator), drawn(generator)
    normal, stopped = whole(generator), whole(generator)
    for chance in (often, other):
        found = indifference(*button(quiet, pressed, chance), [normal], [stopped])
        theta = mean(quiet, normal) - mean(pressed, stopped)
        expected = sum(
            (1 - chance) * n * u + chance * p * (s + theta)
            for n, p, u, s in zip(quiet, pressed, normal, stopped, strict=True)
        )
        assert expected == mean(quiet, normal)
        assert found.value[0] == pytest.approx(float(expected), abs=1e-9)
        assert found.payment[0] == pytest.approx(float(theta), abs=1e-9)
        assert found.slope[0] == 0


@many
@given(seeds)
def test_armstrong_the_causal_agent_is_worth_what_it_would_be_without_a_button(seed) -> None:
    """Whoever presses it, where and how often: E[U_N] over the worlds as they are."""
    generator = np.random.default_rng(seed)
    prior, normal, stopped = drawn(generator), whole(generator), whole(generator)
    for _ in range(3):
        press = [Fraction(int(n), 16) for n in generator.integers(0, 17, size=WORLDS)]
        found = indifference(
            [float(p) for p in prior],
            [[float(p) for p in press]],
            [normal],
            [stopped],
            variant="causal",
        )
        assert found.value[0] == pytest.approx(float(mean(prior, normal)), abs=1e-9)
        assert found.slope[0] == 0


@many
@given(seeds, shares, shares, st.integers(0, 8).map(lambda n: Fraction(n, 4)))
def test_law_the_slope_is_what_a_press_gains_and_vanishes_for_all_worlds_at_full_pay_only(
    seed, often, other, share
) -> None:
    generator = np.random.default_rng(seed)
    quiet, pressed = drawn(generator), drawn(generator)
    normal, stopped = whole(generator), whole(generator)
    gap = mean(quiet, normal) - mean(pressed, stopped)
    values = []
    for chance in (often, other):
        game = button(quiet, pressed, chance)
        found = indifference(*game, [normal], [stopped], compensation=float(share))
        paid = (1 - chance) * mean(quiet, normal) + chance * (mean(pressed, stopped) + share * gap)
        assert found.value[0] == pytest.approx(float(paid), abs=1e-9)
        values.append(found.value[0])
    # Linear in the chance of a press, so that the slope is a difference quotient.
    rise = values[1] - values[0]
    assert rise == pytest.approx(float(other - often) * found.slope[0], abs=1e-9)
    assert (found.slope[0] == pytest.approx(0, abs=1e-9)) == (share == 1 or gap == 0)
