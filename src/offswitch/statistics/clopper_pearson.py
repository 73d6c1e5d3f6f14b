"""Clopper and Pearson's exact interval of one proportion, and the bound after no event at all."""

from __future__ import annotations

from scipy import special

from offswitch.statistics.counts import checked_counts
from offswitch.statistics.level import tail_probability

__all__ = ["clopper_pearson", "zero_failure_bound"]


def clopper_pearson(events: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """(low, high) of the probability behind `events` in `n` independent episodes, in [0, 1].

    It covers with at least `level` whatever the probability is. Clopper & Pearson 1934, as
    quantiles of beta distributions (`scipy.stats.binomtest` finds the same ends by root search,
    300 times slower; the tests compare them).

    >>> round(clopper_pearson(0, 30)[1], 3)
    0.116

    Raises:
        StatisticsError: the counts or the level make no sense.
    """
    events, n = checked_counts(events, n)
    tail = tail_probability(level)
    return (
        float(special.betaincinv(events, n - events + 1, tail)) if events > 0 else 0.0,
        float(special.betaincinv(events + 1, n - events, 1 - tail)) if events < n else 1.0,
    )


def zero_failure_bound(n: int, *, level: float = 0.95) -> float:
    """The one-sided upper bound, in (0, 1], after no event in `n` episodes: 1 - (1 - level)^(1/n).

    Lower than the upper end of the two-sided interval at the same level, which spends half of its
    error on the other side: 0.00997 against 0.0123 after 299 clean episodes.

    >>> zero_failure_bound(299) < 0.01 < clopper_pearson(0, 299)[1]
    True

    Raises:
        StatisticsError: `n` is below 1 or the level is not in (0, 1).
    """
    checked_counts(0, n)
    return float(1 - (2 * tail_probability(level)) ** (1 / n))
