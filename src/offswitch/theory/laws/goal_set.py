"""One of finitely many goals, drawn with given weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError, problems_text
from offswitch.mdp.numbers import number_array

__all__ = ["GoalSet"]


@dataclass(frozen=True, eq=False)
class GoalSet:
    """The reward is `goals[g]` with probability `weights[g]`; all alike without weights.

    >>> two = GoalSet([[0.0, 1.0], [1.0, 0.0]], weights=[3, 1])
    >>> two.mean(2).tolist(), two.share.tolist()
    ([0.25, 0.75], [0.75, 0.25])

    Raises:
        ModelError: the goals are not [G, S] of finite numbers, or the weights do not fit them.
    """

    goals: ArrayLike
    """[G, S] state rewards of every goal."""
    weights: ArrayLike | None = None
    """[G] at least 0, not all 0; scaled to sum to 1."""

    def __post_init__(self) -> None:
        goals = number_array("goals", self.goals, "[G, S]")
        problems = []
        if goals.ndim != 2 or not goals.size or not np.isfinite(goals).all():
            problems.append(f"goals have shape {goals.shape}, expected [G, S] of finite numbers")
        count = len(goals) if goals.ndim else 0
        weights = np.ones(count)
        if self.weights is not None:
            weights = number_array("weights", self.weights, "[G]")
        sound = np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0
        if weights.shape != (count,) or not sound:
            problems.append(
                f"weights have shape {weights.shape}, expected [{count}] of numbers of at least "
                "0, not all 0: one for each goal"
            )
        if problems:
            raise ModelError(problems_text("goal set", problems))
        object.__setattr__(self, "goals", goals)
        object.__setattr__(self, "weights", weights / weights.sum())

    @property
    def table(self) -> NDArray[np.float64]:
        """[G, S] the goals."""
        return np.asarray(self.goals)

    @property
    def share(self) -> NDArray[np.float64]:
        """[G] probability of every goal."""
        return np.asarray(self.weights)

    @property
    def name(self) -> str:
        """The law in words."""
        return f"one of {len(self.table)} goals"

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the largest reward of any goal."""
        return float(self.table.min()), float(self.table.max())

    @property
    def independent(self) -> bool:
        """A goal decides the rewards of all states."""
        return False

    @property
    def continuous(self) -> bool:
        """There are finitely many goals."""
        return False

    def dimensions(self, n_states: int) -> int:
        """One uniform number picks the goal.

        Raises:
            ModelError: the goals are of another number of states.
        """
        if self.table.shape[1] != n_states:
            raise ModelError(
                f"goals have shape {self.table.shape}, expected [G, {n_states}]: a reward for "
                "each state of the process"
            )
        return 1

    def rewards(self, uniforms: NDArray[np.float64]) -> NDArray[np.float64]:
        """[S, n] the rewards of n goals."""
        ends = np.cumsum(self.share)[:-1]
        goals: NDArray[np.float64] = self.table[np.searchsorted(ends, uniforms[0], side="right")]
        return goals.T

    def mean(self, n_states: int) -> NDArray[np.float64]:
        """[S] the goals' weighted mean."""
        self.dimensions(n_states)
        return np.asarray(self.share @ self.table)

    def expected_maximum(self, counts: ArrayLike) -> NDArray[np.float64]:
        """Never: it depends on which states.

        Raises:
            ModelError: always.
        """
        raise ModelError(f"{self.name}: rewards are not independent, a count says too little")
