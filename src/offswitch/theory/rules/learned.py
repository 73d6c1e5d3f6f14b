"""What a given policy, or a table of learnt values, says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.allowed import allowed_actions
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.numbers import number_array
from offswitch.mdp.policy import checked_policy
from offswitch.mdp.reward import checked_reward
from offswitch.theory.rules.optimal import Optimal
from offswitch.theory.rules.rule import ChoiceRule

__all__ = ["GivenPolicy", "LearnedValues"]


@dataclass(frozen=True, eq=False)
class GivenPolicy:
    """Acts by a policy that was made elsewhere, one for all goals or one for each."""

    policy: ArrayLike | Callable[[NDArray[np.float64]], ArrayLike]
    """[S, A], [K, S, A], or a function from one goal's reward ([S] or [S, A]) to [S, A]."""
    name: str = "given policy"
    """What it is called in tables."""

    def policies(
        self,
        mdp: FiniteMDP,
        rewards: ArrayLike,
        *,
        discount: float,
        allowed: ArrayLike | None = None,
    ) -> NDArray[np.float64]:
        """[K, S, A] the policy for each goal; one call of a function per goal.

        Raises:
            ModelError: a policy is malformed, or `allowed` is given: what a given policy would do
                without some of its actions is not known.
        """
        if allowed is not None:
            raise ModelError(
                f"{self.name} was made without `allowed`, and what it would do otherwise is not "
                "known. Make another policy under the restriction."
            )
        goals = len(checked_reward(mdp, rewards))
        if callable(self.policy):
            asked = np.asarray(rewards, dtype=np.float64)
            asked = asked[None] if asked.ndim == 1 else asked
            return np.stack([checked_policy(mdp, self.policy(reward)) for reward in asked])
        given = number_array("policy", self.policy, "[S, A] or [K, S, A]")
        if given.ndim == 3 and len(given) != goals:
            raise ModelError(
                f"policy has shape {given.shape}, expected [S, A] or [K, S, A] with K = {goals} "
                "goals"
            )
        if given.ndim != 3:
            return np.broadcast_to(checked_policy(mdp, given), (goals, *given.shape))
        return np.stack([checked_policy(mdp, one) for one in given])


@dataclass(frozen=True, eq=False)
class LearnedValues:
    """Chooses by a table of action values learnt elsewhere, as by Q-learning, instead of Q*."""

    values: ArrayLike
    """[S, A] for all goals or [K, S, A], one table for each; what it says of unavailable actions
    is dropped."""
    then: ChoiceRule = field(default_factory=Optimal)
    """What it does with the values."""
    name: str = "learned"
    """What it is called in tables."""

    def policies(
        self,
        mdp: FiniteMDP,
        rewards: ArrayLike,
        *,
        discount: float,
        allowed: ArrayLike | None = None,
    ) -> NDArray[np.float64]:
        """[K, S, A] the policy for each goal; with `allowed`, choosing among the rest.

        Raises:
            ModelError: the table or the mask is malformed.
        """
        goals = len(checked_reward(mdp, rewards))
        table = number_array("values", self.values, "[S, A] or [K, S, A]")
        shape = (mdp.n_states, mdp.n_actions)
        if table.shape not in (shape, (goals, *shape)):
            raise ModelError(
                f"values have shape {table.shape}, expected [S, A] = {list(shape)} or "
                f"[K, S, A] = {[goals, *shape]}"
            )
        masked = np.where(allowed_actions(mdp, allowed), table, -np.inf)
        return self.then.chances(np.broadcast_to(masked, (goals, *shape)))
