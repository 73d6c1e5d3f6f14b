"""Rewards that a state either pays or does not: sparse goals where few do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError, problems_text
from offswitch.theory.laws.expected_maximum import checked_counts
from offswitch.theory.laws.law import finite_parameters

__all__ = ["Bernoulli"]

STEP = 2.0**-24
"""Uniform numbers are multiples of this, and so is the probability that is really drawn."""
LEAST = 2.0**-14
"""Rarer rewards would be drawn with a probability off by a tenth of a percent or more."""


@dataclass(frozen=True)
class Bernoulli:
    """Every state pays `value` with the given probability, independently, and else 0.

    >>> Bernoulli(0.5).expected_maximum([1, 2, 3]).tolist()
    [0.5, 0.75, 0.875]

    Raises:
        ModelError: the probability is outside [2^-14, 1], or the value is 0 or not finite.
    """

    probability: float
    """In [2^-14, 1]; the nearest multiple of 2^-24 is what is drawn."""
    value: float = 1.0

    def __post_init__(self) -> None:
        problems = finite_parameters(probability=self.probability, value=self.value)
        if not LEAST <= self.probability <= 1:
            problems.append(
                f"probability is {self.probability!r}, expected a number in [{LEAST:.2g}, 1]"
            )
        if self.value == 0:
            problems.append("value is 0, expected another number: no goal would pay anything")
        if problems:
            raise ModelError(problems_text("Bernoulli law", problems))

    @property
    def name(self) -> str:
        """The law in words."""
        paid = "" if self.value == 1 else f", paying {self.value:g}"
        return f"bernoulli({self.probability:g}{paid})"

    @property
    def bounds(self) -> tuple[float, float]:
        """0 and the value, in order."""
        return min(0.0, float(self.value)), max(0.0, float(self.value))

    @property
    def independent(self) -> bool:
        """States are independent."""
        return True

    @property
    def continuous(self) -> bool:
        """There are two values only."""
        return False

    @property
    def _drawn(self) -> float:
        return round(self.probability / STEP) * STEP

    def dimensions(self, n_states: int) -> int:
        """One uniform number for each state."""
        return n_states

    def rewards(self, uniforms: NDArray[np.float64]) -> NDArray[np.float64]:
        """[S, n] the rewards of n goals."""
        found: NDArray[np.float64] = np.where(uniforms < self._drawn, float(self.value), 0.0)
        return found

    def mean(self, n_states: int) -> NDArray[np.float64]:
        """[S] probability times value."""
        return np.full(n_states, self._drawn * self.value)

    def expected_maximum(self, counts: ArrayLike) -> NDArray[np.float64]:
        """value (1 - (1 - p)^n), or value p^n if it is negative: then all must pay."""
        n = checked_counts(counts)
        if self.value < 0:
            return np.asarray(self.value * self._drawn**n)
        if self._drawn == 1:
            return np.full(n.shape, float(self.value))
        return np.asarray(-self.value * np.expm1(n * np.log1p(-self._drawn)))
