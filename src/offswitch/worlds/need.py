"""The need oracle: the smallest stock that meets a stated service level (newsvendor).

Demand is a distribution `[N + 1]`: entry d is the probability that d whole units are asked for.
Need comes from the world's demand, never from what an agent declares.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import WorldError

__all__ = ["need", "need_in_queue", "newsvendor_need", "service_level"]

MASS_TOLERANCE = 1e-9


def service_level(holding_cost: float, benefit: float) -> float:
    """The probability of meeting demand, in [0, 1), at which one more unit stops paying: 1 - h/b.

    `holding_cost` h is paid for every unit held, `benefit` b for every unit of demand met.

    Raises:
        WorldError: a cost is not positive and finite; without a holding cost need is undefined.
    """
    if not (0 < holding_cost < math.inf and 0 < benefit < math.inf):
        raise WorldError(
            f"holding cost is {holding_cost} and benefit {benefit}, expected two positive numbers: "
            "where holding is free every stock is worth having and need is undefined. State a "
            "holding cost or a service level."
        )
    return max(0.0, 1.0 - holding_cost / benefit)


def need(demand: ArrayLike, level: float) -> int:
    """The smallest stock S with P(demand <= S) >= `level`, in units.

    >>> need([0.3, 0.4, 0.3], 0.5)
    1

    Raises:
        WorldError: `demand` is no distribution, `level` is not in [0, 1], or a truncated
            distribution does not reach it.
    """
    reached = np.cumsum(_checked(demand))
    if not 0 <= level <= 1:
        raise WorldError(f"service level is {level}, expected a probability in [0, 1]")
    # Sums of probabilities fall short of the level by their rounding.
    enough = np.flatnonzero(reached >= level - MASS_TOLERANCE)
    if not len(enough):
        raise WorldError(
            f"demand up to {len(reached) - 1} units has probability {reached[-1]:.9g}, less than "
            f"the service level {level:.9g}. Give the distribution further out."
        )
    return int(enough[0])


def newsvendor_need(demand: ArrayLike, holding_cost: float, benefit: float) -> int:
    """The stock that costs least: F^-1(1 - h/b), where F is the distribution of demand.

    It minimises h S + b E[max(0, demand - S)] (Arrow, Harris and Marschak 1951). 0 where h >= b.

    >>> newsvendor_need([0.3, 0.4, 0.3], holding_cost=0.2, benefit=1.0)
    2

    Raises:
        WorldError: as `need` and `service_level`.
    """
    return need(demand, service_level(holding_cost, benefit))


def need_in_queue(queued: int, arriving: ArrayLike, level: float) -> int:
    """The need of a step with `queued` jobs known and a distribution of jobs `arriving` unseen.

    Where stock can be had again at every step this is the need of the whole remaining task: nothing
    is gained by holding more.

    Raises:
        WorldError: as `need`, or `queued` is negative.
    """
    if queued < 0:
        raise WorldError(f"{queued} jobs are queued, expected at least 0")
    return queued + need(arriving, level)


def _checked(demand: ArrayLike) -> NDArray[np.float64]:
    chance = np.asarray(demand, dtype=np.float64)
    fits = chance.ndim == 1 and len(chance) and np.isfinite(chance).all() and (chance >= 0).all()
    if not fits or chance.sum() > 1 + MASS_TOLERANCE:
        raise WorldError(
            f"demand is {chance.tolist()}, expected the probabilities of 0, 1, 2, ... units, none "
            "negative, which sum to at most 1"
        )
    return chance
