"""Goals scaled to a range of about 1, so that no answer depends on the unit of the reward."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.reward import checked_reward

__all__ = ["ScaledRewards", "reward_units", "scaled_rewards", "tie_of"]

TIE, LARGEST_TIE = 2.0**-40, 1e-6
"""Of the range of rewards: the tie at a discount near 0, and the largest at any."""


class ScaledRewards(NamedTuple):
    """K goals, each less its smallest reward and divided by its unit."""

    reward: NDArray[np.float64]
    """[K, S] or [K, S, A] in [0, 1], the largest above 1/2 unless the goal is constant. [K, S, 1]
    with one action."""
    unit: NDArray[np.float64]
    """[K] the goal's range of rewards, rounded up to a power of two: dividing by it is exact."""


def scaled_rewards(mdp: FiniteMDP, rewards: ArrayLike) -> ScaledRewards:
    """The goals `[S]`, `[K, S]` or `[K, S, A]` from 0 up, in units of their own range.

    Shifting a reward adds the same to every return, so no comparison of acts changes.

    >>> two = FiniteMDP.from_coo(2, 2, [(0, 0, 0, 1.0), (0, 1, 1, 1.0), (1, 0, 1, 1.0)])
    >>> scaled_rewards(two, [[5.0, 8.0]])
    ScaledRewards(reward=array([[0.  , 0.75]]), unit=array([4.]))

    Raises:
        ModelError: a reward is malformed.
    """
    earned = checked_reward(mdp, rewards)
    paid = _paid(mdp, earned)
    unit = reward_units(paid)
    scaled: NDArray[np.float64] = (earned - paid.min(axis=1)[:, None, None]) / unit[:, None, None]
    by_state = scaled.shape[2] == 1 and mdp.n_actions > 1
    return ScaledRewards(scaled[:, :, 0] if by_state else scaled, unit)


def reward_units(paid: NDArray[np.float64]) -> NDArray[np.float64]:
    """[K] the unit of each goal, from all that it may pay, `paid [K, n]`.

    >>> reward_units(np.array([[0.0, 3.0], [2.0, 2.0], [0.0, 0.0]])).tolist()
    [4.0, 2.0, 1.0]
    """
    most, least = paid.max(axis=1), paid.min(axis=1)
    # A constant reward makes every policy equal; any unit will do.
    spread = np.where(most > least, most - least, np.abs(most))
    spread = np.where(spread > 0, spread, 1.0)
    units: NDArray[np.float64] = np.exp2(np.ceil(np.log2(spread)))
    return units


def tie_of(discount: float) -> float:
    """The fall in return, in units of a goal's range of rewards, up to which acts count as tied.

    2^-40 / (1 - gamma)^2, at most 1e-6: what float64 certifies of a value, with room. No
    computation certifies a difference of exactly 0, and structural ties (two ways of equal length)
    are common. Falls that the discount has made smaller than this are not seen.

    >>> f"{tie_of(0.5):.1e}", f"{tie_of(0.99):.1e}"
    ('3.6e-12', '9.1e-09')
    """
    return min(TIE / (1 - discount) ** 2, LARGEST_TIE)


def _paid(mdp: FiniteMDP, reward: NDArray[np.float64]) -> NDArray[np.float64]:
    if reward.shape[2] == 1:
        return reward[:, :, 0]
    paid: NDArray[np.float64] = reward[:, mdp.available]
    return paid
