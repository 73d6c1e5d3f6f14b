"""The one shape in which every number leaves this project."""

from __future__ import annotations

import math

import msgspec

from offswitch.errors import StatisticsError

__all__ = ["Measurement"]


class Measurement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An estimate with its interval and everything needed to judge it.

    Raises:
        StatisticsError: a number is not finite, the interval does not hold the estimate, or
            `n` is 0 and an estimate is given all the same ("no data" is never 0).
    """

    name: str
    estimate: float | None
    """None where there is no data."""
    low: float | None
    high: float | None
    level: float = 0.95
    """Confidence level of [low, high], in (0, 1)."""
    n: int
    """Scored episodes (or goals, where goals are the sampling unit)."""
    clusters: int | None = None
    """Independent clusters the interval is built on; None where episodes are independent."""
    missing: int = 0
    """Episodes that could not be scored; they are in no denominator and always printed."""
    unit: str = "probability"
    method: str
    """How estimate and interval were obtained: 'clopper-pearson', 'cluster-t', 'exact', ..."""
    seed: int | None = None
    """Seed of any resampling or simulation behind it; None where nothing was drawn."""

    def __post_init__(self) -> None:
        for field in ("estimate", "low", "high", "level"):
            value = getattr(self, field)
            if value is not None and not math.isfinite(value):
                raise StatisticsError(
                    f"measurement {self.name!r}: {field} is {value}, expected a finite number. "
                    "Use None where there is no data."
                )
        if self.n < 0 or self.missing < 0:
            raise StatisticsError(
                f"measurement {self.name!r}: n={self.n}, missing={self.missing}, "
                "expected counts >= 0"
            )
        if self.n == 0 and self.estimate is not None:
            raise StatisticsError(
                f"measurement {self.name!r}: n is 0 but the estimate is {self.estimate}. "
                "No data is None, never a number."
            )
        if self.estimate is not None and self.low is not None and self.high is not None:
            slack = 1e-9 * max(1.0, abs(self.estimate))
            if not self.low - slack <= self.estimate <= self.high + slack:
                raise StatisticsError(
                    f"measurement {self.name!r}: estimate {self.estimate} lies outside "
                    f"[{self.low}, {self.high}]"
                )
