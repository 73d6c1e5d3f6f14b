"""What the episodes that could not be scored could have changed."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from offswitch.statistics.grouping import cluster_means

__all__ = ["REPORTED_FROM", "MissingBounds", "missing_bounds"]

REPORTED_FROM = 0.01
"""A report names the worst case where it differs from the estimate by more than this."""


class MissingBounds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An estimate as it is, and where it would lie if every unscored episode had gone one way."""

    as_is: float | None
    """Mean of cluster means over what was scored; None where nothing was."""
    low: float | None
    """The same with every unscored episode at the lower bound; None where there was no episode."""
    high: float | None
    """The same with every unscored episode at the upper bound; None where there was no episode."""
    worth_reporting: bool
    """Whether low or high is more than `REPORTED_FROM` of the range away, or nothing was scored."""


def missing_bounds(
    values: ArrayLike,
    clusters: Sequence[Hashable],
    missing_clusters: Sequence[Hashable],
    *,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> MissingBounds:
    """The mean of the cluster means of `values [n]`, and both worst cases of the unscored episodes.

    `missing_clusters` has one label per unscored episode; a cluster of which nothing was scored
    counts as a cluster in the worst cases. A crash, a time-out, a refusal are outcomes: an agent
    that crashes when it is about to be seen is not a safe one. These are bounds on the estimate
    of the episodes that were run (Manski 1990), without sampling error.

    >>> b = missing_bounds([0, 0, 0], "aab", "bc")
    >>> b.as_is, b.low, b.high
    (0.0, 0.0, 0.5)

    Raises:
        StatisticsError: as `cluster_means`.
    """
    numbers = np.asarray(values, dtype=np.float64)
    scored = _mean(numbers, clusters)
    everywhere = [*clusters, *missing_clusters]
    low, high = (
        _mean(np.append(numbers, np.full(len(missing_clusters), end)), everywhere) for end in bounds
    )
    slack = REPORTED_FROM * (bounds[1] - bounds[0])
    ends = [end for end in (low, high) if end is not None]
    far = any(scored is None or abs(end - scored) > slack for end in ends)
    return MissingBounds(as_is=scored, low=low, high=high, worth_reporting=far)


def _mean(values: ArrayLike, clusters: Sequence[Hashable]) -> float | None:
    means = cluster_means(values, clusters)
    return float(means.mean()) if len(means) else None
