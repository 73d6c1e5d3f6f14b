"""Rewards that are random weights of given features, so that similar states pay alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.numbers import number_array
from offswitch.theory.laws.law import RewardLaw

__all__ = ["Correlated"]


@dataclass(frozen=True, eq=False)
class Correlated:
    """Reward = features [S, F] times F independent weights of the law `weights`.

    >>> from offswitch.theory.laws.uniform import Uniform
    >>> pair = Correlated([[1.0], [2.0]], Uniform())
    >>> pair.rewards(np.array([[0.25]])).tolist(), pair.bounds
    ([[0.25], [0.5]], (0.0, 2.0))

    Raises:
        ModelError: the features are not [S, F] of finite numbers, or the weights not independent.
    """

    features: ArrayLike
    """[S, F] what each state has of each feature."""
    weights: RewardLaw

    def __post_init__(self) -> None:
        table = number_array("features", self.features, "[S, F]")
        if table.ndim != 2 or not table.size or not np.isfinite(table).all():
            raise ModelError(
                f"features have shape {table.shape}, expected [S, F] of finite numbers, with at "
                "least one feature: a row for each state"
            )
        if not self.weights.independent:
            raise ModelError(
                f"the weights' law is {self.weights.name}, expected a law of independent numbers: "
                "Uniform, Normal, Beta or Bernoulli"
            )
        object.__setattr__(self, "features", table)

    @property
    def _table(self) -> NDArray[np.float64]:
        return np.asarray(self.features)

    @property
    def name(self) -> str:
        """The law in words."""
        return f"{self._table.shape[1]} features with {self.weights.name} weights"

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The least and the largest that any state can pay; None if the weights have no bounds."""
        ends = self.weights.bounds
        if ends is None:
            return None
        low, high = self._table * ends[0], self._table * ends[1]
        return (
            float(np.minimum(low, high).sum(axis=1).min()),
            float(np.maximum(low, high).sum(axis=1).max()),
        )

    @property
    def independent(self) -> bool:
        """States share weights."""
        return False

    @property
    def continuous(self) -> bool:
        """As the weights, but for states without any feature."""
        return self.weights.continuous and bool((self._table != 0).any(axis=1).all())

    def dimensions(self, n_states: int) -> int:
        """F.

        Raises:
            ModelError: the features are of another number of states.
        """
        states, features = self._table.shape
        if states != n_states:
            raise ModelError(
                f"features have shape {self._table.shape}, expected [{n_states}, F]: a row for "
                "each state of the process"
            )
        return self.weights.dimensions(features)

    def rewards(self, uniforms: NDArray[np.float64]) -> NDArray[np.float64]:
        """[S, n] the rewards of n goals."""
        return self._table @ self.weights.rewards(uniforms)

    def mean(self, n_states: int) -> NDArray[np.float64]:
        """[S] features times the expected weights."""
        self.dimensions(n_states)
        return self._table @ self.weights.mean(self._table.shape[1])

    def expected_maximum(self, counts: ArrayLike) -> NDArray[np.float64]:
        """Never: it depends on which states.

        Raises:
            ModelError: always.
        """
        raise ModelError(f"{self.name}: rewards are not independent, a count says too little")
