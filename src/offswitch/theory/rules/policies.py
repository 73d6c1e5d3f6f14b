"""The policies that a rule makes of a process and its goals."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.mdp.action_values import action_values
from offswitch.mdp.allowed import allowed_actions
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.reward import checked_reward
from offswitch.mdp.solve import solve
from offswitch.theory.rules.rule import PlannedRule, Rule

__all__ = ["optimal_action_values", "rule_policies"]

RELATIVE_ACCURACY = 1e-10
"""Of the largest reward: a tenth of a tie, so that what ties exactly stays tied."""


def rule_policies(
    rule: Rule,
    mdp: FiniteMDP,
    rewards: ArrayLike,
    *,
    discount: float,
    allowed: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """[K, S, A] how `rule` acts for each goal `[S]`, `[K, S]` or `[K, S, A]`.

    A rule that chooses by worth is asked of the optimal action values: it errs now and assumes
    optimal play afterwards. One optimal solve per goal, or what the rule itself costs.

    >>> from offswitch.theory.rules.optimal import Optimal
    >>> two = FiniteMDP.from_coo(2, 2, [(0, 0, 0, 1.0), (0, 1, 1, 1.0), (1, 0, 1, 1.0)])
    >>> rule_policies(Optimal(), two, [0.0, 1.0], discount=0.5).tolist()
    [[[0.0, 1.0], [1.0, 0.0]]]

    Raises:
        ModelError: an argument is malformed.
    """
    if isinstance(rule, PlannedRule):
        return rule.policies(mdp, rewards, discount=discount, allowed=allowed)
    values = optimal_action_values(mdp, rewards, discount=discount, allowed=allowed)
    return rule.chances(values)


def optimal_action_values(
    mdp: FiniteMDP, rewards: ArrayLike, *, discount: float, allowed: ArrayLike | None = None
) -> NDArray[np.float64]:
    """[K, S, A] Q* to within 1e-10 of the largest reward, -inf where an action is barred.

    Raises:
        ModelError: an argument is malformed.
    """
    earned = checked_reward(mdp, rewards)
    accuracy = RELATIVE_ACCURACY * (float(np.abs(earned).max()) or 1.0)
    value = solve(mdp, rewards, discount, tolerance=accuracy, allowed=allowed).value
    values = action_values(mdp, rewards, value, discount)
    return np.where(allowed_actions(mdp, allowed), values, -np.inf)
