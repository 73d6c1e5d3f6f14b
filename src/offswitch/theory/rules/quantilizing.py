"""One of the best share of what a base distribution would do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.numbers import number_array
from offswitch.theory.rules.ranks import value_ranks

__all__ = ["Quantilizing", "cost_bound"]


@dataclass(frozen=True, eq=False)
class Quantilizing:
    """Draws from the best share q of a base distribution (Taylor 2016, Def. 1).

    Whatever cost c >= 0 the base distribution is known to keep low, the quantilizer's is at most
    1/q times that (`cost_bound`). q = 1 is the base itself, q -> 0 the optimal rule on its support.
    """

    q: float
    """Share of the base's mass that is kept, in (0, 1]."""
    base: ArrayLike | None = None
    """[A] or [..., A] probabilities; None is uniform over the available actions. Retargetability
    is proved for the uniform base only (Turner & Tadepalli 2022, Prop. A.11)."""

    def __post_init__(self) -> None:
        """Refuse a share that is no share.

        Raises:
            ModelError: q is outside (0, 1].
        """
        if not 0 < self.q <= 1:
            raise ModelError(
                f"quantilizing got q {self.q}, expected a share in (0, 1], as in 'quantilizing:0.1'"
            )

    @property
    def name(self) -> str:
        """Such as 'quantilizing:0.1'."""
        return f"quantilizing:{self.q}"

    def chances(self, values: ArrayLike) -> NDArray[np.float64]:
        """[..., A] the base on its best share q, divided by q; ties at the cut share alike.

        O(A^2) per choice.

        >>> Quantilizing(0.5).chances([0.1, 0.2, 0.3, 0.4]).tolist()
        [0.0, 0.0, 0.5, 0.5]

        Raises:
            ModelError: a value is no number, no action is available, or the base is no
                distribution over available actions.
        """
        ranks = value_ranks(values)
        base = self._base(ranks)
        better = ranks[..., None, :] > ranks[..., :, None]
        equal = ranks[..., None, :] == ranks[..., :, None]
        above = (better * base[..., None, :]).sum(axis=-1)
        beside = (equal * base[..., None, :]).sum(axis=-1)
        share = np.divide(self.q - above, beside, out=np.zeros_like(base), where=beside > 0)
        kept = base * np.clip(share, 0, 1)
        chance: NDArray[np.float64] = kept / kept.sum(axis=-1, keepdims=True)
        return chance

    def _base(self, ranks: NDArray[np.int64]) -> NDArray[np.float64]:
        open_ = ranks >= 0
        if self.base is None:
            even: NDArray[np.float64] = open_ / open_.sum(axis=-1, keepdims=True)
            return even
        base = np.broadcast_to(number_array("base", self.base, "[A] or [..., A]"), ranks.shape)
        sound = (base >= 0).all() and np.allclose(base.sum(axis=-1), 1, rtol=0, atol=1e-9)
        if not sound or (base[~open_] > 0).any():
            raise ModelError(
                "base is no distribution over available actions: expected probabilities that sum "
                "to 1 over the last axis and are 0 where the value is -inf"
            )
        return base


def cost_bound(base: ArrayLike, cost: ArrayLike, q: float) -> NDArray[np.float64]:
    """[...] what no q-quantilizer of `base [..., A]` exceeds in expected cost: E_base[c] / q.

    For `cost [..., A]` of at least 0. It bounds any distribution with density at most 1/q against
    the base; among these a quantilizer expects the highest utility (Taylor 2016, Lemma 1). One of
    them costs as much exactly if what costs anything has at most mass q.

    >>> float(cost_bound([0.5, 0.5], [0.0, 1.0], 0.25))
    2.0

    Raises:
        ModelError: a cost is negative, or q is outside (0, 1].
    """
    share = Quantilizing(q).q
    costs = number_array("cost", cost, "[..., A]")
    if not (costs >= 0).all():
        raise ModelError("cost has an entry below 0 or NaN, expected numbers of at least 0")
    expected: NDArray[np.float64] = (number_array("base", base, "[..., A]") * costs).sum(axis=-1)
    return expected / share
