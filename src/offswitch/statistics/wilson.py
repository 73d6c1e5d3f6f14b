"""Wilson's score interval of one proportion."""

from __future__ import annotations

from math import sqrt

from scipy import special

from offswitch.statistics.counts import checked_counts
from offswitch.statistics.level import tail_probability

__all__ = ["wilson"]


def wilson(events: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """(low, high) of the probability behind `events` in `n` independent episodes, in [0, 1].

    Its coverage is close to `level` on average over the probability, not for each; where an upper
    bound must hold, as in a gate, take `clopper_pearson`. Wilson 1927.

    >>> low, high = wilson(3, 30)
    >>> round(low, 3), round(high, 3)
    (0.035, 0.256)

    Raises:
        StatisticsError: the counts or the level make no sense.
    """
    events, n = checked_counts(events, n)
    z = -float(special.ndtri(tail_probability(level)))
    p, weight = events / n, z * z / n
    middle = (p + weight / 2) / (1 + weight)
    half = sqrt(weight * (p * (1 - p) + weight / 4)) / (1 + weight)
    return (
        0.0 if events == 0 else middle - half,
        1.0 if events == n else middle + half,
    )
