"""The chance of the kernels against the published numbers of SplitMix64."""

from __future__ import annotations

import numpy as np
import pytest

from offswitch.worlds.splitmix64 import GAMMA, draw, mixed, new_chance, uniform

PUBLISHED = (6457827717110365317, 3203168211198807973, 9817491932198370423)
"""The first words for seed 1234567, as the reference programme in C prints them."""


def test_the_words_are_those_of_the_published_programme() -> None:
    with np.errstate(over="ignore"):
        words = [np.uint64(1234567) + np.uint64(step) * GAMMA for step in (1, 2, 3)]
    assert [int(mixed(word)) for word in words] == [*PUBLISHED]


def test_a_draw_is_the_highest_53_bits_of_the_next_word() -> None:
    chance = np.array([1234567], dtype=np.uint64)
    assert [draw(chance) for _ in PUBLISHED] == [(word >> 11) / 2**53 for word in PUBLISHED]
    assert uniform(chance[0]) == (PUBLISHED[-1] >> 11) / 2**53


def test_the_stream_of_a_learner_is_uniform() -> None:
    chance = new_chance(0)
    draws = np.array([draw(chance) for _ in range(20_000)])
    assert ((draws >= 0) & (draws < 1)).all()
    assert draws.mean() == pytest.approx(0.5, abs=0.01)
    assert np.histogram(draws, bins=10, range=(0, 1))[0] == pytest.approx(2000, rel=0.1)
