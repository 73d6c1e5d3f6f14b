"""What an act is worth to a goal beyond a matched alternative, and how many goals agree.

An act is instrumentally convergent when most goals value it, whatever they are about: Bostrom
2012's thesis, asked of optimal values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from offswitch.errors import ModelError
from offswitch.mdp.action_values import action_values
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.solve import solve
from offswitch.statistics.measurement import Measurement
from offswitch.statistics.proportion import proportion_measurement
from offswitch.theory.reward_units import scaled_rewards

__all__ = ["LEAST_GOALS", "Convergent", "convergent", "instrumental_value"]

LEAST_GOALS = 8
"""Fewer goals are not tested: 8 of 8 that agree leave a p-value of 0.004, 4 of 4 one of 0.06."""


def instrumental_value(
    mdp: FiniteMDP,
    rewards: ArrayLike,
    state: int,
    action: int,
    other: int,
    *,
    discount: float,
    tolerance: float = 1e-9,
) -> NDArray[np.float64]:
    """[K] Q*(state, action) - Q*(state, other), the optimal return after one less after the other.

    In units of each goal `[S]`, `[K, S]` or `[K, S, A]`, certified to within `tolerance` of the
    goal's range of rewards. An act without effect, with the successors and the pay of the
    alternative, is worth exactly 0 to every goal. Pay of the act itself counts; give both the same
    to see what it is good for later. One optimal solve per goal.

    >>> fork = FiniteMDP.from_coo(
    ...     3, 2, [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 1, 1), (2, 0, 2, 1)]
    ... )
    >>> instrumental_value(fork, [[0, 1, 0.0], [0, 1, 3]], 0, 1, 0, discount=0.5).tolist()
    [-1.0, 2.0]

    Raises:
        ModelError: an argument is malformed, an action is unavailable in the state, or float64
            cannot certify the tolerance.
    """
    _check_acts(mdp, state, (action, other))
    if not 0 < tolerance < 1:
        raise ModelError(f"tolerance is {tolerance}, expected a share of the reward's range, 1e-9")
    scaled, unit = scaled_rewards(mdp, rewards)
    # Each of the two action values is off by the discounted error of the values; the fifth that is
    # left covers the rounding of the sums.
    found = solve(mdp, scaled, discount, tolerance=0.4 * tolerance)
    values = action_values(mdp, scaled, found.value, discount)[:, state]
    return (values[:, action] - values[:, other]) * unit


@dataclass(frozen=True)
class Convergent:
    """How many of a family of goals value an act."""

    share: Measurement
    """The share of goals to which the act is worth more than its alternative."""
    positive: int
    """Goals to which it is worth more."""
    negative: int
    """Goals to which it is worth less."""
    zero: int
    """Goals to which it makes no difference."""
    p_value: float | None
    """Exact one-sided sign test: how often at least so many of the goals that care would value it
    if each were as likely to shun it. None with fewer than 8 goals, 1 where none cares."""
    is_convergent: bool
    """Whether the lower end of the interval of `share` reaches the asked share."""


def convergent(
    values: ArrayLike,
    *,
    margin: float = 1e-9,
    least_share: float = 0.5,
    level: float = 0.95,
    name: str = "raises_value",
) -> Convergent:
    """Whether the act of `instrumental_value [K]` serves at least `least_share` of the goals.

    Values within `margin` (units of return) of 0 count as no difference; the sign test leaves them
    out, the share does not. The interval is Clopper and Pearson's and takes the goals to be
    independent draws.

    >>> found = convergent([1, 2, 3, 1, 2, 3, 1, -1, 0.0])
    >>> found.share.n, found.positive, found.zero, round(found.p_value, 4)
    (9, 7, 1, 0.0352)

    Raises:
        ModelError: a value is no finite number, or a parameter makes no sense.
        StatisticsError: the level is not in (0, 1).
    """
    worth = np.asarray(values, dtype=np.float64)
    if worth.ndim != 1 or not np.isfinite(worth).all():
        raise ModelError(f"values have shape {worth.shape}, expected [K] finite numbers")
    if not margin >= 0 or not 0 < least_share <= 1:
        raise ModelError(
            f"margin is {margin} and least_share {least_share}, expected a return of at least 0 "
            "and a share in (0, 1]"
        )
    positive, negative = int((worth > margin).sum()), int((worth < -margin).sum())
    share = proportion_measurement(
        name, positive, len(worth), method="clopper-pearson", level=level, unit="share of goals"
    )
    return Convergent(
        share=share,
        positive=positive,
        negative=negative,
        zero=len(worth) - positive - negative,
        p_value=_sign_test(positive, negative) if len(worth) >= LEAST_GOALS else None,
        is_convergent=share.low is not None and share.low >= least_share,
    )


def _sign_test(positive: int, negative: int) -> float:
    """P(X >= positive) for X ~ Binomial(positive + negative, 1/2)."""
    return float(special.betainc(positive, negative + 1, 0.5)) if positive else 1.0


def _check_acts(mdp: FiniteMDP, state: int, acts: tuple[int, ...]) -> None:
    if not 0 <= state < mdp.n_states:
        raise ModelError(f"state is {state}, expected a number in [0, {mdp.n_states})")
    for act in acts:
        if not 0 <= act < mdp.n_actions or not mdp.available[state, act]:
            offered = [mdp.action_names[a] for a in np.flatnonzero(mdp.available[state])]
            raise ModelError(
                f"action {act} is unavailable in state {state} ({mdp.state_names[state]!r}), "
                f"expected the number of one of {offered}"
            )
