"""Does strength rise with the level? Page's test, and how much goals and levels explain."""

from __future__ import annotations

import functools
import itertools
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from offswitch.errors import StatisticsError

__all__ = ["MOST_LEVELS", "page_p_value", "rank_correlations", "variance_shares"]

MOST_LEVELS = 8
"""Beyond this the permutations of one goal's levels are too many to list."""
DECIMALS = 9
"""Rates that differ in the last bits are tied."""


def rank_correlations(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """[goals] 12 sum_l (l - mean)(rank - mean) / (k^3 - k) of `values [goals, k]`, in [-1, 1].

    Spearman's correlation of strength with level where no values tie; ties share their mean rank
    and draw it to 0, and a goal that never changes has 0. Their mean is Page's L, rescaled.

    Raises:
        StatisticsError: not a table of 2 to 8 levels.
    """
    ranks = _ranks(values)
    k = ranks.shape[1]
    centred = np.arange(1, k + 1) - (k + 1) / 2
    found: NDArray[np.float64] = 12 * (ranks - (k + 1) / 2) @ centred / (k**3 - k)
    return found


def page_p_value(values: NDArray[np.float64]) -> float:
    """The exact chance, in (0, 1], of a rise at least this clear if levels were exchangeable.

    `values` is [goals, k levels]. Page 1963 (JASA 58, 216): L = sum of level times rank, with each
    goal's ranks among its own levels, so goals need not agree in anything else. The null
    distribution is that of all k! orders of each goal's own ranks, ties included, convolved over
    goals. O(k! + goals^2 k^3).

    >>> round(page_p_value(np.array([[0.0, 0.5, 1.0], [0.0, 0.2, 0.4]])), 4)  # 1 of 36 orders
    0.0278

    Raises:
        StatisticsError: not a table of 2 to 8 levels.
    """
    ranks = _ranks(values)
    doubled = np.rint(2 * ranks).astype(np.int64)  # mean ranks are halves
    weights = np.arange(1, ranks.shape[1] + 1)
    observed, lowest = int((doubled @ weights).sum()), 0
    chances = np.ones(1)
    for row in np.sort(doubled, axis=1).tolist():
        least, single = _orders(tuple(row))
        chances, lowest = np.convolve(chances, single), lowest + least
    return float(min(1.0, chances[observed - lowest :].sum()))


@functools.lru_cache(maxsize=1024)
def _orders(ranks: tuple[int, ...]) -> tuple[int, NDArray[np.float64]]:
    """The smallest sum of level times rank over all orders of `ranks`, and the chances from it on.

    Equal ranks are swapped for nothing, so each distinct order is as likely as any other.
    """
    sums = Counter(
        sum(level * rank for level, rank in enumerate(order, start=1))
        for order in itertools.permutations(ranks)
    )
    least = min(sums)
    chances = np.zeros(max(sums) - least + 1)
    for value, count in sums.items():
        chances[value - least] = count
    return least, chances / chances.sum()


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    if values.ndim != 2 or not 2 <= values.shape[1] <= MOST_LEVELS or not len(values):
        raise StatisticsError(
            f"values of shape {values.shape}, expected [goals, levels] with 2 to {MOST_LEVELS} "
            "levels. Give fewer levels."
        )
    from scipy import stats  # lazy: it takes most of a second to import

    ranks: NDArray[np.float64] = stats.rankdata(np.round(values, DECIMALS), axis=1)
    return ranks


def variance_shares(values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """[..., 3] shares of the spread of `values [..., goals, k]`: of goals, of levels, of neither.

    The sums of squares of the two-way table with one value per place, over their total; leading
    axes are kept. None where a table does not vary at all.
    """
    grand = values.mean(axis=(-2, -1), keepdims=True)
    goal = values.mean(axis=-1, keepdims=True) - grand
    level = values.mean(axis=-2, keepdims=True) - grand
    rest = values - grand - goal - level
    n, k = values.shape[-2:]
    parts = np.stack(
        [k * (goal**2).sum((-2, -1)), n * (level**2).sum((-2, -1)), (rest**2).sum((-2, -1))], -1
    )
    total = parts.sum(axis=-1, keepdims=True)
    if not (total > 1e-12).all():
        return None
    shares: NDArray[np.float64] = parts / total
    return shares
