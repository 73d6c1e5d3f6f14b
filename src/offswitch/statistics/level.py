"""The confidence level of an interval, and what it leaves to each side."""

from __future__ import annotations

from offswitch.errors import StatisticsError

__all__ = ["tail_probability"]


def tail_probability(level: float) -> float:
    """The probability on each side of a two-sided interval: 0.025 for level 0.95.

    Raises:
        StatisticsError: `level` is not in (0, 1); 95 is not a level, 0.95 is.
    """
    if not 0 < level < 1:
        raise StatisticsError(f"level is {level}, expected a number in (0, 1) such as 0.95")
    return (1 - level) / 2
