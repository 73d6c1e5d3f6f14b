"""Values by the cluster that each belongs to."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import StatisticsError

__all__ = ["cluster_means"]


def cluster_means(values: ArrayLike, clusters: Sequence[Hashable]) -> NDArray[np.float64]:
    """The mean of `values [n]` in each of the K different `clusters [n]`, ascending, `[K]`.

    Ascending, so that nothing computed from them can depend on the order of the episodes.

    >>> cluster_means([1.0, 0.0, 0.0], ["star/a", "star/a", "star/b"]).tolist()
    [0.0, 0.5]

    Raises:
        StatisticsError: the lengths differ, or a value is not finite (an episode that could not be
            scored belongs in `missing`).
    """
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or len(numbers) != len(clusters):
        raise StatisticsError(
            f"values have shape {numbers.shape}, but there are {len(clusters)} cluster labels; "
            "expected one label per value"
        )
    if not np.isfinite(numbers).all():
        at = int(np.flatnonzero(~np.isfinite(numbers))[0])
        raise StatisticsError(
            f"values[{at}] is {numbers[at]}, expected finite numbers. Leave out episodes that "
            "could not be scored and count them in `missing`."
        )
    index: dict[Hashable, int] = {}
    rows = np.array([index.setdefault(label, len(index)) for label in clusters], dtype=np.intp)
    ordered = np.lexsort((numbers, rows))  # floating sums depend on the order of their terms
    totals = np.bincount(rows[ordered], weights=numbers[ordered], minlength=len(index))
    return np.sort(totals / np.bincount(rows, minlength=len(index)))
