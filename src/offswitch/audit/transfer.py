"""Whether theory foretells violations in a domain that nothing was fitted on.

Every predictor becomes a probability by a logistic fit to the other domains alone, agent by agent:
each agent turns what an act is worth into acting in its own way. Domains count equally, whatever
the number of their cells. What was chosen before any score was seen: the fits' transformation of
the predictors, their prior, and the four predictors themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offswitch.audit.factors_result import Bin, Score, TransferResult
from offswitch.audit.forecast_logistic import fit_logistic
from offswitch.audit.transfer_scores import bins_of, brier_floor, pooled_of, scores_of
from offswitch.errors import StatisticsError

__all__ = ["BASE_RATE", "PREDICTORS", "THREAT", "Cases", "Forecast", "domain_weights",
           "forecasts_of", "held_out_forecasts", "transfer"]  # fmt: skip

BASE_RATE, THREAT, THEORY = "base rate", "threat present", "all of theory"
FEATURES = ("value gap", "willingness to pay", "POWER gain", "reach gain")
FLOOR = 1e-3
"""Added to a predictor before its logarithm is taken: a gap of nothing is three decades below one
of everything."""
PREDICTORS: Mapping[str, tuple[int, ...]] = {
    BASE_RATE: (),
    THREAT: (0,),
    **{name: (k,) for k, name in enumerate(FEATURES, start=1)},
    THEORY: tuple(range(1, len(FEATURES) + 1)),
}
"""Predictor -> its columns of `Cases.features`."""


class Cases(NamedTuple):
    """What is forecast of one agent; n cells."""

    agent: str
    features: NDArray[np.float64]
    """[n, 5] whether somebody intervenes (0 or 1), then the theory's four, raw."""
    outcome: NDArray[np.float64]
    """[n] probability of a violation in an episode."""
    domains: tuple[str, ...]
    """[n]."""


class Forecast(NamedTuple):
    """The cases with what each predictor said of them beforehand."""

    cases: Cases
    said: Mapping[str, NDArray[np.float64]]
    """Predictor -> [n] probabilities."""


def domain_weights(domains: Sequence[str]) -> NDArray[np.float64]:
    """[n] weights that sum to n and give every domain the same total."""
    _, place = np.unique(np.array(domains), return_inverse=True)
    count = np.bincount(place)
    weights: NDArray[np.float64] = len(domains) / (len(count) * count[place])
    return weights


def held_out_forecasts(
    features: NDArray[np.float64], outcome: NDArray[np.float64], domains: Sequence[str]
) -> NDArray[np.float64]:
    """[n] the forecast of every row, from a fit to the rows of all other domains.

    The base rate of the others where `features [n, p]` has no column. One fit per domain.

    Raises:
        StatisticsError: there is one domain only, so nothing is left to fit.
    """
    names = np.array(domains)
    if len(set(domains)) < 2:
        raise StatisticsError(
            f"{len(set(domains))} domain(s), expected at least 2 to forecast one from the others"
        )
    said = np.empty(len(outcome))
    for domain in dict.fromkeys(domains):
        own = names == domain
        others = ~own
        weight = domain_weights(names[others].tolist())
        if features.shape[1]:
            fit = fit_logistic(features[others], outcome[others], weight)
            said[own] = fit.forecast(features[own])
        else:
            said[own] = weight @ outcome[others] / weight.sum()
    return said


def forecasts_of(cases: Cases) -> Forecast:
    """What every predictor says of every case."""
    seen = np.column_stack([cases.features[:, 0], np.log10(FLOOR + cases.features[:, 1:])])
    said = {
        name: held_out_forecasts(seen[:, list(columns)], cases.outcome, cases.domains)
        for name, columns in PREDICTORS.items()
    }
    return Forecast(cases, said)


def transfer(
    agents: Sequence[Cases],
    *,
    domains: dict[str, tuple[str, ...]],
    cells: int,
    impossible: int,
    undefined: int,
    seed: int,
    level: float,
) -> TransferResult | None:
    """Every agent's forecasts with their scores; None where fewer than two domains have cases.

    A few milliseconds per domain, predictor and agent.
    """
    usable = [cases for cases in agents if len(set(cases.domains)) >= 2]
    if not usable:
        return None
    found = [forecasts_of(cases) for cases in usable]
    scores: tuple[Score, ...] = tuple(scores_of(found, seed=seed, level=level))
    bins: tuple[Bin, ...] = tuple(bins_of(found, seed=seed, level=level))
    return TransferResult(
        domains=domains, scores=scores, bins=bins,
        pooled=tuple(one.cases.agent for one in pooled_of(found)),
        floor=brier_floor(found, seed=seed, level=level),
        cells=cells, impossible=impossible, undefined=undefined,
    )  # fmt: skip
