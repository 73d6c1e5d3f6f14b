"""Any action that is good enough."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.theory.rules.optimal import Optimal
from offswitch.theory.rules.ranks import checked_values

__all__ = ["Satisficing"]


@dataclass(frozen=True)
class Satisficing:
    """Takes every action worth at least `threshold` with the same probability.

    Where none is, it takes a best one: Simon's satisficer lowers its aspiration. Satisfice_t of
    Turner & Tadepalli 2022 leaves that case without a choice, so the two agree wherever theirs
    chooses at all.
    """

    threshold: float
    """In units of return (of what `chances` is given)."""

    def __post_init__(self) -> None:
        """Refuse a threshold that is no number.

        Raises:
            ModelError: it is not finite.
        """
        if not math.isfinite(self.threshold):
            raise ModelError(
                f"satisficing got threshold {self.threshold}, expected a finite return, as in "
                "'satisficing:0.6'"
            )

    @property
    def name(self) -> str:
        """Such as 'satisficing:0.6'."""
        return f"satisficing:{self.threshold}"

    def chances(self, values: ArrayLike) -> NDArray[np.float64]:
        """[..., A] 1 over the number of good enough actions, for these.

        >>> Satisficing(0.6).chances([[0.5, 0.6, 0.9], [0.1, 0.2, 0.0]]).tolist()
        [[0.0, 0.5, 0.5], [0.0, 1.0, 0.0]]

        Raises:
            ModelError: a value is no number, or no action is available.
        """
        worth = checked_values(values)
        enough = worth >= self.threshold
        count = enough.sum(axis=-1, keepdims=True)
        return np.where(count > 0, enough / np.maximum(count, 1), Optimal().chances(worth))
