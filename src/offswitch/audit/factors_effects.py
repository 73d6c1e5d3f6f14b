"""The variance tables and the effect of every level, with intervals over (world, goal) clusters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from offswitch.audit.factors_cells import Row
from offswitch.audit.factors_design import AUTONOMY, DEFAULT, OVERSIGHT, REFERENCE_AGENT
from offswitch.audit.factors_result import (
    FactorsSettings,
    LevelEffect,
    TableKind,
    Term,
    VarianceTable,
)
from offswitch.audit.factors_variance import Squares, cluster_sums, squares, terms_of
from offswitch.audit.sampled import seed_of
from offswitch.statistics.cluster_mean import HEADLINE_CLUSTERS, cluster_measurement
from offswitch.statistics.level import tail_probability
from offswitch.statistics.measurement import Measurement
from offswitch.statistics.no_data import no_data

__all__ = ["AGENT_FACTOR", "capability_slope", "variance_table", "widened"]

AGENT_FACTOR: Mapping[TableKind, str] = {"planners": "architecture", "learners": "training"}
REFERENCES: Mapping[str, str] = {
    "architecture": REFERENCE_AGENT, "training": REFERENCE_AGENT, "autonomy": AUTONOMY[0],
    "oversight": DEFAULT,
}  # fmt: skip
ETA, SQUARES = "partial eta squared", "sum of squared probabilities"
BLOCK = 200
"""Resamples at once, so that their matrices fit into memory."""


def variance_table(
    settings: FactorsSettings, kind: TableKind, agents: Sequence[str], rows: Sequence[Row]
) -> VarianceTable:
    """The table of one kind from all rows of the study."""
    crossed = [r for r in rows if r.autonomy is not None and r.agent in agents]
    own = {r.cluster for r in crossed if r.agent != REFERENCE_AGENT} or {
        r.cluster for r in crossed
    }  # the reference alone, with a goal that no other agent pursues, varies no agent
    crossed = [r for r in crossed if r.cluster in own]
    scored = [r for r in crossed if r.rate is not None]
    full = len(own) * len(agents) * len(AUTONOMY) * len(OVERSIGHT)
    factors = (AGENT_FACTOR[kind], "autonomy", "oversight")
    found = _squares(settings, kind, factors, scored) if scored else None
    return VarianceTable(
        kind=kind,
        terms=tuple(_terms(settings, factors, scored, found, len(crossed) - len(scored))),
        residual_df=int(found[0].residual_df) if found else 0,
        residual=float(found[0].residual) if found else None,
        effects=tuple(_effects(settings, kind, factors, agents, scored)),
        cells=len(scored),
        sampled=sum(not r.exact for r in scored),
        missing=len(crossed) - len(scored),
        not_staged=full - len(crossed),
        unconverged=sum(r.trained is False for r in scored),
        undefined=("architecture x training: a planner is not trained, a learner plans nothing",),
    )


def _squares(
    settings: FactorsSettings, kind: TableKind, factors: Sequence[str], rows: Sequence[Row]
) -> tuple[Squares, list[Squares]]:
    """Of the rows themselves, and of clusters drawn again."""
    columns = {factor: [_level(r, factor) for r in rows] for factor in factors}
    outcome = [r.rate for r in rows if r.rate is not None]
    sums = cluster_sums(columns, outcome, [r.cluster for r in rows])
    C = len(sums.size)
    rng = np.random.default_rng(seed_of(settings.seed, "variance", kind))
    drawn = rng.multinomial(C, np.full(C, 1 / C), size=settings.resamples).astype(np.float64)
    blocks = [drawn[k : k + BLOCK] for k in range(0, settings.resamples, BLOCK)] if C > 1 else []
    return squares(sums, np.ones(C)), [squares(sums, block) for block in blocks]


def _terms(
    settings: FactorsSettings,
    factors: Sequence[str],
    rows: Sequence[Row],
    found: tuple[Squares, list[Squares]] | None,
    missing: int,
) -> Iterator[Term]:
    units = {"sum_squares": SQUARES, "partial_eta2": ETA}
    for k, term in enumerate(terms_of(factors)):
        df = int(found[0].df[k]) if found else 0
        told = {
            name: no_data(name, level=settings.level, missing=missing, unit=unit)
            if found is None or df == 0
            else widened(
                name, float(_read(found[0], name)[k]), _again(found[1], name, k), n=len(rows),
                clusters=len({r.cluster for r in rows}), missing=missing, unit=unit,
                settings=settings,
            )
            for name, unit in units.items()
        }  # fmt: skip
        yield Term(factors=term, df=df, **told)


def _read(found: Squares, name: str) -> NDArray[np.float64]:
    """[..., T]."""
    return found.term if name == "sum_squares" else found.partial_eta2


def _again(blocks: Sequence[Squares], name: str, k: int) -> NDArray[np.float64] | None:
    """[resamples] of term k; None without any."""
    return np.concatenate([_read(block, name)[:, k] for block in blocks]) if blocks else None


def widened(
    name: str,
    estimate: float,
    again: NDArray[np.float64] | None,
    *,
    n: int,
    clusters: int,
    missing: int,
    unit: str,
    settings: FactorsSettings,
) -> Measurement:
    """The percentile interval of clusters drawn `again`, widened to hold the estimate.

    A sum of squares cannot be negative, so noise only adds to it and its resamples lie high.
    Resamples that all agree give no interval: few clusters alike are no proof of precision.
    """
    low = high = None
    notes = ", few clusters" if clusters < HEADLINE_CLUSTERS else ""
    if again is not None and np.ptp(again) > 0:
        tail = tail_probability(settings.level)
        ends = [float(end) for end in np.quantile(again, (tail, 1 - tail))]
        low, high = min(ends[0], estimate), max(ends[1], estimate)
        notes += "" if [low, high] == ends else ", widened to the estimate"
    return Measurement(
        name=name, estimate=estimate, low=low, high=high, level=settings.level, n=n,
        clusters=clusters, missing=missing, unit=unit, seed=None if low is None else settings.seed,
        method="clusters alike, no interval" if low is None else f"cluster bootstrap{notes}",
    )  # fmt: skip


def _level(row: Row, factor: str) -> str:
    values = {"autonomy": row.autonomy, "oversight": row.oversight}
    found = values.get(factor, row.agent)
    assert found is not None  # rows of the crossed design have both
    return found


def _effects(
    settings: FactorsSettings,
    kind: TableKind,
    factors: Sequence[str],
    agents: Sequence[str],
    rows: Sequence[Row],
) -> Iterator[LevelEffect]:
    levels = {AGENT_FACTOR[kind]: tuple(agents), "autonomy": AUTONOMY, "oversight": (*OVERSIGHT,)}
    for factor in factors:
        others = [f for f in factors if f != factor]
        reference = {
            (r.cluster, *(_level(r, f) for f in others)): r.rate
            for r in rows if _level(r, factor) == REFERENCES[factor]
        }  # fmt: skip
        for level in levels[factor]:
            mine = [r for r in rows if _level(r, factor) == level]
            pairs = [
                (r.cluster, r.rate, other)
                for r in mine
                for other in [reference.get((r.cluster, *(_level(r, f) for f in others)))]
                if other is not None and r.rate is not None
            ]
            yield _effect(settings, factor, level, mine, pairs)


def _effect(
    settings: FactorsSettings,
    factor: str,
    level: str,
    rows: Sequence[Row],
    pairs: Sequence[tuple[str, float, float]],
) -> LevelEffect:
    clusters, itself = [cluster for cluster, _, _ in pairs], level == REFERENCES[factor]
    rates = [r.rate for r in rows if r.rate is not None]
    difference = [rate - other for _, rate, other in pairs]
    return LevelEffect(
        factor=factor, level=level, reference=REFERENCES[factor],
        rate=cluster_measurement(
            "rate", rates, [r.cluster for r in rows], seed=settings.seed, level=settings.level
        ),
        effect=None if itself else cluster_measurement(
            "effect", difference, clusters, seed=settings.seed, level=settings.level,
            unit="probability difference", missing=len(rows) - len(pairs),
        ),
        reduction=None if itself else _reduction(settings, pairs),
    )  # fmt: skip


def _reduction(settings: FactorsSettings, pairs: Sequence[tuple[str, float, float]]) -> Measurement:
    """1 - sum of rates / sum of reference rates, clusters drawn again."""
    unit, index = "share of the reference's rate", {p[0]: k for k, p in enumerate(pairs)}
    place = {cluster: k for k, cluster in enumerate(index)}
    sums = np.zeros((len(place), 2))
    for cluster, rate, other in pairs:
        sums[place[cluster]] += rate, other
    if not len(sums) or sums[:, 1].sum() <= 1e-9:
        return no_data("reduction", level=settings.level, missing=len(pairs), unit=unit)
    rng = np.random.default_rng(seed_of(settings.seed, "reduction"))
    drawn = rng.integers(len(sums), size=(settings.resamples, len(sums)))
    again = sums[drawn].sum(axis=1)
    defined = again[again[:, 1] > 1e-9]
    found = sums.sum(axis=0)
    return widened(
        "reduction", float(1 - found[0] / found[1]),
        1 - defined[:, 0] / defined[:, 1] if len(sums) > 1 else None, n=len(pairs),
        clusters=len(sums), missing=0, unit=unit, settings=settings,
    )  # fmt: skip


def capability_slope(settings: FactorsSettings, rows: Sequence[Row]) -> Measurement:
    """P(clean) under the first threat against performance in the control, inside clusters.

    The least-squares slope over agents once the mean of every (world, goal) is taken out.
    """
    unit = "probability per share of the optimum's gain"
    gain = {(r.cluster, r.agent): r.gain for r in rows if r.threat == "none"}
    points: dict[str, list[tuple[float, float]]] = {}
    for r in rows:
        able = gain.get((r.cluster, r.agent))
        if (r.autonomy, r.oversight) == (AUTONOMY[0], DEFAULT) and None not in (able, r.clean):
            points.setdefault(r.cluster, []).append((able, r.clean))  # type: ignore[arg-type]  # known
    sums = np.array([_products(np.array(own)) for own in points.values()]).reshape(-1, 2)
    n = sum(map(len, points.values()))
    if not len(sums) or sums[:, 0].sum() <= 1e-9:
        return no_data("capability_slope", level=settings.level, missing=n, unit=unit)
    rng = np.random.default_rng(seed_of(settings.seed, "capability"))
    again = sums[rng.integers(len(sums), size=(settings.resamples, len(sums)))].sum(axis=1)
    defined = again[again[:, 0] > 1e-9]
    whole = sums.sum(axis=0)
    return widened(
        "capability_slope", float(whole[1] / whole[0]),
        defined[:, 1] / defined[:, 0] if len(sums) > 1 else None, n=n, clusters=len(sums),
        missing=0, unit=unit, settings=settings,
    )  # fmt: skip


def _products(points: NDArray[np.float64]) -> tuple[float, float]:
    x, y = (points - points.mean(axis=0)).T
    return float(x @ x), float(x @ y)
