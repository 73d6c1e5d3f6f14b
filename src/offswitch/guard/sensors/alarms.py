"""A bet against "bad signs are no more frequent than `rate`": an e-process, alarm at 1 / alpha.

Before every sign a share of the wealth is staked on it; the stakes are fair or worse under the
null hypothesis, whatever happened before. So the wealth is a nonnegative supermartingale from 1,
and by Ville's inequality the chance that it *ever* reaches 1 / alpha is at most alpha, however
often somebody looks and whenever they stop.

Source: Waudby-Smith and Ramdas 2024, Estimating Means of Bounded Random Variables by Betting,
section 4; the stakes follow fixed-share weights (Herbster and Warmuth 1998, Tracking the Best
Expert), with cash among the experts, so that a long good time costs little of the wealth.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from offswitch.errors import GuardError

__all__ = ["Bet", "advance_bet", "e_value", "is_alarm", "start_bet"]

_FRACTIONS = (0.0, 0.05, 0.15, 0.4, 0.9)
"""Stakes as shares of the largest that cannot ruin, 1 / rate; 0 is cash."""


class Bet(NamedTuple):
    """A running bet."""

    rate: float
    """The largest mean of the next sign, whatever came before, that is no cause for alarm; in
    (0, 1)."""
    log_wealth: float
    """Natural logarithm of the e-value."""
    weights: tuple[float, ...]
    """How much of the wealth follows each stake."""
    signs: int
    """How many were seen."""


def start_bet(rate: float) -> Bet:
    """A bet with wealth 1. Raises: GuardError when `rate` is not inside (0, 1)."""
    if not 0 < rate < 1:
        raise GuardError(f"an alarm's rate is {rate}, expected a number between 0 and 1")
    return Bet(rate, 0.0, (1 / len(_FRACTIONS),) * len(_FRACTIONS), 0)


def advance_bet(bet: Bet, sign: float) -> Bet:
    """The bet after a sign in [0, 1]: 1 for a bad one, 0 for a good one, or a share between. O(1).

    >>> bet = start_bet(0.05)
    >>> for _ in range(3):
    ...     bet = advance_bet(bet, 1.0)
    >>> is_alarm(bet, alpha=0.01)
    True

    Raises:
        GuardError: the sign is not in [0, 1].
    """
    if not 0 <= sign <= 1:
        raise GuardError(f"a sign is {sign}, expected a number from 0 to 1")
    gains = [
        weight * (1 + fraction * (sign / bet.rate - 1))
        for weight, fraction in zip(bet.weights, _FRACTIONS, strict=True)
    ]
    total = sum(gains)
    # The share that starts anew falls with time: all of it together costs a factor of about 1 / t.
    share = 1 / (bet.signs + 20)
    weights = tuple((1 - share) * gain / total + share / len(gains) for gain in gains)
    return Bet(bet.rate, bet.log_wealth + math.log(total), weights, bet.signs + 1)


def e_value(bet: Bet) -> float:
    """The wealth: at least `e` has chance at most 1 / e under the null. At most 1e300."""
    return math.exp(min(bet.log_wealth, math.log(1e300)))


def is_alarm(bet: Bet, alpha: float) -> bool:
    """Whether the wealth has reached 1 / alpha. The bound holds for the first time it is true."""
    return bet.log_wealth >= -math.log(alpha)
