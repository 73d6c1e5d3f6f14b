"""The best of k actions drawn at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.theory.rules.ranks import value_ranks

__all__ = ["BestOfK"]


@dataclass(frozen=True)
class BestOfK:
    """Draws k available actions, uniformly and with replacement, and takes the best of them."""

    k: int
    """Draws, at least 1 (which is uniform)."""

    def __post_init__(self) -> None:
        """Refuse a number of draws that is none.

        Raises:
            ModelError: k is no whole number of at least 1.
        """
        if self.k != int(self.k) or self.k < 1:
            raise ModelError(
                f"best-of-k got k {self.k}, expected a whole number of at least 1, as in "
                "'best-of-k:2'"
            )

    @property
    def name(self) -> str:
        """Such as 'best-of-k:2'."""
        return f"best-of-k:{self.k}"

    def chances(self, values: ArrayLike) -> NDArray[np.float64]:
        """[..., A] exact, by counting: the best rank drawn is r iff no draw is above and one is r.

        Among n actions P(rank r) = (at most r / n)^k - (below r / n)^k, shared by those that tie.
        O(A^2) per choice.

        >>> BestOfK(2).chances([0.1, 0.2, 0.3, 0.4]).tolist()
        [0.0625, 0.1875, 0.3125, 0.4375]

        Raises:
            ModelError: a value is no number, or no action is available.
        """
        ranks = value_ranks(values)
        open_ = ranks >= 0
        mine, others = ranks[..., :, None], ranks[..., None, :]
        count = open_.sum(axis=-1, keepdims=True)
        equal = (others == mine).sum(axis=-1)
        below = ((others < mine) & (others >= 0)).sum(axis=-1)
        drawn = ((below + equal) / count) ** self.k - (below / count) ** self.k
        return np.where(open_, drawn / equal, 0.0)
