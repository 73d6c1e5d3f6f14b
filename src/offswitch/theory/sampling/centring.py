"""Rewards far from 0 are moved there before they are solved, and POWER back.

POWER is affine: raising every reward by c raises it by c, as (1 - gamma) / gamma times
c / (1 - gamma) - c is c. The solver's accuracy is a share of the largest reward, so rewards of
10,000 give or take 1 would be solved 10,000 times less accurately than needed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.laws.goal_set import GoalSet
from offswitch.theory.laws.law import RewardLaw
from offswitch.theory.laws.normal import Normal
from offswitch.theory.laws.uniform import Uniform
from offswitch.theory.sampling.arguments import Goals, reward_ends

__all__ = ["Moved", "centred_goals"]

FAR = 2.0
"""Times the rewards' range: nearer to 0 than this the move would gain nothing."""
ROUNDING = 4 * float(np.finfo(np.float64).eps)
MOST_ERROR = 0.25
"""Of the half-width: what the move back may cost."""


class Moved(NamedTuple):
    """Goals about 0."""

    goals: Goals
    shift: float
    """To be added to POWER."""
    error: float
    """What the move may be off by, in units of reward."""


def centred_goals(mdp: FiniteMDP, goals: Goals, discount: float) -> Moved:
    """The goals as they are, or moved to 0 where they are far from it. O(transitions).

    Uniform, normal and given goals can be moved; other laws hold 0 or are left as they are.

    Raises:
        ModelError: float64 cannot tell POWER about so large rewards apart to the half-width.
    """
    low, high = reward_ends(mdp, goals)
    middle = low + (high - low) / 2
    if not abs(middle) > FAR * (high - low):
        return Moved(goals, 0.0, 0.0)
    shift = float(goals.law.centre) if isinstance(goals.law, Normal) else middle
    size, moved = abs(shift) + (high - low), _moved(goals, shift)
    if moved is None:
        return Moved(goals, 0.0, 0.0)
    sums = mdp.matrix.sum(axis=1)[mdp.available.ravel()]
    off = float(np.abs(sums - 1).max())  # rounding of the given probabilities, if anything
    error = ROUNDING * size + abs(shift) * off / (1 - discount)
    if goals.half_width is not None and error > MOST_ERROR * goals.half_width:
        raise ModelError(
            f"half_width is {goals.half_width:g} for rewards of about {shift:.6g}, expected "
            f"{error / MOST_ERROR:.1g} or more: float64 carries POWER about such rewards no "
            f"better. Subtract {shift:.6g} from the rewards; POWER falls by just as much."
        )
    return Moved(moved, shift, error)


def _moved(goals: Goals, shift: float) -> Goals | None:
    if goals.given is not None:
        return goals._replace(given=goals.given - shift)
    law: RewardLaw | None = None
    if isinstance(goals.law, Uniform):
        law = Uniform(goals.law.low - shift, goals.law.high - shift)
    elif isinstance(goals.law, Normal):
        law = Normal(0.0, goals.law.deviation)
    elif isinstance(goals.law, GoalSet):
        law = GoalSet(goals.law.table - shift, goals.law.share)
    return None if law is None else goals._replace(law=law)
