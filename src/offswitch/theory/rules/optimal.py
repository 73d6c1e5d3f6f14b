"""The best action."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.theory.rules.ranks import value_ranks

__all__ = ["Optimal"]


@dataclass(frozen=True)
class Optimal:
    """Takes a best action; each of those that tie with the same probability.

    The fractional optimality of Turner & Tadepalli 2022. Breaking ties by label instead would
    make what is chosen depend on what the actions are called.
    """

    @property
    def name(self) -> str:
        """'optimal'."""
        return "optimal"

    def chances(self, values: ArrayLike) -> NDArray[np.float64]:
        """[..., A] 1 over the number of best actions, for these.

        >>> Optimal().chances([0.5, 2.0, 2.0]).tolist()
        [0.0, 0.5, 0.5]

        Raises:
            ModelError: a value is no number, or no action is available.
        """
        ranks = value_ranks(values)
        best = ranks == ranks.max(axis=-1, keepdims=True)
        chance: NDArray[np.float64] = best / best.sum(axis=-1, keepdims=True)
        return chance
