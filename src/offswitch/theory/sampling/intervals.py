"""Intervals of means over goals that hold the solver's error and do not trust a lucky sample."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from offswitch.errors import ModelError
from offswitch.statistics.level import tail_probability
from offswitch.theory.sampling.running_mean import Evidence

__all__ = ["MAX_DIFFERING", "Extremes", "mean_intervals"]

MAX_DIFFERING = 8
"""From this many goals on that differ from the common value, their spread is believed."""

Extremes = tuple[NDArray[np.float64], NDArray[np.float64]]
"""[S] and [S]: no goal contributes less or more."""


def mean_intervals(
    evidence: Evidence, extremes: Extremes | None, *, level: float, intervals: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[S] and [S] the ends of t intervals, widened by the solver's error.

    With `intervals` = S all of them hold at once with probability `level` (Bonferroni; whatever
    the dependence between states, and unlike resampling it needs no large number of replicates).

    Where fewer than 8 goals differ from the common value v, the spread says nothing of what was
    not drawn; then with P the Clopper-Pearson bound on the chance of a goal above v, the mean is
    at most v + P (largest - v), and likewise below. Goals drawn evenly (Sobol) count as if they
    were independent, though they miss a set of goals less often.

    Raises:
        ModelError: some state has so few differing goals and `extremes` are not known.
        StatisticsError: the level is not in (0, 1).
    """
    tail = tail_probability(level) / intervals
    half = -float(special.stdtrit(evidence.degrees, tail)) * evidence.standard_error
    low, high = evidence.mean - half, evidence.mean + half
    found = evidence.agreement
    if found is not None:
        few = found.above + found.below < min(MAX_DIFFERING, (evidence.n + 1) // 2)
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


def _known(extremes: Extremes | None, few: NDArray[np.bool_]) -> Extremes:
    if extremes is None:
        raise ModelError(
            f"{int(few.sum())} states earned nearly the same from every goal drawn, which says "
            "nothing of goals that were not drawn, and the law of rewards has no bounds. Use a law "
            "with bounded support, or one under which every state's reward varies."
        )
    return extremes
