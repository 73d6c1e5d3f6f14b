"""The interval of a mean of cluster means where nearly all clusters agree.

Where no or few clusters differ from the rest, the spread says nothing of the clusters that were
not drawn: the t interval and the bootstrap then have no or hardly any width, and an agent that was
caught once would look safer than one that was never caught.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offswitch.errors import StatisticsError
from offswitch.statistics.clopper_pearson import clopper_pearson

__all__ = ["MAX_DIFFERING", "is_sparse", "sparse_clusters"]

MAX_DIFFERING = 5
"""From this many differing clusters on, their spread is believed."""

DECIMALS = 12


class _Agreement(NamedTuple):
    """The commonest mean, on a scale where the bounds are 0 and 1, and how many differ from it."""

    value: float
    above: int
    below: int


def is_sparse(means: NDArray[np.float64], bounds: tuple[float, float]) -> bool:
    """Whether all cluster means agree, or nearly all are 0 or at a bound.

    Nearly all: fewer than 5 clusters, and fewer than half of them, are elsewhere.

    >>> is_sparse(np.array([0.0, 0.0, 0.4]), (0, 1)), is_sparse(np.array([0.5, 0.5, 1.0]), (0, 1))
    (True, False)
    """
    value, above, below = _agreement(means, bounds)
    fixed = _unit_scale(np.array([0.0, *bounds]), bounds)
    differing = above + below
    few = differing < MAX_DIFFERING and 2 * differing < len(means)
    return differing == 0 or (few and value in fixed)


def sparse_clusters(
    means: NDArray[np.float64], bounds: tuple[float, float], *, level: float = 0.95
) -> tuple[float, float]:
    """(low, high) of the expected cluster mean, for `means [K]` that cannot leave `bounds`.

    With v the commonest mean, a cluster above it adds at most `bounds[1] - v`, so the expected mean
    is at most `v + (bounds[1] - v) P(above)`, and Clopper-Pearson over clusters bounds that
    probability; likewise below. For v fixed beforehand (0, a bound) the coverage is at least
    `level`. When v is a bound the side towards it is the bound itself. All clusters 0: the
    Clopper-Pearson interval of 0 in K. Cautious: it assumes the worst of a cluster that differs.

    >>> low, high = sparse_clusters(np.zeros(20), (0.0, 1.0))
    >>> low, round(high, 3)
    (0.0, 0.168)

    Raises:
        StatisticsError: no clusters, or a mean outside the bounds.
    """
    value, above, below = _agreement(means, bounds)
    rise = clopper_pearson(above, len(means), level=level)[1]
    fall = clopper_pearson(below, len(means), level=level)[1]
    low, high = value - value * fall, value + (1 - value) * rise
    low, high = (bounds[0] * (1 - end) + bounds[1] * end for end in (low, high))
    return low, high


def _agreement(means: NDArray[np.float64], bounds: tuple[float, float]) -> _Agreement:
    scaled = _unit_scale(means, bounds)
    if len(means) == 0 or scaled.min() < 0 or scaled.max() > 1:
        raise StatisticsError(f"cluster means {means}, expected at least one, inside {bounds}")
    values, counts = np.unique(scaled, return_counts=True)
    value = float(values[int(np.argmax(counts))])
    return _Agreement(value, int((scaled > value).sum()), int((scaled < value).sum()))


def _unit_scale(numbers: NDArray[np.float64], bounds: tuple[float, float]) -> NDArray[np.float64]:
    """Bounds become 0 and 1; rounded, for equal episodes have means that differ in the last bit."""
    return np.round((numbers - bounds[0]) / (bounds[1] - bounds[0]), DECIMALS)
