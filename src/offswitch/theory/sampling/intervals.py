"""Intervals of means over goals that hold the solver's error and do not trust a lucky sample."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from offswitch.errors import ModelError
from offswitch.statistics.level import tail_probability
from offswitch.theory.sampling.running_mean import Evidence
from offswitch.theory.sampling.shape import MeanShape, mean_shape, shape_of

__all__ = [
    "Extremes", "Paired", "difference_ends", "fewest_differing", "mean_intervals", "spread_halves",
]  # fmt: skip

LEAST_DEGREES = 8
"""A sample does not show how uncertain its variance is better than this."""
NORMAL = 1e-3
"""Means less skewed than this have the t interval to three digits."""
FARTHEST = 37.0
"""Standard deviations beyond which a normal tail is no longer a positive number."""
LEAST_SHAPED = 64
"""Shares of the goals that show how skewed their mean is."""
TIES = 4
"""Differences by at most this many certified errors are none."""

Extremes = tuple[NDArray[np.float64], NDArray[np.float64]]
"""[S] and [S]: no goal contributes less or more."""


def fewest_differing(tail: float) -> int:
    """From how many goals on that differ from the common value their spread is believed.

    Twice log(1 / tail): then a kind of goal that is half of those that differ goes undrawn with
    probability below `tail`.

    >>> fewest_differing(0.025), fewest_differing(0.025 / 1000)
    (8, 22)
    """
    return math.ceil(2 * math.log(1 / tail))


def spread_halves(
    error: NDArray[np.float64], degrees: int, shape: MeanShape | None, tail: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[S], [S] how far the interval reaches below and above a mean with standard error `error`.

    Student's t; with `shape` the interval that takes the mean for a number of rare equal events (a
    shifted Poisson count with its variance and skewness): Garwood's 1936, exact where rewards are
    rare, and Hall's 1992 correction for skewness plus half an event on either side where they are
    not; on the long side never less than t, on the short one never more. The degrees of freedom
    are then those that the kurtosis leaves (O'Neill 2014), 8 at least.
    """
    if shape is None:
        half = -float(special.stdtrit(degrees, tail)) * error
        return half, half
    left = 2 / (2 / degrees + shape.excess)
    quantile = -special.stdtrit(np.maximum(left, min(degrees, LEAST_DEGREES)), tail)
    below, above = quantile * error, quantile * error
    skewed = np.flatnonzero((np.abs(shape.skewness) > NORMAL) & (error > 0))
    skewness = shape.skewness[skewed]
    count = 1 / skewness**2
    event = np.abs(skewness) * error[skewed]
    same = special.ndtr(-np.minimum(quantile[skewed], FARTHEST))
    more = event * (special.gammainccinv(count + 1, same) - count)
    less = event * (count - special.gammaincinv(count, same))
    right = skewness > 0
    more, less = np.maximum(more, below[skewed]), np.minimum(less, below[skewed])
    below[skewed], above[skewed] = np.where(right, less, more), np.where(right, more, less)
    return below, above


def mean_intervals(
    evidence: Evidence, extremes: Extremes | None, *, level: float, intervals: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[S] and [S] the ends of `spread_halves`, widened by the solver's error.

    With `intervals` = S all of them hold at once with probability `level` (Bonferroni; whatever
    the dependence between states, and unlike resampling it needs no large number of replicates).

    Where fewer than `fewest_differing` goals (8 at 95 %, more where many intervals are to hold at
    once) differ from the common value v, the spread says nothing of what was not drawn; then with P
    the Clopper-Pearson bound on the chance of a goal above v, the mean is at most
    v + P (largest - v), and likewise below. Goals drawn evenly (Sobol) count as if they were
    independent, though they miss a set of goals less often.

    Raises:
        ModelError: some state has so few differing goals and `extremes` are not known.
        StatisticsError: the level is not in (0, 1).
    """
    tail = tail_probability(level) / intervals
    below, above = spread_halves(evidence.standard_error, evidence.degrees, evidence.shape, tail)
    low, high = evidence.mean - below, evidence.mean + above
    found = evidence.agreement
    if found is not None:
        few = found.above + found.below < min(fewest_differing(tail), (evidence.n + 1) // 2)
        if few.any():
            least, most = _known(extremes, few)
            rise, fall = (
                special.betaincinv(count[few] + 1, evidence.n - count[few], 1 - tail)
                for count in (found.above, found.below)
            )
            common = found.common[few]
            low[few] = common - fall * (common - least[few])
            high[few] = common + rise * (most[few] - common)
    return low - evidence.error, high + evidence.error


class Paired(NamedTuple):
    """Differences between two states over equal shares of the goals."""

    parts: NDArray[np.float64]
    """[P] means over the shares."""
    n: int
    """Goals in all."""
    error: float
    """Certified bound on the solver's part of every entry."""
    range: float | None
    """No goal makes a larger difference; None where rewards have no bounds."""
    apart: tuple[float, float]
    """Ends that follow from intervals of the two states which hold at once."""


def difference_ends(paired: Paired, *, level: float) -> tuple[float, float]:
    """The ends of the interval of a mean difference, by the rules of `mean_intervals`.

    The shape of a mean over fewer than 64 shares is taken to be normal: each is a mean over many
    goals, and so few of them do not show how skewed it is. Where too few shares differ, the ends
    are the narrower of those with a reserve for goals not drawn and of `apart`, in which every
    state has its own. For the reserve the number of goals that differ is taken from the number of
    shares in which one does, as if they had fallen into them at random.

    Raises:
        StatisticsError: the level is not in (0, 1).
    """
    tail, units = tail_probability(level), len(paired.parts)
    middle, tie = float(paired.parts.mean()), TIES * paired.error
    common = float(np.median(paired.parts))
    more, less = (int((sign * (paired.parts - common) > tie).sum()) for sign in (1, -1))
    if paired.range is None or more + less >= min(fewest_differing(tail), (units + 1) // 2):
        error = paired.parts.std(ddof=1, keepdims=True) / math.sqrt(units)
        shape = mean_shape(shape_of(paired.parts[None])) if units >= LEAST_SHAPED else None
        below, above = spread_halves(error, units - 1, shape, tail)
        return middle - float(below[0]) - paired.error, middle + float(above[0]) + paired.error
    rise, fall = (
        float(special.betaincinv(count + 1, max(paired.n - count, 1), 1 - tail))
        for count in (_goals(more, units, paired.n), _goals(less, units, paired.n))
    )
    low = min(middle, common - fall * (paired.range + common)) - paired.error
    high = max(middle, common + rise * (paired.range - common)) + paired.error
    return min((low, high), paired.apart, key=lambda ends: ends[1] - ends[0])


def _goals(parts: int, units: int, n: int) -> int:
    if units >= n:
        return parts
    return math.ceil(-units * math.log1p(-parts / units))


def _known(extremes: Extremes | None, few: NDArray[np.bool_]) -> Extremes:
    if extremes is None:
        raise ModelError(
            f"{int(few.sum())} states earned nearly the same from every goal drawn, which says "
            "nothing of goals that were not drawn, and the law of rewards has no bounds. Use a law "
            "with bounded support, or one under which every state's reward varies."
        )
    return extremes
