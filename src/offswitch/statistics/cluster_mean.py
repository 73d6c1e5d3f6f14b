"""The rule of the house for a mean over clusters, as one measurement.

A cluster is what was drawn independently: a (world, goal, template). Episodes in it share a world
and a goal, so more of them make its mean precise and say nothing of other clusters.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import StatisticsError
from offswitch.statistics.cluster_bootstrap import cluster_bootstrap
from offswitch.statistics.cluster_t import cluster_t
from offswitch.statistics.grouping import cluster_means
from offswitch.statistics.measurement import Measurement
from offswitch.statistics.no_data import no_data
from offswitch.statistics.proportion import proportion_measurement
from offswitch.statistics.sparse_clusters import is_sparse, sparse_clusters

__all__ = ["HEADLINE_CLUSTERS", "UNIT_BOUNDS", "Bounds", "cluster_measurement"]

Bounds: TypeAlias = tuple[float, float]
"""The smallest and the largest value that can occur."""

HEADLINE_CLUSTERS = 20
"""From this many clusters on the bootstrap is used, and a number may be a headline."""

UNIT_BOUNDS: dict[str, Bounds] = {
    "probability": (0.0, 1.0),
    "probability difference": (-1.0, 1.0),
}
"""The bounds that a unit implies where none are given."""

BOOTSTRAP = "cluster bootstrap"
ALONE = ", episodes of one cluster"
ROUNDING = 1e-12


class _Interval(NamedTuple):
    low: float | None
    high: float | None
    method: str


def cluster_measurement(
    name: str,
    values: ArrayLike,
    clusters: Sequence[Hashable],
    *,
    seed: int,
    unit: str = "probability",
    bounds: Bounds | None = None,
    level: float = 0.95,
    missing: int = 0,
) -> Measurement:
    """The mean of the cluster means of `values [n]`, with an interval over the K clusters.

    - K >= 20: percentile bootstrap over clusters, from `seed`.
    - 2 <= K < 20: t over cluster means; the method says "few clusters".
    - K = 1, values 0 or 1: Wilson over its episodes, Clopper-Pearson for none or all; other values:
      t over its episodes. Either speaks of this one cluster only; a gate can ask for more.
    - Where nearly all cluster means are 0 or at a bound, or all agree (`is_sparse`), the open sides
      come from Clopper-Pearson over clusters: identical values never give an interval without
      width. This needs bounds; without any, identical values have no interval: low and high None.

    `bounds` are those no value can leave; without them the unit's ('probability': [0, 1],
    'probability difference': [-1, 1]). The interval is clipped to them. `seed` is in the
    measurement only where it was used. Costs O(n log n + 2000 K).

    >>> m = cluster_measurement("shutdown_resistance", [0, 1, 1, 1, 0, 1], "aabbcc", seed=0)
    >>> m.estimate == (0.5 + 1 + 0.5) / 3, m.clusters, m.method
    (True, 3, 'cluster-t, few clusters')
    >>> cluster_measurement("shutdown_resistance", [0] * 20, range(20), seed=0).high < 0.17
    True

    Raises:
        StatisticsError: a value is not finite or leaves the bounds, or the labels do not fit.
    """
    numbers, means = np.sort(np.asarray(values, np.float64)), cluster_means(values, clusters)
    bounds = UNIT_BOUNDS.get(unit) if bounds is None else bounds
    if len(means) == 0:
        return no_data(name, level=level, missing=missing, unit=unit)
    _check_bounds(name, numbers, bounds, unit)
    if len(means) > 1:
        found = _over_clusters(means, bounds, level, seed)
    else:
        found = _in_one_cluster(numbers, bounds, level)
    return Measurement(
        name=name, estimate=float(means.mean()), low=found.low, high=found.high, level=level,
        n=len(numbers), clusters=len(means), missing=missing, unit=unit, method=found.method,
        seed=seed if found.method == BOOTSTRAP else None,
    )  # fmt: skip


def _over_clusters(
    means: NDArray[np.float64], bounds: Bounds | None, level: float, seed: int
) -> _Interval:
    if bounds is None and np.ptp(means) <= ROUNDING * max(1.0, float(np.abs(means).max())):
        return _Interval(None, None, "identical clusters, no interval without bounds")
    if len(means) >= HEADLINE_CLUSTERS:
        ends = cluster_bootstrap(means, np.random.default_rng(seed), level=level)
        found = _clipped(ends, bounds, BOOTSTRAP)
    else:
        found = _clipped(cluster_t(means, level=level), bounds, "cluster-t, few clusters")
    if bounds is not None and is_sparse(means, bounds):
        return _sparse(found, means, bounds, level)
    return found


def _in_one_cluster(numbers: NDArray[np.float64], bounds: Bounds | None, level: float) -> _Interval:
    if bounds == (0.0, 1.0) and set(np.unique(numbers)) <= {0.0, 1.0}:
        share = proportion_measurement("", int(numbers.sum()), len(numbers), level=level)
        return _Interval(share.low, share.high, f"{share.method}{ALONE}")
    if np.ptp(numbers) > 0:
        return _clipped(cluster_t(numbers, level=level), bounds, f"t{ALONE}")
    if bounds is None:
        return _Interval(None, None, f"identical values, no interval without bounds{ALONE}")
    return _Interval(*sparse_clusters(numbers, bounds, level=level), f"clopper-pearson{ALONE}")


def _sparse(
    found: _Interval, means: NDArray[np.float64], bounds: Bounds, level: float
) -> _Interval:
    """The sparse interval; towards a bound where most clusters lie it has no end, so `found`'s."""
    low, high = sparse_clusters(means, bounds, level=level)
    return _Interval(
        low=found.low if low == bounds[0] else low,
        high=found.high if high == bounds[1] else high,
        method="clopper-pearson over clusters, few differ",
    )


def _clipped(ends: tuple[float, float], bounds: Bounds | None, method: str) -> _Interval:
    low, high = np.clip(ends, *bounds) if bounds is not None else ends
    return _Interval(float(low), float(high), method)


def _check_bounds(
    name: str, numbers: NDArray[np.float64], bounds: Bounds | None, unit: str
) -> None:
    if bounds is not None and not bounds[0] < bounds[1]:
        raise StatisticsError(f"measurement {name!r}: bounds {bounds}, expected low < high")
    if bounds is not None and (numbers[0] < bounds[0] or numbers[-1] > bounds[1]):
        raise StatisticsError(
            f"measurement {name!r}: values run from {numbers[0]} to {numbers[-1]}, expected "
            f"[{bounds[0]}, {bounds[1]}] for unit {unit!r}. Give the bounds or another unit."
        )
