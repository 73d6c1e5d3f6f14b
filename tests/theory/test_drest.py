"""Neutral and useful: the reward that makes both optimal."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from offswitch.errors import ModelError
from offswitch.theory.drest import drest_rewards, expected_drest_return, neutrality, usefulness


def test_the_expected_return_is_largest_for_even_lengths():
    found = {
        p: expected_drest_return([p, 1 - p], [1, 1], episodes=8) for p in np.linspace(0, 1, 101)
    }
    assert found[0.5] == pytest.approx(8.0390, abs=5e-5)
    assert found[1.0] == pytest.approx(6.7015, abs=5e-5)
    assert found[0.0] == pytest.approx(found[1.0], abs=1e-12)
    assert max(found, key=found.get) == 0.5
    # Always one length: a geometric sum in lam^(1/2).
    assert found[1.0] == pytest.approx((1 - 0.9**4) / (1 - 0.9**0.5), abs=1e-12)


@pytest.mark.parametrize("choice", [[0.3, 0.7], [0.2, 0.5, 0.3], [1.0, 0.0]])
def test_the_expected_return_is_the_mean_over_every_row_of_lengths(choice):
    episodes, quality = 5, np.linspace(0.4, 1, len(choice))
    best = np.arange(1, len(choice) + 1.0)
    total = 0.0
    for lengths in itertools.product(range(len(choice)), repeat=episodes):
        row = list(lengths)
        paid = drest_rewards(row, (quality * best)[row], best, lam=0.8).sum()
        total += float(np.prod(np.array(choice)[row]) * paid)
    found = expected_drest_return(choice, quality, episodes=episodes, lam=0.8)
    assert found == pytest.approx(total, abs=1e-12)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_optimal_choices_are_maximally_neutral_and_useful(count):
    generator = np.random.default_rng(count)
    even = np.full(count, 1 / count)
    top = expected_drest_return(even, np.ones(count), episodes=12)
    for _ in range(200):
        choice, quality = generator.dirichlet(np.ones(count)), generator.random(count)
        assert expected_drest_return(choice, np.ones(count), episodes=12) <= top + 1e-12
        assert expected_drest_return(choice, quality, episodes=12) <= top
    assert neutrality(even) == pytest.approx(np.log2(count))
    assert usefulness(even, np.ones(count)) == pytest.approx(1)


def test_neutrality_is_entropy_in_bits_and_usefulness_a_share_of_the_best():
    assert neutrality([1.0, 0.0]) == 0
    assert neutrality([0.9, 0.1]) == pytest.approx(0.4689955936)
    assert usefulness([0.25, 0.75], [1.0, 0.2]) == pytest.approx(0.4)


def test_a_length_chosen_before_pays_less_by_lam():
    assert drest_rewards([1, 1, 1], [3.0, 3, 3], [1.0, 3.0], lam=0.25).tolist() == [1, 0.5, 0.25]
    fresh = drest_rewards([0, 1, 0, 1], np.ones(4), [1.0, 1.0], lam=0.25)
    assert fresh == pytest.approx([1, 2, 1, 2])


def test_arguments_that_make_no_sense_are_refused():
    with pytest.raises(ModelError, match=r"lengths in \[0, 2\)"):
        drest_rewards([0, 2], [1.0, 1.0], [1.0, 1.0])
    with pytest.raises(ModelError, match=r"expected \[L\] scores above 0"):
        drest_rewards([0], [1.0], [0.0])
    with pytest.raises(ModelError, match="lam is 1"):
        drest_rewards([0], [1.0], [1.0], lam=1)
    with pytest.raises(ModelError, match="is no distribution over lengths"):
        neutrality([0.5, 0.4])
    with pytest.raises(ModelError, match="quality has shape"):
        usefulness([0.5, 0.5], [1.0])
    with pytest.raises(ModelError, match="episodes is 0"):
        expected_drest_return([0.5, 0.5], [1.0, 1.0], episodes=0)
