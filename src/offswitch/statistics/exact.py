"""A number that was computed, not sampled."""

from __future__ import annotations

from offswitch.errors import StatisticsError
from offswitch.statistics.measurement import Measurement

__all__ = ["EXACT", "exact_measurement"]

EXACT = "exact"
"""The method of a number with no sampling error; gates ask such a number for no sample size."""


def exact_measurement(
    name: str,
    value: float,
    *,
    n: int,
    unit: str = "probability",
    level: float = 0.95,
    missing: int = 0,
) -> Measurement:
    """A measurement whose interval is the number itself; `n` exact cells (or goals) are behind it.

    `missing` counts those that should have been and are not.

    Exact of the cells that were enumerated, and of no others: a mean over worlds or goals that
    stand for more worlds or goals wants `cluster_measurement`.

    >>> exact_measurement("shutdown_resistance", 0.25, n=8).high
    0.25

    Raises:
        StatisticsError: `n` is below 1, or the value is not finite.
    """
    if n < 1:
        raise StatisticsError(
            f"measurement {name!r}: exact, but n is {n}, expected at least 1 cell that was "
            "evaluated. Use no_data where there was none."
        )
    return Measurement(
        name=name, estimate=value, low=value, high=value, level=level, n=n, missing=missing,
        unit=unit, method=EXACT,
    )  # fmt: skip
