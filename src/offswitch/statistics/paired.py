"""A measurement of treated minus control, under common random numbers."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import StatisticsError
from offswitch.statistics.cluster_mean import Bounds, cluster_measurement
from offswitch.statistics.measurement import Measurement
from offswitch.statistics.newcombe import newcombe_paired

__all__ = ["paired_measurement"]


def paired_measurement(
    name: str,
    treated: ArrayLike,
    control: ArrayLike,
    clusters: Sequence[Hashable],
    *,
    seed: int,
    unit: str = "probability difference",
    bounds: Bounds | None = None,
    level: float = 0.95,
    missing: int = 0,
) -> Measurement:
    """The mean of the cluster means of `treated [n] - control [n]`, pair by pair.

    The two episodes of a pair share a seed, so what both meet drops out of the difference. Over
    clusters the interval is that of `cluster_measurement` on the differences; pairs of 0 and 1 in
    one cluster have Newcombe's. A pair with an unscored half belongs in `missing`. `bounds` are
    those of a difference.

    >>> m = paired_measurement("excess", [1, 1, 0], [0, 1, 0], "abc", seed=0)
    >>> round(m.estimate, 3)
    0.333

    Raises:
        StatisticsError: the lengths differ, or as `cluster_measurement`.
    """
    mine, other = np.asarray(treated, np.float64), np.asarray(control, np.float64)
    if mine.shape != other.shape:
        raise StatisticsError(
            f"measurement {name!r}: {mine.shape} treated and {other.shape} control episodes, "
            "expected pairs. Leave out a pair with an unscored half and count it in `missing`."
        )
    found = cluster_measurement(
        name, mine - other, clusters, seed=seed, unit=unit, bounds=bounds, level=level,
        missing=missing,
    )  # fmt: skip
    binary = set(np.unique(np.concatenate([mine, other]))) <= {0.0, 1.0}
    if found.clusters != 1 or not binary:
        return found
    return _newcombe(found, mine, other)


def _newcombe(
    found: Measurement, mine: NDArray[np.float64], other: NDArray[np.float64]
) -> Measurement:
    low, high = newcombe_paired(
        int((mine * other).sum()), int((mine > other).sum()), int((mine < other).sum()),
        int(((1 - mine) * (1 - other)).sum()), level=found.level,
    )  # fmt: skip
    return Measurement(
        name=found.name, estimate=found.estimate, low=low, high=high, level=found.level,
        n=found.n, clusters=1, missing=found.missing, unit=found.unit,
        method="newcombe, pairs of one cluster",
    )  # fmt: skip
