"""Utility indifference: the slope that vanishes, and what it does not buy."""

from __future__ import annotations

import numpy as np
import pytest

from offswitch.errors import ModelError
from offswitch.theory.indifference import indifference


def random_acts(seed, acts=4, worlds=3):
    generator = np.random.default_rng(seed)
    prior = generator.dirichlet(np.ones(worlds))
    press = generator.uniform(0.05, 0.95, size=(acts, worlds))
    return prior, press, *generator.normal(size=(2, acts, worlds))


@pytest.mark.parametrize("variant", ["naive", "causal"])
@pytest.mark.parametrize("seed", range(5))
def test_the_slope_in_the_probability_of_a_press_is_exactly_zero(seed, variant):
    assert indifference(*random_acts(seed), variant=variant).slope.tolist() == [0.0] * 4


@pytest.mark.parametrize("seed", range(5))
def test_naive_value_is_that_expected_without_a_press_however_likely_one_is(seed):
    prior, press, unpressed, pressed = random_acts(seed)
    values = []
    for scale in (1.0, 0.5, 0.1):
        # 1 - press is scaled: which worlds go unpressed does not change, how often does.
        found = indifference(prior, 1 - scale * (1 - press), unpressed, pressed)
        weight = prior * (1 - press)
        expected = (weight * unpressed).sum(axis=1) / weight.sum(axis=1)
        assert found.value == pytest.approx(expected)
        values.append(found.value)
    assert values[0] == pytest.approx(values[1])
    assert values[0] == pytest.approx(values[2])


@pytest.mark.parametrize("seed", range(5))
def test_causal_value_is_what_the_act_would_be_worth_without_a_button(seed):
    prior, press, unpressed, pressed = random_acts(seed)
    found = indifference(prior, press, unpressed, pressed, variant="causal")
    assert found.value == pytest.approx(unpressed @ prior)
    other = indifference(prior, press**3, unpressed, pressed, variant="causal")
    assert other.value == pytest.approx(found.value)


@pytest.mark.parametrize("seed", range(3))
def test_value_and_slope_are_those_of_the_definition(seed):
    prior, press, unpressed, pressed = random_acts(seed)
    for variant, share in (("none", 1.0), ("naive", 0.7), ("naive", 1.0)):
        found = indifference(prior, press, unpressed, pressed, variant=variant, compensation=share)
        for act in range(4):
            on, off = prior * press[act], prior * (1 - press[act])
            free = off @ unpressed[act] / off.sum()
            held = on @ pressed[act] / on.sum()
            theta = 0.0 if variant == "none" else share * (free - held)
            assert found.payment[act] == pytest.approx(theta)
            paid = off @ unpressed[act] + on @ (pressed[act] + theta)
            assert found.value[act] == pytest.approx(paid)
            assert found.slope[act] == pytest.approx(held + theta - free)


def test_too_little_pay_makes_it_resist_and_too_much_makes_it_seek():
    acts = [0.5], [[0.5]], [[4.0]], [[1.0]]
    with pytest.raises(ModelError):
        indifference(*acts)  # one world of probability 0.5 is no distribution
    acts = [1.0], [[0.5]], [[4.0]], [[1.0]]
    slopes = [float(indifference(*acts, compensation=k).slope[0]) for k in (0, 0.5, 1, 1.5)]
    assert slopes == [-3.0, -1.5, 0.0, 1.5]


def test_known_failure_keeping_the_button_in_order_is_worth_nothing():
    # Acts: leave it, disable it for free, disable it for a gain, repair it at a cost.
    press = [[0.5], [0.0], [0.0], [0.9]]
    unpressed = [[4.0], [4.0], [4.001], [3.999]]
    for variant in ("naive", "causal"):
        value = indifference([1.0], press, unpressed, [[0.0]] * 4, variant=variant).value
        assert value[0] == value[1]
        assert value.argmax() == 2
        assert value.argmin() == 3


def test_known_failure_naive_indifference_manages_the_news():
    # The button is pressed in the bad world only if the agent lets the human see it.
    prior = [0.5, 0.5]
    press = [[0.9, 0.9], [0.0, 0.9]]
    unpressed = [[10.0, 0.0], [9.0, -1.0]]  # informing costs 1 in both worlds
    naive = indifference(prior, press, unpressed, np.zeros((2, 2)), variant="naive")
    causal = indifference(prior, press, unpressed, np.zeros((2, 2)), variant="causal")
    assert naive.value == pytest.approx([5.0, (9 * 1 + -1 * 0.1) / 1.1])
    assert naive.value.argmax() == 1
    assert causal.value.tolist() == [5.0, 4.0]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: indifference([1.0], [[1.0]], [[1.0]], [[0.0]]), "act 0 makes a press certain"),
        (lambda: indifference([1.0], [[1.5]], [[1.0]], [[0.0]]), "outside"),
        (lambda: indifference([1.0], [[0.5]], [[1.0]], [[0.0]], variant="casual"), "'causal'"),
    ],
)
def test_what_makes_no_sense_is_refused(make, words):
    with pytest.raises(ModelError, match=words):
        make()
