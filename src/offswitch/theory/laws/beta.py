"""Beta rewards: bounded, and as skewed as wished."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from offswitch.errors import ModelError, problems_text
from offswitch.theory.laws.expected_maximum import maximum_by_quadrature
from offswitch.theory.laws.law import finite_parameters

__all__ = ["Beta"]

HALF_STEP = 2.0**-25
"""Uniform numbers are multiples of 2^-24; the middle of the step represents it."""
LEAST, MOST = 0.05, 1e6
"""Outside these nearly all draws are at an end, or equal, to the resolution of the uniforms."""


@dataclass(frozen=True)
class Beta:
    """Every state's reward independent and Beta(a, b) on [0, 1].

    >>> Beta(2, 1).mean(1).round(6).tolist()
    [0.666667]

    Raises:
        ModelError: a parameter is outside [0.05, 1e6].
    """

    a: float
    b: float

    def __post_init__(self) -> None:
        given = {"a": self.a, "b": self.b}
        problems = finite_parameters(**given) or [
            f"{name} is {number!r}, expected a number in [{LEAST:g}, {MOST:g}]"
            for name, number in given.items()
            if not LEAST <= number <= MOST
        ]
        if problems:
            raise ModelError(problems_text("beta law", problems))

    @property
    def name(self) -> str:
        """The law in words."""
        return f"beta({self.a:g}, {self.b:g})"

    @property
    def bounds(self) -> tuple[float, float]:
        """[0, 1]."""
        return 0.0, 1.0

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
        """[S, n] the rewards of n goals. About a microsecond each."""
        found: NDArray[np.float64] = special.betaincinv(self.a, self.b, uniforms + HALF_STEP)
        return found

    def mean(self, n_states: int) -> NDArray[np.float64]:
        """[S] a / (a + b)."""
        return np.full(n_states, self.a / (self.a + self.b))

    def expected_maximum(self, counts: ArrayLike) -> NDArray[np.float64]:
        """By quadrature, to some 1e-10."""
        return maximum_by_quadrature(self._quantile, counts)

    def _quantile(self, p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.where(
            p < 0.5,
            special.betaincinv(self.a, self.b, p),
            special.betainccinv(self.a, self.b, q),
        )
        return found
