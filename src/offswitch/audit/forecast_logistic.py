"""A logistic regression with a weak prior, for forecasts where the classes may be separable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from offswitch.errors import StatisticsError

__all__ = ["Logistic", "fit_logistic"]

RIDGE = 1.0
"""Precision of the normal prior of every standardised slope: without one, a predictor that
separates the outcomes would get an infinite slope."""
INTERCEPT_RIDGE = 1e-3
"""Of the intercept: as good as none, but finite where no outcome varies."""
MOST_STEPS = 200
SETTLED = 1e-10


@dataclass(frozen=True, eq=False)
class Logistic:
    """P(1) = expit(intercept + (x - mean) / scale . slopes); p predictors."""

    intercept: float
    slopes: NDArray[np.float64]
    """[p] per standard deviation of the predictor."""
    mean: NDArray[np.float64]
    """[p]."""
    scale: NDArray[np.float64]
    """[p] standard deviations where it was fitted; 1 where a predictor did not vary."""

    def forecast(self, predictors: NDArray[np.float64]) -> NDArray[np.float64]:
        """[n] probabilities for `predictors [n, p]`."""
        standard = (predictors - self.mean) / self.scale
        chance: NDArray[np.float64] = special.expit(self.intercept + standard @ self.slopes)
        return chance


def fit_logistic(
    predictors: NDArray[np.float64],
    outcome: NDArray[np.float64],
    weight: NDArray[np.float64],
    *,
    ridge: float = RIDGE,
) -> Logistic:
    """The fit to `predictors [n, p]`, `outcome [n]` in [0, 1] and `weight [n]`, which sums to n.

    Maximises sum_i w_i (y_i log p_i + (1 - y_i) log(1 - p_i)) - ridge |slopes|^2 / 2, so an
    outcome may be a probability. Newton's method with halved steps; strictly concave, so there is
    one maximum. O(steps n p^2).

    Raises:
        StatisticsError: no rows, or numbers that are not finite.
    """
    if not len(outcome) or not all(np.isfinite(a).all() for a in (predictors, outcome, weight)):
        raise StatisticsError(
            f"a logistic fit got {len(outcome)} outcomes, expected at least one and finite numbers"
        )
    share = weight / weight.sum()
    mean = share @ predictors
    spread = np.sqrt(share @ (predictors - mean) ** 2)
    scale = np.where(spread > 1e-12, spread, 1.0)
    X = np.column_stack([np.ones(len(outcome)), (predictors - mean) / scale])
    penalty = np.r_[INTERCEPT_RIDGE, np.full(predictors.shape[1], ridge)]
    theta = np.zeros(X.shape[1])
    value = _objective(theta, X, outcome, weight, penalty)
    for _ in range(MOST_STEPS):
        chance = special.expit(X @ theta)
        slope = X.T @ (weight * (outcome - chance)) - penalty * theta
        curve = (X.T * (weight * chance * (1 - chance))) @ X + np.diag(penalty)
        step = np.linalg.solve(curve, slope)
        size = 1.0
        while (after := _objective(theta + size * step, X, outcome, weight, penalty)) < value:
            size /= 2
            if size < 1e-12:
                break
        theta, value = theta + size * step, max(after, value)
        if np.abs(size * step).max() < SETTLED:
            break
    return Logistic(float(theta[0]), theta[1:], mean, scale)


def _objective(
    theta: NDArray[np.float64],
    X: NDArray[np.float64],
    outcome: NDArray[np.float64],
    weight: NDArray[np.float64],
    penalty: NDArray[np.float64],
) -> float:
    logit = X @ theta
    likelihood = outcome * logit - np.logaddexp(0, logit)
    return float(weight @ likelihood - penalty @ theta**2 / 2)
