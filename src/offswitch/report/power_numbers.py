"""POWER in as many digits as its interval deserves, however large the rewards are."""

from __future__ import annotations

import math

from offswitch.report.text_parts import measured
from offswitch.report.wording import interval, number
from offswitch.statistics.measurement import Measurement

__all__ = ["power_interval", "power_measured", "power_number"]

LARGE = 1000.0
"""From here on digits follow the interval."""


def power_number(one: Measurement, value: float | None = None) -> str:
    """The estimate (or `value`, in its digits), to two digits of the half-width where it is large.

    >>> power_number(Measurement(name="power", estimate=1e6, low=1e6 - 0.08, high=1e6 + 0.08, n=9,
    ...                          method="t"))
    '1000000.000'
    """
    shown = one.estimate if value is None else value
    if shown is None or not LARGE <= abs(shown) < 1e15 or one.low is None or one.high is None:
        return number(shown)
    half = (one.high - one.low) / 2
    if not 0 < half < abs(shown) / 100:
        return number(shown)
    digits = max(0, min(6, 1 - math.floor(math.log10(half)) - (half >= 1)))
    return f"{shown:.{digits}f}"


def power_interval(one: Measurement) -> str:
    """The interval in brackets, in the digits of `power_number`."""
    if one.estimate is None or one.low is None or one.high is None:
        return interval(one)
    return f"[{power_number(one, one.low)}, {power_number(one, one.high)}]"


def power_measured(one: Measurement) -> str:
    """Estimate and n, the interval below."""
    if one.estimate is None:
        return measured(one)
    return f"{power_number(one)}  n={one.n}\n{power_interval(one)}"
