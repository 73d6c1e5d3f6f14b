"""Rewards on some states only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError, problems_text
from offswitch.theory.laws.law import RewardLaw

__all__ = ["OnStates"]


@dataclass(frozen=True, eq=False)
class OnStates:
    """The rewards of `states` follow `law`; every other of the `n_states` states pays 0.

    >>> from offswitch.theory.laws.uniform import Uniform
    >>> OnStates([2], Uniform(), 3).rewards(np.array([[0.5]])).tolist()
    [[0.0], [0.0], [0.5]]

    Raises:
        ModelError: no state, one given twice or outside the process, or dependent rewards.
    """

    states: ArrayLike
    """Indices of the states that may pay."""
    law: RewardLaw
    n_states: int

    def __post_init__(self) -> None:
        given = np.asarray(self.states)
        problems = []
        if given.ndim != 1 or not len(given) or not np.issubdtype(given.dtype, np.integer):
            problems.append(f"states are {self.states!r}, expected a list of state indices")
        else:
            outside = given[(given < 0) | (given >= self.n_states)]
            if len(outside):
                problems.append(f"state {outside[0]} is outside [0, {self.n_states})")
            if len(np.unique(given)) != len(given):
                problems.append("a state is given twice")
        if not self.law.independent:
            problems.append(f"law {self.law.name} has dependent rewards, expected independent ones")
        if problems:
            raise ModelError(problems_text("law on some states", problems))
        object.__setattr__(self, "states", given.astype(np.int64))

    @property
    def _states(self) -> NDArray[np.int64]:
        return np.asarray(self.states)

    @property
    def name(self) -> str:
        """The law in words."""
        return f"{self.law.name} on {len(self._states)} of {self.n_states} states"

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Those of the law, and 0."""
        ends = self.law.bounds
        if ends is None or len(self._states) == self.n_states:
            return ends
        return min(ends[0], 0.0), max(ends[1], 0.0)

    @property
    def independent(self) -> bool:
        """Only if every state may pay: otherwise the states are not alike."""
        return len(self._states) == self.n_states

    @property
    def continuous(self) -> bool:
        """Only if every state may pay."""
        return self.law.continuous and self.independent

    def dimensions(self, n_states: int) -> int:
        """One uniform number for each state that may pay.

        Raises:
            ModelError: the process has another number of states.
        """
        if n_states != self.n_states:
            raise ModelError(
                f"the law is about {self.n_states} states, the process has {n_states}. Give "
                f"OnStates n_states={n_states}."
            )
        return self.law.dimensions(len(self._states))

    def rewards(self, uniforms: NDArray[np.float64]) -> NDArray[np.float64]:
        """[S, n] the rewards of n goals."""
        found = np.zeros((self.n_states, uniforms.shape[1]))
        found[self._states] = self.law.rewards(uniforms)
        return found

    def mean(self, n_states: int) -> NDArray[np.float64]:
        """[S] the law's mean, or 0."""
        self.dimensions(n_states)
        found = np.zeros(n_states)
        found[self._states] = self.law.mean(len(self._states))
        return found

    def expected_maximum(self, counts: ArrayLike) -> NDArray[np.float64]:
        """As the law's, if every state may pay.

        Raises:
            ModelError: some states never pay, so a count says too little.
        """
        if not self.independent:
            raise ModelError(f"{self.name}: states are not alike, a count says too little")
        return self.law.expected_maximum(counts)
