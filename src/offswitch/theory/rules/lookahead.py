"""What is best when only h steps count."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.action_values import action_values
from offswitch.mdp.allowed import allowed_actions
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.reward import checked_reward
from offswitch.theory.rules.optimal import Optimal
from offswitch.theory.rules.rule import ChoiceRule

__all__ = ["Lookahead", "lookahead_values"]


@dataclass(frozen=True)
class Lookahead:
    """Chooses by the best return of the next h rewards, and plans anew at every step.

    The capability knob: what lies beyond the horizon cannot motivate. With rewards on states the
    first of the h is the present state's, so h = 1 cannot tell the actions apart.
    """

    steps: int
    """h, at least 1."""
    then: ChoiceRule = field(default_factory=Optimal)
    """What it does with the h-step values."""

    def __post_init__(self) -> None:
        """Refuse a planner that cannot see its own action.

        Raises:
            ModelError: fewer than 1 step.
        """
        if self.steps != int(self.steps) or self.steps < 1:
            raise ModelError(
                f"lookahead got {self.steps} steps, expected a whole number of at least 1, as in "
                "'lookahead:3'"
            )

    @property
    def name(self) -> str:
        """Such as 'lookahead:3'."""
        return f"lookahead:{self.steps}"

    def policies(
        self,
        mdp: FiniteMDP,
        rewards: ArrayLike,
        *,
        discount: float,
        allowed: ArrayLike | None = None,
    ) -> NDArray[np.float64]:
        """[K, S, A] the policy for each goal. O(h K transitions).

        Raises:
            ModelError: rewards, discount or mask is malformed.
        """
        values = lookahead_values(mdp, rewards, self.steps, discount=discount, allowed=allowed)
        return self.then.chances(values)


def lookahead_values(
    mdp: FiniteMDP,
    rewards: ArrayLike,
    steps: int,
    *,
    discount: float,
    allowed: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """[K, S, A] the best expected discounted sum of the next `steps` rewards; -inf if barred.

    `rewards` is `[S]`, `[K, S]` or `[K, S, A]`; `discount` in [0, 1]. O(steps x K transitions).

    >>> two = FiniteMDP.from_coo(2, 2, [(0, 0, 0, 1.0), (0, 1, 1, 1.0), (1, 0, 1, 1.0)])
    >>> lookahead_values(two, [0.0, 1.0], 2, discount=0.5).tolist()
    [[[0.0, 0.5], [1.5, -inf]]]

    Raises:
        ModelError: rewards, discount or mask is malformed.
    """
    mask = allowed_actions(mdp, allowed)
    earned = checked_reward(mdp, rewards)
    given = earned if earned.shape[2] > 1 or mdp.n_actions == 1 else earned[:, :, 0]
    best = np.zeros(earned.shape[:2])
    for _ in range(steps):
        values = np.where(mask, action_values(mdp, given, best, discount), -np.inf)
        best = values.max(axis=2)
    return values
