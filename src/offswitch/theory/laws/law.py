"""What a law of random rewards is. S states, D uniform numbers, n goals."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError

__all__ = ["RewardLaw", "bounded_support", "finite_parameters"]


@runtime_checkable
class RewardLaw(Protocol):
    """A distribution of state rewards: a function of uniform numbers, so that any may be used.

    Whoever draws decides where the uniform numbers come from: random, stratified, or a
    low-discrepancy sequence. Written to, never subclassed.
    """

    @property
    def name(self) -> str:
        """The law in words: 'uniform(0, 1)'."""

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The ends of the support of every state's reward; None if it has none."""

    @property
    def independent(self) -> bool:
        """Whether the rewards of states are independent and all of one law."""

    @property
    def continuous(self) -> bool:
        """Whether no single value of a reward has positive probability."""

    def dimensions(self, n_states: int) -> int:
        """D, the uniform numbers that one goal on `n_states` states takes.

        Raises:
            ModelError: the law is about another number of states.
        """

    def rewards(self, uniforms: NDArray[np.float64]) -> NDArray[np.float64]:
        """[S, n] the rewards of n goals from `uniforms [D, n]` in [0, 1)."""

    def mean(self, n_states: int) -> NDArray[np.float64]:
        """[S] expected reward of every state."""

    def expected_maximum(self, counts: ArrayLike) -> NDArray[np.float64]:
        """The mean of the largest of that many independent rewards, in the shape of `counts`.

        Raises:
            ModelError: the rewards are not independent, or a count is below 1.
        """


def bounded_support(law: RewardLaw, what: str) -> tuple[float, float]:
    """The bounds of `law`, which `what` needs.

    Raises:
        ModelError: the law is unbounded.
    """
    if law.bounds is None:
        raise ModelError(
            f"{what} needs rewards with bounds, and the law {law.name} has none. Use a law with "
            "bounded support, such as Uniform or Beta."
        )
    return law.bounds


def finite_parameters(**given: float) -> list[str]:
    """One problem for every number that is not finite.

    >>> finite_parameters(low=0.0, high=float("inf"))
    ['high is inf, expected a finite number']
    """
    return [
        f"{name} is {number!r}, expected a finite number"
        for name, number in given.items()
        if not isinstance(number, int | float | np.number) or not np.isfinite(number)
    ]
