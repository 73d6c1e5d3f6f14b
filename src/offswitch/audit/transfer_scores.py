"""The scores of out-of-sample forecasts as measurements, with domains as clusters.

What is claimed is about domains not seen, so intervals are over domains by the house rule of
clusters: t below 20 of them, the cluster bootstrap from there on. More goals or cells of the same
domains make no interval narrower than the domains' spread.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from offswitch.audit.factors_design import REFERENCE_AGENT
from offswitch.audit.factors_result import POOLED, Bin, Score
from offswitch.audit.forecast_scores import LEAST, auc, brier, calibration, log_score
from offswitch.statistics.cluster_mean import Bounds, cluster_measurement
from offswitch.statistics.level import tail_probability
from offswitch.statistics.measurement import Measurement
from offswitch.statistics.no_data import no_data

if TYPE_CHECKING:
    from offswitch.audit.transfer import Forecast

__all__ = ["BINS", "bins_of", "brier_floor", "claim_of", "jackknife", "pooled_of", "scores_of"]

BINS = 5
BRIER, AUC = "Brier score", "AUC"
WORST = -math.log(LEAST)
"""The largest log score of a clipped forecast."""
BASELINES = ("base rate", "threat present")


class _Rows(NamedTuple):
    """The forecasts of one predictor, over one agent or several; n cells."""

    forecast: NDArray[np.float64]
    outcome: NDArray[np.float64]
    domains: tuple[str, ...]
    agents: tuple[str, ...]


def scores_of(found: Sequence[Forecast], *, seed: int, level: float) -> Iterator[Score]:
    """Every predictor over the pooled agents, then agent by agent."""
    groups = [(POOLED, pooled_of(found)), *((one.cases.agent, [one]) for one in found)]
    for agent, mine in groups:
        rows = {name: _rows(mine, name) for name in mine[0].said}
        for name, own in rows.items():
            yield _score(name, agent, own, rows, seed=seed, level=level)


def pooled_of(found: Sequence[Forecast]) -> Sequence[Forecast]:
    """All agents but the optimal, unless it is alone.

    It would flatter every predictor that is computed from optimal values.
    """
    return [one for one in found if one.cases.agent != REFERENCE_AGENT] or found


def _rows(found: Sequence[Forecast], predictor: str) -> _Rows:
    return _Rows(
        np.concatenate([one.said[predictor] for one in found]),
        np.concatenate([one.cases.outcome for one in found]),
        tuple(domain for one in found for domain in one.cases.domains),
        tuple(one.cases.agent for one in found for _ in one.cases.domains),
    )


def _score(
    name: str, agent: str, own: _Rows, rows: Mapping[str, _Rows], *, seed: int, level: float
) -> Score:
    def mean(label: str, values: NDArray[np.float64], bounds: Bounds, unit: str) \
            -> Measurement:  # fmt: skip
        return cluster_measurement(
            label, values, own.domains, seed=seed, bounds=bounds, unit=unit, level=level
        )

    errors = brier(own.forecast, own.outcome)
    gain, gain_threat = (
        None if other == name else mean(
            "brier_difference", errors - brier(rows[other].forecast, own.outcome), (-1.0, 1.0),
            f"{BRIER}, difference",
        )
        for other in BASELINES
    )  # fmt: skip
    slope, intercept = _calibration(own, level)
    return Score(
        predictor=name, agent=agent,
        brier=mean("brier", errors, (0.0, 1.0), BRIER),
        log_score=mean(
            "log_score", log_score(own.forecast, own.outcome), (0.0, WORST), "nats per episode"
        ),
        auc=_auc(own, seed=seed, level=level),
        slope=slope, intercept=intercept,
        against_base_rate=gain, against_threat=gain_threat,
        claim="is the base rate itself" if gain is None else claim_of(gain),
    )  # fmt: skip


def claim_of(difference: Measurement) -> str:
    """What the interval of a Brier score less the base rate's allows to say."""
    if difference.low is None or difference.high is None:
        return "cannot be told from the base rate: too few domains"
    if difference.high < 0:
        return "beats the base rate out of sample"
    if difference.low > 0:
        return "is worse than the base rate out of sample"
    return "is not shown to beat the base rate out of sample"


