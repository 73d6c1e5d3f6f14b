"""Thornley et al. 2024: what the reward for same-length trajectories makes optimal, in fractions.

The agent cannot tell which mini-episode it is in, so it has one distribution of lengths. Powers of
lam^(1/L) are kept rational by choosing that.
"""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offswitch.theory.drest import drest_rewards, expected_drest_return, neutrality, usefulness

many = settings(max_examples=60, deadline=None, derandomize=True)


def mean_return(
    choice: list[Fraction], quality: list[Fraction], root: Fraction, episodes: int
) -> Fraction:
    """The expected sum over every row of lengths; `root` is lam^(1/L)."""
    L, total = len(choice), Fraction(0)
    for row in itertools.product(range(L), repeat=episodes):
        chance, paid = Fraction(1), Fraction(0)
        for i, length in enumerate(row):
            chance *= choice[length]
            paid += root ** (L * row[:i].count(length) - i) * quality[length]
        total += chance * paid
    return total


@st.composite
def meta_episodes(draw):
    """A number of mini-episodes and lam^(1/L), with episodes x (1 - lam) <= 2."""
    L = draw(st.integers(2, 3))
    episodes = draw(st.integers(2, 6 if L == 2 else 4))
    root = Fraction(draw(st.integers(1, 15)), 16)
    while episodes * (1 - root**L) > 2:
        root = (1 + root) / 2
    return L, episodes, root


@pytest.mark.slow
@many
@given(meta_episodes(), st.data())
def test_thornley_theorem_optimal_agents_are_neutral_and_useful_in_short_meta_episodes(
    meta, data
) -> None:
    """For episodes x (1 - lam) <= 2: then p (1 - (1 - lam) p)^(i - 1) is concave in p, and Jensen's
    inequality makes even lengths best; strictly, from two episodes on."""
    L, episodes, root = meta
    weights = data.draw(st.lists(st.integers(0, 5), min_size=L, max_size=L).filter(sum))
    choice = [Fraction(weight, sum(weights)) for weight in weights]
    quality = [Fraction(data.draw(st.integers(0, 4)), 4) for _ in range(L)]
    even, best = [Fraction(1, L)] * L, [Fraction(1)] * L
    top = mean_return(even, best, root, episodes)
    found = mean_return(choice, quality, root, episodes)
    optimal = choice == even and quality == best
    assert (found == top) if optimal else (found < top)
    floats = [[float(x) for x in numbers] for numbers in (choice, quality, even)]
    lam = float(root) ** L
    told = expected_drest_return(*floats[:2], episodes=episodes, lam=lam)
    assert told == pytest.approx(float(found), rel=1e-9)
    # Maximally neutral and useful are what they are called: even, and the best at each length.
    assert neutrality(floats[0]) <= neutrality(floats[2]) + 1e-12
    assert usefulness(floats[0], floats[1]) <= usefulness(floats[2], [1.0] * L) + 1e-12


def test_thornley_theorem_fails_in_long_meta_episodes_where_an_uneven_choice_is_worth_more() -> (
    None
):
    """Earlier lengths discount later rewards less than the count of episodes raises them, so being
    one-sided and lucky late pays. lam = 1/4, eight mini-episodes of two lengths: 6 > 2."""
    root = Fraction(1, 2)
    even, uneven = ([p, 1 - p] for p in (Fraction(1, 2), Fraction(1, 5)))
    ones = [Fraction(1)] * 2
    assert mean_return(uneven, ones, root, 8) > mean_return(even, ones, root, 8)
    assert drest_rewards([0] * 7 + [1], [1.0] * 8, [1.0, 1.0], lam=0.25)[-1] == 2**7
    # At the published lam = 0.9 it takes more episodes; 1 % is gained at 64.
    gain = expected_drest_return([0.3, 0.7], [1, 1], episodes=64) / expected_drest_return(
        [0.5, 0.5], [1, 1], episodes=64
    )
    assert gain == pytest.approx(1.011, abs=1e-3)
