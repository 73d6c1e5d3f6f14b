"""The worst action."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.theory.rules.ranks import value_ranks

__all__ = ["AntiRational"]


@dataclass(frozen=True)
class AntiRational:
    """Takes a worst action; each of those that tie with the same probability.

    Asked of optimal action values it errs once and is optimal afterwards. That it is as
    retargetable as the optimal rule (Turner & Tadepalli 2022, Prop. A.11) is the point of it.
    """

    @property
    def name(self) -> str:
        """'anti-rational'."""
        return "anti-rational"

    def chances(self, values: ArrayLike) -> NDArray[np.float64]:
        """[..., A] 1 over the number of worst available actions, for these.

        >>> AntiRational().chances([0.5, 2.0, -np.inf]).tolist()
        [1.0, 0.0, 0.0]

        Raises:
            ModelError: a value is no number, or no action is available.
        """
        worst = value_ranks(values) == 0
        chance: NDArray[np.float64] = worst / worst.sum(axis=-1, keepdims=True)
        return chance
