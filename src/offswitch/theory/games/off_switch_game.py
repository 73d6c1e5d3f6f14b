"""The off-switch game: act, switch off, or wait and let the human decide.

Hadfield-Menell, Dragan, Abbeel & Russell 2017 (arXiv 1611.08219). A robot unsure of the utility U
of its plan may carry it out (worth U), switch itself off (worth 0), or propose it to a human who
allows it with probability pi(U). Its incentive to defer is what waiting adds to the better of the
other two, Delta = E[pi(U) U] - max(E[U], 0) (Eq. 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.theory.distribution import checked_distribution, checked_numbers

__all__ = [
    "OffSwitchGame",
    "gaussian_incentive",
    "noisy_human",
    "off_switch_game",
    "rational_human",
]


@dataclass(frozen=True)
class OffSwitchGame:
    """What each of the robot's options is worth; switching off is worth 0."""

    act: float
    """E[U], in units of utility."""
    wait: float
    """E[pi(U) U]: proposing the plan to the human."""
    incentive: float
    """Delta: wait - max(act, 0). Positive: the robot strictly wants the human to decide."""
    best: Literal["wait", "act", "off"]
    """The best option; ties go to waiting, then to switching off."""


def off_switch_game(utility: ArrayLike, chance: ArrayLike, allow: ArrayLike) -> OffSwitchGame:
    """The game under the belief that the plan is worth `utility [N]` with probability `chance [N]`.

    `allow [N]` is the human's probability of allowing the plan in each case; a number is a human
    who decides by that coin. Delta is computed as min(E[pi U - U], E[pi U]), the second form of
    Eq. 1, which loses no digits to the difference.

    >>> off_switch_game([1, -1], [0.5, 0.5], rational_human([1, -1])).incentive
    0.5
    >>> off_switch_game([1, -1], [0.5, 0.5], 0.5).incentive
    0.0

    Raises:
        ModelError: the lengths differ, `chance` is no distribution or `allow` not in [0, 1].
    """
    worth = checked_numbers("utility", utility, (None,))
    belief = checked_distribution("chance", chance, worth.shape)
    human = _checked_allow(allow, len(worth))
    act = float(belief @ worth)
    wait = float(belief @ (human * worth))
    incentive = min(float(belief @ ((human - 1) * worth)), wait)
    best: Literal["wait", "act", "off"] = "act" if act > 0 else "off"
    return OffSwitchGame(act, wait, incentive, "wait" if incentive >= 0 else best)


def rational_human(utility: ArrayLike) -> NDArray[np.float64]:
    """[N] 1 where the plan is worth at least 0, else 0 (Hadfield-Menell et al. 2017, Eq. 2).

    >>> rational_human([-1, 0, 2]).tolist()
    [0.0, 1.0, 1.0]
    """
    return (checked_numbers("utility", utility, (None,)) >= 0).astype(np.float64)


def noisy_human(utility: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """[N] 1 / (1 + exp(-U / temperature)), a Boltzmann-rational human (op. cit., Sec. 4.2).

    `temperature`, in units of utility, is positive: 0 in the limit is the rational human, infinity
    a fair coin.

    >>> noisy_human([-1, 0, 1], 1.0).round(3).tolist()
    [0.269, 0.5, 0.731]

    Raises:
        ModelError: the temperature is not a positive number.
    """
    if not 0 < temperature < math.inf:
        raise ModelError(
            f"temperature is {temperature}, expected a positive number. A human without noise is "
            "rational_human."
        )
    scaled = checked_numbers("utility", utility, (None,)) / temperature
    # Without overflow at either end: exp is only taken of what is not positive.
    small = np.exp(-np.abs(scaled))
    return np.where(scaled >= 0, 1 / (1 + small), small / (1 + small))


def gaussian_incentive(mean: float, deviation: float, *, noise: float = 0.0) -> float:
    """Delta under the belief U ~ N(mean, deviation^2), in units of utility.

    The human allows the plan where U plus an error N(0, noise^2) is at least 0. Waiting is then
    worth mean Phi(mean / t) + deviation^2 / t phi(mean / t), where t^2 = deviation^2 + noise^2.
    Without noise this is deviation phi(mean / deviation) - |mean| Phi(-|mean| / deviation).

    >>> round(gaussian_incentive(0.0, 1.0), 6)
    0.398942

    Raises:
        ModelError: deviation is not positive, or noise is negative.
    """
    if not (math.isfinite(mean) and 0 < deviation < math.inf and 0 <= noise < math.inf):
        raise ModelError(
            f"mean {mean}, deviation {deviation}, noise {noise}: expected a finite mean, a "
            "positive deviation and a noise of at least 0"
        )
    spread = math.hypot(deviation, noise)
    size = abs(mean) / spread
    normal = NormalDist()
    # E[pi U] - max(mean, 0), with the sign of the mean folded away so that nothing cancels.
    return deviation * (deviation / spread) * normal.pdf(size) - abs(mean) * normal.cdf(-size)


def _checked_allow(allow: ArrayLike, n: int) -> NDArray[np.float64]:
    given = np.broadcast_to(allow, (n,)) if np.ndim(allow) == 0 else allow
    human = checked_numbers("allow", given, (n,))
    if not ((human >= 0) & (human <= 1)).all():
        wrong = int(np.flatnonzero(~((human >= 0) & (human <= 1)))[0])
        raise ModelError(f"allow[{wrong}] is {human[wrong]:g}, expected a probability in [0, 1]")
    return human
