"""Means of equal parts of a sample, few enough to keep for a million states.

Estimates of several states share their goals, so a difference between two states needs more than
their standard errors: it needs the same parts of both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["PartMeans"]

MOST_ENTRIES = 2**24
"""Numbers kept: 128 MB."""
LEAST_PARTS = 4
"""Kept however many states there are."""


class PartMeans:
    """[P, S] means of P parts of `size` units each; parts are joined as memory fills up.

    >>> parts = PartMeans(n_states=1)
    >>> parts.add(np.array([[1.0], [2.0], [3.0]]))
    >>> parts.table.tolist(), parts.size
    ([[1.0], [2.0], [3.0]], 1)
    """

    def __init__(self, n_states: int) -> None:
        self.size = 1
        self._most = max(MOST_ENTRIES // n_states, 2 * LEAST_PARTS)
        self._parts: list[NDArray[np.float64]] = []
        self._rest: list[NDArray[np.float64]] = []
        self._n_states = n_states

    def add(self, units: NDArray[np.float64]) -> None:
        """Take in `units [m, S]`, in order."""
        for unit in units:
            self._rest.append(unit)
            if len(self._rest) == self.size:
                self._parts.append(_mean(self._rest))
                self._rest = []
                if len(self._parts) >= self._most:
                    self._halve()

    @property
    def table(self) -> NDArray[np.float64]:
        """[P, S] the means of the whole parts so far."""
        return np.array(self._parts).reshape(len(self._parts), self._n_states)

    def _halve(self) -> None:
        pairs = len(self._parts) // 2
        if len(self._parts) % 2:
            last = self._parts.pop()
            self._rest = [last] * self.size  # as good as its units: only their mean is used
        for pair in range(pairs):
            self._parts[pair] = (self._parts[2 * pair] + self._parts[2 * pair + 1]) / 2
        del self._parts[pairs:]
        self.size *= 2


def _mean(units: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    return units[0] if len(units) == 1 else np.mean(units, axis=0)
