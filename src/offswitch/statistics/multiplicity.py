"""Several p-values at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import StatisticsError

__all__ = ["holm"]


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """The p-values `[tests]` adjusted by Holm's step-down rule, in the order given, in [0, 1].

    Rejecting what is at most alpha keeps the probability of any false rejection in the family at
    alpha, however the tests depend on each other. Holm 1979. Gates that must all pass need no
    adjustment: each is tested at its own level (intersection-union).

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]

    Raises:
        StatisticsError: not a list of probabilities.
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():  # NaN fails both comparisons
        raise StatisticsError(f"p-values {p}, expected a list of numbers in [0, 1]")
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
