"""What a decision rule is."""

from __future__ import annotations

from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.mdp.model import FiniteMDP

__all__ = ["ChoiceRule", "PlannedRule", "Rule"]


@runtime_checkable
class ChoiceRule(Protocol):
    """Chooses by the worth of the actions alone, whatever they are called.

    Every rule of this package without labels of its own is EU-determined in the sense of Turner &
    Tadepalli 2022, Thm A.13: it may be asked of expected utilities as well as of action values.
    """

    @property
    def name(self) -> str:
        """As `parse_rule` reads it: 'optimal', 'boltzmann:2.0'."""
        ...

    def chances(self, values: ArrayLike) -> NDArray[np.float64]:
        """[..., A] the probability of each action, given what each is worth.

        `values [..., A]` holds -inf for unavailable actions, which get probability 0.
        """
        ...


@runtime_checkable
class PlannedRule(Protocol):
    """Makes its policies out of the process, not of optimal action values."""

    @property
    def name(self) -> str:
        """As `parse_rule` reads it, where it can: 'lookahead:4'."""
        ...

    def policies(
        self,
        mdp: FiniteMDP,
        rewards: ArrayLike,
        *,
        discount: float,
        allowed: ArrayLike | None = None,
    ) -> NDArray[np.float64]:
        """[K, S, A] the policy for each of K goals."""
        ...


Rule: TypeAlias = ChoiceRule | PlannedRule
"""Anything that turns goals into policies."""
