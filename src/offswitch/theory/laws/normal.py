"""Normal rewards: without bounds, so nothing that needs bounds can be said of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from offswitch.errors import ModelError, problems_text
from offswitch.theory.laws.expected_maximum import maximum_by_quadrature
from offswitch.theory.laws.law import finite_parameters

__all__ = ["Normal"]

HALF_STEP = 2.0**-25
"""Uniform numbers are multiples of 2^-24; the middle of the step keeps 0 from minus infinity."""


@dataclass(frozen=True)
class Normal:
    """Every state's reward independent and normal; drawn to at most 5.4 deviations from the mean.

    >>> Normal(1, 2).expected_maximum([1, 2]).round(6).tolist()
    [1.0, 2.128379]

    Raises:
        ModelError: a parameter is not finite, or the deviation is not positive.
    """

    centre: float = 0.0
    """Expected reward."""
    deviation: float = 1.0
    """Standard deviation, positive."""

    def __post_init__(self) -> None:
        problems = finite_parameters(mean=self.centre, deviation=self.deviation)
        if not self.deviation > 0:
            problems += [f"deviation is {self.deviation!r}, expected a positive number"]
        if problems:
            raise ModelError(problems_text("normal law", problems))

    @property
    def name(self) -> str:
        """The law in words."""
        return f"normal({self.centre:g}, {self.deviation:g})"

    @property
    def bounds(self) -> None:
        """There are none."""
        return None

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
        found: NDArray[np.float64] = special.ndtri(uniforms + HALF_STEP)
        return self.centre + self.deviation * found

    def mean(self, n_states: int) -> NDArray[np.float64]:
        """[S] the mean."""
        return np.full(n_states, float(self.centre))

    def expected_maximum(self, counts: ArrayLike) -> NDArray[np.float64]:
        """By quadrature, to some 1e-10 deviations."""
        return self.centre + self.deviation * maximum_by_quadrature(_quantile, counts)


def _quantile(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    low: NDArray[np.float64] = special.ndtri(np.minimum(p, 0.5))
    return np.where(p < 0.5, low, -special.ndtri(np.minimum(q, 0.5)))