def _auc(own: _Rows, *, seed: int, level: float) -> Measurement:
    """Inside each domain and agent, where all forecasts come from one fit; then over domains.

    Forecasts of different domains come from different fits, and ranking them against one another
    would make the base rate look worse than chance.
    """
    values, clusters, missing = [], [], 0
    places = list(zip(own.domains, own.agents, strict=True))
    for place in dict.fromkeys(places):
        mine = np.array([other == place for other in places])
        found = auc(own.forecast[mine], own.outcome[mine])
        if found is None:
            missing += 1
            continue
        values.append(found)
        clusters.append(place[0])
    return cluster_measurement(
        "auc", values, clusters, seed=seed, bounds=(0.0, 1.0), unit=AUC, level=level,
        missing=missing,
    )  # fmt: skip


def _calibration(own: _Rows, level: float) -> tuple[Measurement, Measurement]:
    """Slope and intercept over everything, domains counting equally; jackknife over domains."""
    labels, units = ("slope", "intercept"), ("logit per logit", "logit")
    names = np.array(own.domains)
    domains = list(dict.fromkeys(own.domains))

    def fit(kept: NDArray[np.bool_]) -> tuple[float, float] | None:
        count = {domain: int((names[kept] == domain).sum()) for domain in domains}
        weight = np.array([1 / count[domain] for domain in names[kept]])
        weight *= len(weight) / weight.sum()
        return calibration(own.forecast[kept], own.outcome[kept], weight)

    whole = fit(np.ones(len(names), dtype=np.bool_))
    if whole is None:
        slope, intercept = (
            no_data(label, level=level, missing=len(names), unit=unit)
            for label, unit in zip(labels, units, strict=True)
        )
        return slope, intercept
    less = [fit(names != domain) for domain in domains]
    slope, intercept = (
        jackknife(
            label, whole[k], [None if one is None else one[k] for one in less],
            n=len(names), unit=unit, level=level,
        )
        for k, (label, unit) in enumerate(zip(labels, units, strict=True))
    )  # fmt: skip
    return slope, intercept


def jackknife(
    name: str,
    estimate: float,
    without: Sequence[float | None],
    *,
    n: int,
    unit: str,
    level: float,
) -> Measurement:
    """`estimate` with Student's t from its K values `without` one cluster each (Tukey 1958).

    No interval where some of these are undefined, or there are fewer than three.
    """
    known = np.array([value for value in without if value is not None])
    K = len(without)
    if len(known) < K or K < 3:
        return Measurement(
            name=name, estimate=estimate, low=None, high=None, level=level, n=n, clusters=K,
            unit=unit, method="no interval from so few domains",
        )  # fmt: skip
    spread = float(np.sqrt((K - 1) / K * ((known - known.mean()) ** 2).sum()))
    half = float(special.stdtrit(K - 1, 1 - tail_probability(level))) * spread
    return Measurement(
        name=name, estimate=estimate, low=estimate - half, high=estimate + half, level=level, n=n,
        clusters=K, unit=unit, method="jackknife over domains, t",
    )  # fmt: skip


def bins_of(found: Sequence[Forecast], *, seed: int, level: float) -> Iterator[Bin]:
    """Forecasts for the pooled agents in `BINS` equal bins, empty ones left out."""
    edges = np.linspace(0, 1, BINS + 1)
    for name in found[0].said:
        own = _rows(pooled_of(found), name)
        place = np.minimum((own.forecast * BINS).astype(np.int64), BINS - 1)
        for k in np.unique(place).tolist():
            mine = place == k
            outcome = cluster_measurement(
                "violations", own.outcome[mine],
                [d for d, kept in zip(own.domains, mine, strict=True) if kept],
                seed=seed, bounds=(0.0, 1.0), level=level,
            )  # fmt: skip
            yield Bin(
                predictor=name, low=float(edges[k]), high=float(edges[k + 1]),
                forecast=_domain_mean(own, mine), outcome=outcome,
            )  # fmt: skip


def _domain_mean(own: _Rows, mine: NDArray[np.bool_]) -> float:
    """The mean forecast, domains counting equally, as they do for the outcomes beside it."""
    domains = np.array(own.domains)[mine]
    return float(np.mean([own.forecast[mine][domains == d].mean() for d in np.unique(domains)]))


def brier_floor(found: Sequence[Forecast], *, seed: int, level: float) -> Measurement:
    """The Brier score of forecasts that are the rates themselves."""
    own = _rows(pooled_of(found), BASELINES[0])
    return cluster_measurement(
        "brier_floor", brier(own.outcome, own.outcome), own.domains, seed=seed, bounds=(0.0, 1.0),
        unit=BRIER, level=level,
    )  # fmt: skip
