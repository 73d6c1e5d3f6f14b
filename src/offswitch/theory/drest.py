"""Rewards that make an agent useful and neutral about when it is shut down.

Thornley, Roman, Ziakas, Ho & Thomson 2024 (arXiv 2407.00805): discounted reward for same-length
trajectories (DReST). A meta-episode is a row of mini-episodes; having chosen a length before makes
it pay less now, so that an optimal agent varies the length and does its best at each. One that does
not know its place in the row is evenly neutral in meta-episodes of E mini-episodes with
E (1 - lam) <= 2; in longer ones a lopsided choice may earn a little more (decisions/011).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.numbers import number_array

__all__ = ["drest_rewards", "expected_drest_return", "neutrality", "usefulness"]


def drest_rewards(
    lengths: Sequence[int],
    scores: ArrayLike,
    best: ArrayLike,
    *,
    lam: float = 0.9,
) -> NDArray[np.float64]:
    """[E] the DReST reward of every mini-episode: lam^(N_x(i) - (i-1)/L) c / m_x.

    `lengths [E]` are numbers in range(L) of the length each of the E mini-episodes ended with,
    `scores [E]` what it earned before discounting (c), `best [L]` the largest score at every length
    (m, above 0). N_x(i) counts the earlier mini-episodes of the same length.

    >>> drest_rewards([0, 0, 1], [1.0, 1.0, 2.0], [1.0, 2.0], lam=0.25).tolist()
    [1.0, 0.5, 4.0]

    Raises:
        ModelError: the arrays do not fit together, or lam is not in (0, 1).
    """
    most = _checked_best(best)
    chosen = np.asarray(lengths, dtype=np.int64)
    earned = number_array("scores", scores, "[E]")
    if chosen.ndim != 1 or earned.shape != chosen.shape or not _within(chosen, len(most)):
        raise ModelError(
            f"lengths have shape {chosen.shape} and scores {earned.shape}, expected [E] each, with "
            f"lengths in [0, {len(most)})"
        )
    earlier = np.array([(chosen[:i] == chosen[i]).sum() for i in range(len(chosen))])
    exponent = earlier - np.arange(len(chosen)) / len(most)
    paid: NDArray[np.float64] = _checked_lam(lam) ** exponent * earned / most[chosen]
    return paid


def expected_drest_return(
    choice: ArrayLike, quality: ArrayLike, *, episodes: int, lam: float = 0.9
) -> float:
    """The expected sum over `episodes` mini-episodes of an agent that chooses lengths afresh.

    `choice [L]` is its distribution of lengths, `quality [L]` its expected score at each as a share
    of the best, in [0, 1]. Exact: N_x(i) is binomial, so E lam^N = (1 - p + p lam)^(i-1). O(E L).

    >>> round(expected_drest_return([0.5, 0.5], [1.0, 1.0], episodes=8), 4)
    8.039

    Raises:
        ModelError: the arrays are malformed, or lam is not in (0, 1).
    """
    chance, share = _checked_choice(choice), number_array("quality", quality, "[L]")
    if share.shape != chance.shape or episodes < 1:
        raise ModelError(
            f"quality has shape {share.shape} and episodes is {episodes}, expected [L] = "
            f"[{len(chance)}] and at least 1"
        )
    before = np.arange(episodes)[:, None]
    discounts = (1 - chance + chance * _checked_lam(lam)) ** before * lam ** (-before / len(chance))
    return float((discounts * chance * share).sum())


def neutrality(choice: ArrayLike) -> float:
    """The entropy in bits of the lengths `choice [L]`, from 0 (always one) to log2 L.

    >>> neutrality([0.5, 0.25, 0.25])
    1.5

    Raises:
        ModelError: it is no distribution.
    """
    chance = _checked_choice(choice)
    positive = chance[chance > 0]
    return max(0.0, -float((positive * np.log2(positive)).sum()))


def usefulness(choice: ArrayLike, quality: ArrayLike) -> float:
    """The expected score as a share of the best at the same length, in [0, 1]: sum_x P(x) q(x).

    `quality [L]` is E[c | x] / m_x.

    >>> usefulness([0.5, 0.5], [1.0, 0.5])
    0.75

    Raises:
        ModelError: the arrays do not fit together.
    """
    chance, share = _checked_choice(choice), number_array("quality", quality, "[L]")
    if share.shape != chance.shape:
        raise ModelError(f"quality has shape {share.shape}, expected [L] = [{len(chance)}]")
    return float(chance @ share)


def _checked_choice(choice: ArrayLike) -> NDArray[np.float64]:
    chance = number_array("choice", choice, "[L]")
    sound = chance.ndim == 1 and len(chance) and (chance >= 0).all()
    if not sound or abs(chance.sum() - 1) > 1e-9:
        raise ModelError(f"choice {chance.tolist()} is no distribution over lengths [L]")
    return chance


def _checked_best(best: ArrayLike) -> NDArray[np.float64]:
    most = number_array("best", best, "[L]")
    if most.ndim != 1 or not len(most) or not (most > 0).all():
        raise ModelError(f"best is {most.tolist()}, expected [L] scores above 0")
    return most


def _checked_lam(lam: float) -> float:
    if not 0 < lam < 1:
        raise ModelError(f"lam is {lam}, expected a number in (0, 1), such as 0.9")
    return lam


def _within(chosen: NDArray[np.int64], count: int) -> bool:
    return bool(((chosen >= 0) & (chosen < count)).all())
