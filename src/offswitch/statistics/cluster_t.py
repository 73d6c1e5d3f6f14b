"""The t interval of a mean of cluster means."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from offswitch.errors import StatisticsError
from offswitch.statistics.level import tail_probability

__all__ = ["cluster_t"]


def cluster_t(means: NDArray[np.float64], *, level: float = 0.95) -> tuple[float, float]:
    """(low, high) of the expected cluster mean: mean +- t(K - 1) sd / sqrt(K) of `means [K]`.

    Only the spread between clusters counts, so episodes inside a cluster may depend on each other
    in any way. Miller 2024 (arXiv 2411.00640) on clustered standard errors; with equal clusters
    this is his estimator with the t quantile. Below about 10 clusters it covers less than it
    says, and of rare events much less: `sparse_clusters` is for those.

    Raises:
        StatisticsError: fewer than two clusters have no spread.
    """
    K = len(means)
    if K < 2:
        raise StatisticsError(f"cluster-t needs at least 2 cluster means, got {K}")
    quantile = float(special.stdtrit(K - 1, 1 - tail_probability(level)))
    half = quantile * float(np.std(means, ddof=1)) / K**0.5
    middle = float(np.mean(means))
    return middle - half, middle + half
