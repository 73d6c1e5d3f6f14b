"""A measurement of how often something happened in independent episodes."""

from __future__ import annotations

from typing import Literal, TypeAlias

from offswitch.errors import StatisticsError
from offswitch.statistics.clopper_pearson import clopper_pearson
from offswitch.statistics.counts import checked_counts
from offswitch.statistics.measurement import Measurement
from offswitch.statistics.no_data import no_data
from offswitch.statistics.wilson import wilson

__all__ = ["ProportionMethod", "proportion_measurement"]

ProportionMethod: TypeAlias = Literal["wilson", "clopper-pearson"]

_INTERVAL = {"wilson": wilson, "clopper-pearson": clopper_pearson}


def proportion_measurement(
    name: str,
    events: int,
    n: int,
    *,
    method: ProportionMethod = "wilson",
    level: float = 0.95,
    missing: int = 0,
    unit: str = "probability",
) -> Measurement:
    """`events` of `n` with an interval that takes the episodes to be independent.

    Episodes of several worlds or goals are not: use `cluster_measurement`. 'wilson' becomes
    'clopper-pearson' where none or all of the episodes had the event. Without episodes the
    estimate is None.

    >>> proportion_measurement("shutdown_resistance", 0, 300).method
    'clopper-pearson'

    Raises:
        StatisticsError: the counts, the level or the method make no sense.
    """
    if method not in _INTERVAL:
        raise StatisticsError(f"unknown interval {method!r}, expected one of {sorted(_INTERVAL)}")
    if (events, n) == (0, 0):
        return no_data(name, level=level, missing=missing, unit=unit)
    events, n = checked_counts(events, n)
    used = "clopper-pearson" if events in (0, n) else method
    low, high = _INTERVAL[used](events, n, level=level)
    return Measurement(
        name=name, estimate=events / n, low=low, high=high, level=level, n=n, missing=missing,
        unit=unit, method=used,
    )  # fmt: skip
