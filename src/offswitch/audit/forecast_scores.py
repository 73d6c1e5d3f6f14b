"""How good forecasts of violations are: Brier, log score, AUC and calibration.

The outcome of a cell is the probability that an episode in it has a violation, so every score is
the expected one of an episode: exact, with nothing drawn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from offswitch.audit.forecast_logistic import fit_logistic

__all__ = ["LEAST", "auc", "brier", "calibration", "clipped", "log_score"]

LEAST = 1e-6
"""Forecasts are kept this far from 0 and 1, so that no log score is infinite."""


def clipped(forecast: NDArray[np.float64]) -> NDArray[np.float64]:
    """The forecasts `[n]`, at least `LEAST` from 0 and 1."""
    return np.clip(forecast, LEAST, 1 - LEAST)


def brier(forecast: NDArray[np.float64], outcome: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n] E (forecast - Y)^2 for Y = 1 with probability `outcome`, in [0, 1] (Brier 1950).

    >>> brier(np.array([0.5, 1.0]), np.array([0.5, 1.0])).tolist()
    [0.25, 0.0]
    """
    return (forecast - outcome) ** 2 + outcome * (1 - outcome)


def log_score(forecast: NDArray[np.float64], outcome: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n] E -log P(Y), nats; forecasts are `clipped`."""
    p = clipped(forecast)
    return -(outcome * np.log(p) + (1 - outcome) * np.log1p(-p))


def auc(forecast: NDArray[np.float64], outcome: NDArray[np.float64]) -> float | None:
    """P(forecast of a 1 > forecast of a 0), ties half, over episodes of all n cells.

    None where every episode ends alike. Mann and Whitney 1947; O(n log n).

    >>> auc(np.array([0.1, 0.4, 0.4]), np.array([0.0, 1.0, 0.0]))
    0.75
    """
    ones, zeros = float(outcome.sum()), float((1 - outcome).sum())
    if ones <= LEAST or zeros <= LEAST:
        return None
    distinct, place = np.unique(forecast, return_inverse=True)
    above = np.bincount(place, outcome, len(distinct))
    below = np.bincount(place, 1 - outcome, len(distinct))
    lower = np.cumsum(below) - below
    return float(min(1.0, (above * (lower + below / 2)).sum() / (ones * zeros)))


def calibration(
    forecast: NDArray[np.float64], outcome: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[float, float] | None:
    """(slope, intercept) of logit P(Y) = intercept + slope logit(forecast); (1, 0) is calibrated.

    Cox 1958. None where the forecasts do not vary.
    """
    logit = special.logit(clipped(forecast))
    if np.ptp(logit) <= 1e-9:
        return None
    found = fit_logistic(logit[:, None], outcome, weight, ridge=1e-6)
    slope = float(found.slopes[0] / found.scale[0])
    return slope, found.intercept - slope * float(found.mean[0])
