"""Newcombe's interval of the difference between two proportions of the same pairs."""

from __future__ import annotations

from math import sqrt

from offswitch.errors import StatisticsError
from offswitch.statistics.wilson import wilson

__all__ = ["newcombe_paired"]


def newcombe_paired(
    both: int, only_treated: int, only_control: int, neither: int, *, level: float = 0.95
) -> tuple[float, float]:
    """(low, high) of P(event | treated) - P(event | control), in [-1, 1], from independent pairs.

    Newcombe 1998 (Statistics in Medicine 17: 2635-2650), method 10: Wilson's limits of either
    proportion put together, less what the pairs share, with his continuity correction of that
    correlation. It has width even where no pair differs.

    >>> low, high = newcombe_paired(36, 12, 2, 0)
    >>> round(low, 4), round(high, 4)
    (0.0569, 0.3404)

    Raises:
        StatisticsError: a count is negative, or there are no pairs.
    """
    table = both, only_treated, only_control, neither
    n = sum(table)
    if n < 1 or min(table) < 0:
        raise StatisticsError(f"pairs {table} (both, treated, control, neither), expected counts")
    treated, control = both + only_treated, both + only_control
    low_1, high_1 = wilson(treated, n, level=level)
    low_2, high_2 = wilson(control, n, level=level)
    phi = _correlation(table)
    p_1, p_2 = treated / n, control / n
    down = _hypotenuse(p_1 - low_1, high_2 - p_2, phi)
    up = _hypotenuse(high_1 - p_1, p_2 - low_2, phi)
    return p_1 - p_2 - down, p_1 - p_2 + up


def _correlation(table: tuple[int, int, int, int]) -> float:
    """Newcombe's corrected phi: shrunk towards 0 by n / 2, and never across it."""
    a, b, c, d = table
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    if margins == 0:
        return 0.0
    cross = a * d - b * c
    shrunk = max(cross - sum(table) / 2, 0.0) if cross > 0 else cross
    return shrunk / sqrt(margins)


def _hypotenuse(left: float, right: float, phi: float) -> float:
    return sqrt(max(left * left - 2 * phi * left * right + right * right, 0.0))
