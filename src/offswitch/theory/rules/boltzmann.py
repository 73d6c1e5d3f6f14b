"""Better actions with exponentially higher probability."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.theory.rules.ranks import checked_values

__all__ = ["Boltzmann"]

UNDERFLOW = 800.0
"""exp(-800) is 0 in float64."""


@dataclass(frozen=True)
class Boltzmann:
    """Takes action a with probability proportional to exp(beta Q(s, a)) (Luce 1959).

    beta is 1/T of Turner & Tadepalli's Boltzmann_T.
    """

    beta: float
    """Inverse temperature, per unit of return; 0 is uniform, negative prefers the worst."""

    def __post_init__(self) -> None:
        """Refuse a temperature that is no temperature.

        Raises:
            ModelError: beta is not finite.
        """
        if not math.isfinite(self.beta):
            raise ModelError(
                f"boltzmann got beta {self.beta}, expected a finite number, as in 'boltzmann:2.0'. "
                "The limit of large beta is 'optimal'."
            )

    @property
    def name(self) -> str:
        """Such as 'boltzmann:2.0'."""
        return f"boltzmann:{self.beta}"

    def chances(self, values: ArrayLike) -> NDArray[np.float64]:
        """[..., A] the softmax of beta times the values; no size of them overflows.

        >>> Boltzmann(np.log(3)).chances([0.0, 1.0]).round(12).tolist()
        [0.25, 0.75]

        Raises:
            ModelError: a value is no number, or no action is available.
        """
        worth = checked_values(values)
        open_ = np.isfinite(worth)
        liking = np.where(open_, math.copysign(1.0, self.beta) * worth, -np.inf)
        gap = liking - liking.max(axis=-1, keepdims=True)
        cold = abs(self.beta)
        # Beyond the floor exp is 0 anyway, and the product could overflow.
        floor = -UNDERFLOW / cold if cold > 0 else -np.inf
        exponent = cold * np.where(open_, np.maximum(gap, floor), 0.0)
        weight = np.where(open_, np.exp(exponent), 0.0)
        chance: NDArray[np.float64] = weight / weight.sum(axis=-1, keepdims=True)
        return chance
