"""Any action: the agent without a goal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.theory.rules.ranks import checked_values

__all__ = ["UniformChoice"]


@dataclass(frozen=True)
class UniformChoice:
    """Takes every available action with the same probability: what chance alone would do."""

    @property
    def name(self) -> str:
        """'random'."""
        return "random"

    def chances(self, values: ArrayLike) -> NDArray[np.float64]:
        """[..., A] 1 over the number of available actions, for these.

        >>> UniformChoice().chances([3.0, -np.inf, 1.0]).tolist()
        [0.5, 0.0, 0.5]

        Raises:
            ModelError: a value is no number, or no action is available.
        """
        open_ = np.isfinite(checked_values(values))
        chance: NDArray[np.float64] = open_ / open_.sum(axis=-1, keepdims=True)
        return chance
