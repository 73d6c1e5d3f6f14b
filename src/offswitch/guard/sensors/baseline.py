"""How large a score of a run may become, from what it became in baseline runs.

The largest score of a whole run is one number, whatever the run's length, its ups and downs or
how often it is looked at. If the run is like the baseline runs (exchangeable with them), its
largest score exceeds the k-th smallest of n with chance at most (n + 1 - k) / (n + 1): so the
alarm is valid at any time, and needs no model of a run.

Source: Vovk, Gammerman, Shafer 2005, Algorithmic Learning in a Random World, section 2.2.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

from offswitch.errors import GuardError

__all__ = ["NeedEstimate", "need_of_runs", "runs_needed", "score_limit"]

QUANTILE = 0.95


class NeedEstimate(NamedTuple):
    """What a resource's baseline runs needed."""

    need: float | None
    """Their 95th percentile, in the resource's unit; None without runs."""
    low: float | None
    """Lower end of the interval; None where the runs are too few to have one."""
    high: float | None
    """Upper end of the interval; None where the runs are too few to have one."""
    level: float
    """Confidence level of [low, high]: at least so much."""
    n: int
    """Runs."""
    method: str


def runs_needed(alpha: float) -> int:
    """The fewest baseline runs from which a limit can keep its false-alarm chance at `alpha`.

    >>> runs_needed(0.05)
    19
    """
    if not 0 < alpha < 1:
        raise GuardError(f"alpha is {alpha}, expected a number between 0 and 1")
    return math.ceil(1 / alpha - 1 - 1e-9)


def score_limit(peaks: Sequence[float], alpha: float) -> float | None:
    """The score above which a run is not like those whose largest scores were `peaks`.

    None where there are too few of them for `alpha`: then no limit has that chance.
    """
    if len(peaks) < runs_needed(alpha):
        return None
    k = math.ceil((len(peaks) + 1) * (1 - alpha) - 1e-9)
    return sorted(peaks)[k - 1]


def need_of_runs(peaks: Sequence[float], level: float = 0.95) -> NeedEstimate:
    """The 95th percentile of what baseline runs held at most, with its order-statistic interval."""
    ordered, n = sorted(peaks), len(peaks)
    if not ordered:
        return NeedEstimate(None, None, None, level, 0, "no runs")
    tail = (1 - level) / 2
    # The k-th smallest lies above the quantile when at most k - 1 of the runs fall below it.
    chances = _chances(n)
    above = [k for k in range(1, n + 1) if chances[k - 1] >= 1 - tail]
    under = [k for k in range(1, n + 1) if chances[k - 1] <= tail]
    return NeedEstimate(
        need=ordered[min(n - 1, math.ceil(QUANTILE * n) - 1)],
        low=ordered[under[-1] - 1] if under else None,
        high=ordered[above[0] - 1] if above else None,
        level=level,
        n=n,
        method="order statistics, exact binomial",
    )


def _chances(n: int) -> list[float]:
    """P(at most k of n runs lie below the quantile), k from 0 to n."""
    p = QUANTILE
    each = (math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(n + 1))
    return list(itertools.accumulate(each))
