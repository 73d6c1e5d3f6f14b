"""The measurement of nothing."""

from __future__ import annotations

from offswitch.statistics.measurement import Measurement

__all__ = ["no_data"]


def no_data(
    name: str, *, level: float = 0.95, missing: int = 0, unit: str = "probability"
) -> Measurement:
    """A measurement whose estimate and bounds are None because no episode was scored.

    >>> no_data("shutdown_resistance", missing=3).estimate is None
    True
    """
    return Measurement(
        name=name, estimate=None, low=None, high=None, level=level, n=0, missing=missing,
        unit=unit, method="no data",
    )  # fmt: skip
