"""Rewards uniform on an interval: the law of the worked examples of Turner et al. 2021."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError, problems_text
from offswitch.theory.laws.expected_maximum import checked_counts
from offswitch.theory.laws.law import finite_parameters

__all__ = ["Uniform"]


@dataclass(frozen=True)
class Uniform:
    """Every state's reward independent and uniform on [low, high).

    >>> Uniform(-1, 1).expected_maximum([1, 3]).tolist()
    [0.0, 0.5]

    Raises:
        ModelError: the bounds are not finite numbers with low < high.
    """

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        problems = finite_parameters(low=self.low, high=self.high)
        if not problems and not self.low < self.high:
            problems = [f"low is {self.low:g} and high is {self.high:g}, expected low < high"]
        if problems:
            raise ModelError(problems_text("uniform law", problems))

    @property
    def name(self) -> str:
        """The law in words."""
        return f"uniform({self.low:g}, {self.high:g})"

    @property
    def bounds(self) -> tuple[float, float]:
        """The ends of the interval."""
        return float(self.low), float(self.high)

    @property
    def independent(self) -> bool:
        """States are independent."""
        return True

    @property
    def continuous(self) -> bool:
        """No value has positive probability."""
        return True

    def dimensions(self, n_states: int) -> int:
        """One uniform number for each state."""
        return n_states

    def rewards(self, uniforms: NDArray[np.float64]) -> NDArray[np.float64]:
        """[S, n] the rewards of n goals."""
        return self.low + (self.high - self.low) * uniforms

    def mean(self, n_states: int) -> NDArray[np.float64]:
        """[S] the middle of the interval."""
        return np.full(n_states, (self.low + self.high) / 2)

    def expected_maximum(self, counts: ArrayLike) -> NDArray[np.float64]:
        """low + (high - low) n / (n + 1)."""
        n = checked_counts(counts)
        found: NDArray[np.float64] = self.low + (self.high - self.low) * n / (n + 1)
        return found
