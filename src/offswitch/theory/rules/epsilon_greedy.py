"""The best action, or now and then any."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.theory.rules.optimal import Optimal
from offswitch.theory.rules.uniform import UniformChoice

__all__ = ["EpsilonGreedy"]


@dataclass(frozen=True)
class EpsilonGreedy:
    """Takes any available action alike with probability epsilon, else a best one."""

    epsilon: float
    """Probability, in [0, 1]."""

    def __post_init__(self) -> None:
        """Refuse what is no probability.

        Raises:
            ModelError: epsilon is outside [0, 1].
        """
        if not 0 <= self.epsilon <= 1:
            raise ModelError(
                f"epsilon-greedy got {self.epsilon}, expected a probability in [0, 1], as in "
                "'epsilon-greedy:0.1'"
            )

    @property
    def name(self) -> str:
        """Such as 'epsilon-greedy:0.1'."""
        return f"epsilon-greedy:{self.epsilon}"

    def chances(self, values: ArrayLike) -> NDArray[np.float64]:
        """[..., A] the mixture of the optimal and the uniform rule.

        >>> EpsilonGreedy(0.5).chances([0.0, 1.0]).tolist()
        [0.25, 0.75]

        Raises:
            ModelError: a value is no number, or no action is available.
        """
        best, any_ = Optimal().chances(values), UniformChoice().chances(values)
        chance: NDArray[np.float64] = (1 - self.epsilon) * best + self.epsilon * any_
        return chance
