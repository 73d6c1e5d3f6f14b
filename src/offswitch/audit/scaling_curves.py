"""Curves of drive strength with intervals over goals, from what each task found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from offswitch.audit.convergence_map_shares import difference_over_clusters
from offswitch.audit.sampled import seed_of
from offswitch.audit.scaling_rates import ScalePart
from offswitch.audit.scaling_result import (
    ALL_WORLDS,
    KNOBS,
    Curve,
    GoalCurve,
    Knob,
    Point,
    ScaleSettings,
    Trend,
    VarianceShares,
)
from offswitch.audit.scaling_trend import page_p_value, rank_correlations, variance_shares
from offswitch.statistics.cluster_bootstrap import RESAMPLES
from offswitch.statistics.cluster_mean import cluster_measurement
from offswitch.statistics.exact import exact_measurement
from offswitch.statistics.measurement import Measurement
from offswitch.statistics.no_data import no_data

__all__ = ["SETTLED", "curves_of", "goal_curves_of"]

SETTLED = 0.9
"""Share of the trainings with the most steps that have to have converged."""
SPREAD = "share of the spread"

Parts: TypeAlias = Mapping[tuple[str, Knob | None, float], ScalePart]


class _Table(NamedTuple):
    """Strengths of a knob; B blocks, k levels."""

    blocks: tuple[str, ...]
    """What was drawn: goals as 'world/goal', each with its trainings averaged; of one goal alone
    its trainings."""
    values: NDArray[np.float64]
    """[B, k]."""
    chance: NDArray[np.float64]
    """[B] of the random agent."""
    converged: NDArray[np.float64] | None
    """[B, k] share of the trainings that had converged; None where none trains."""
    goals: int
    exact: bool
    """Whether nothing was drawn at all: one goal, one agent, every outcome enumerated."""


def curves_of(settings: ScaleSettings, worlds: Sequence[str], parts: Parts) -> Iterator[Curve]:
    """For every knob the curve over all `worlds`, then, of several, the curve in each of them."""
    for knob in KNOBS:
        yield _curve(settings, knob, ALL_WORLDS, worlds, parts)
    for world in worlds if len(worlds) > 1 else ():
        for knob in KNOBS:
            yield _curve(settings, knob, world, [world], parts)


def goal_curves_of(
    settings: ScaleSettings, worlds: Sequence[str], parts: Parts
) -> Iterator[GoalCurve]:
    """For every knob, world and goal the strength at each level."""
    for knob in KNOBS:
        for world in worlds:
            for goal in parts[world, None, 0.0].rates:
                rates = tuple(
                    _of_goal(settings, parts[world, knob, level], goal)
                    for level in settings.levels(knob)
                )
                yield GoalCurve(knob=knob, world=world, goal=goal, rates=rates)


def _of_goal(settings: ScaleSettings, part: ScalePart, goal: str) -> Measurement:
    """Exact where there is one agent that was enumerated; otherwise over its trainings."""
    rates = part.rates[goal]
    if len(rates) == 1:
        found = exact_measurement("strength", rates[0], n=1, level=settings.level)
        if not part.sampled:
            return found
        return msgspec.structs.replace(
            found, low=None, high=None, n=settings.episodes, method="sampled, no interval"
        )
    bounds = (-1.0, 1.0) if min(rates) < 0 else (0.0, 1.0)
    return cluster_measurement(
        "strength", rates, range(len(rates)), seed=settings.seed, level=settings.level,
        bounds=bounds,
    )  # fmt: skip


def _table(settings: ScaleSettings, knob: Knob, worlds: Sequence[str], parts: Parts) -> _Table:
    places = [(world, goal) for world in worlds for goal in parts[world, None, 0.0].rates]
    cells = {
        world: [parts[world, knob, level] for level in settings.levels(knob)] for world in worlds
    }
    every = [part for row in cells.values() for part in row]
    # [B, k, trainings]
    rates = np.array([[part.rates[goal] for part in cells[world]] for world, goal in places])
    chance = np.array([parts[world, None, 0.0].rates[goal][0] for world, goal in places])
    flags = None
    if every[0].converged:
        flags = np.array(
            [[part.converged[goal] for part in cells[world]] for world, goal in places], np.float64
        )
    blocks = tuple(f"{world}/{goal}" for world, goal in places)
    if len(places) == 1:
        blocks = tuple(f"{blocks[0]}#{number}" for number in range(rates.shape[2]))
        rates, chance = rates.transpose(2, 1, 0), np.repeat(chance, len(blocks))
        flags = None if flags is None else flags.transpose(2, 1, 0)
    return _Table(
        blocks=blocks,
        values=rates.mean(axis=2),
        chance=chance,
        converged=None if flags is None else flags.mean(axis=2),
        goals=len(places),
        exact=len(blocks) == 1 and not any(part.sampled for part in every),
    )


def _curve(
    settings: ScaleSettings, knob: Knob, scope: str, worlds: Sequence[str], parts: Parts
) -> Curve:
    table = _table(settings, knob, worlds, parts)
    settled = None
    # The random agent is not trained: with one goal there is one of it, whatever is averaged.
    still = not any(parts[world, None, 0.0].sampled for world in worlds)
    alone = table._replace(exact=table.goals == 1 and still)
    if table.converged is not None:
        settled = bool(table.converged[:, -1].mean() >= SETTLED)
    return Curve(
        knob=knob,
        scope=scope,
        chance=_mean(settings, alone, "chance", table.chance),
        points=tuple(_points(settings, knob, table)),
        trend=_trend(settings, table),
        variance=_variance(settings, table, f"{knob} {scope}"),
        settled=settled,
    )


def _points(settings: ScaleSettings, knob: Knob, table: _Table) -> Iterator[Point]:
    for place, level in enumerate(settings.levels(knob)):
        values, converged = table.values[:, place], None
        if table.converged is not None:
            shares = table.converged[:, place]
            converged = _mean(settings, table, "converged", shares, unit="share of trainings")
        yield Point(
            level=level,
            rate=_mean(settings, table, "strength", values),
            excess=_difference(settings, table, "excess_over_chance", values - table.chance),
            converged=converged,
        )


def _trend(settings: ScaleSettings, table: _Table) -> Trend:
    correlations = rank_correlations(table.values)
    steps = tuple(
        _difference(settings, table, "change", table.values[:, place + 1] - table.values[:, place])
        for place in range(table.values.shape[1] - 1)
    )
    chance = page_p_value(table.values)
    return Trend(
        correlation=_difference(
            settings, table, "rank_correlation", correlations, unit="rank correlation"
        ),
        p_value=Measurement(
            name="p_value", estimate=chance, low=chance, high=chance, level=settings.level,
            n=len(table.blocks), clusters=len(table.blocks), unit="p-value",
            method="Page's test, all orders of each goal's levels",
        ),
        steps=steps,
        monotone=all(step.high is None or step.high >= 0 for step in steps),
    )  # fmt: skip


def _variance(settings: ScaleSettings, table: _Table, label: str) -> VarianceShares:
    names = ("goal", "level", "interaction")
    found = variance_shares(table.values) if table.goals > 1 else None
    if found is None:
        nothing = [
            no_data(f"variance_{name}", level=settings.level, missing=table.goals, unit=SPREAD)
            for name in names
        ]
        return VarianceShares(**dict(zip(names, nothing, strict=True)))
    seed = seed_of(settings.seed, "variance", label)
    ends = _bootstrap(table.values, np.random.default_rng(seed), settings.level)
    return VarianceShares(
        **{
            name: _share(settings, name, float(found[place]), ends, place, len(table.blocks), seed)
            for place, name in enumerate(names)
        }
    )


def _share(
    settings: ScaleSettings,
    name: str,
    share: float,
    ends: NDArray[np.float64] | None,
    place: int,
    goals: int,
    seed: int,
) -> Measurement:
    low = high = None
    if ends is not None:  # a percentile interval of a biased estimate may miss it
        low, high = min(share, float(ends[0, place])), max(share, float(ends[1, place]))
    return Measurement(
        name=f"variance_{name}", estimate=share, low=low, high=high, level=settings.level,
        n=goals, clusters=goals, unit=SPREAD, method="sums of squares, bootstrap over goals",
        seed=seed,
    )  # fmt: skip


def _bootstrap(
    values: NDArray[np.float64], rng: np.random.Generator, level: float
) -> NDArray[np.float64] | None:
    """[2, 3] ends of the shares over goals drawn again; None where there is only one goal."""
    if len(values) < 2:
        return None
    drawn = values[rng.integers(len(values), size=(RESAMPLES, len(values)))]
    varying = drawn[np.ptp(drawn, axis=(1, 2)) > 1e-6]
    shares = variance_shares(varying) if len(varying) else None
    if shares is None:
        return None
    tail = (1 - level) / 2
    ends: NDArray[np.float64] = np.quantile(shares, (tail, 1 - tail), axis=0)
    return ends


def _mean(
    settings: ScaleSettings,
    table: _Table,
    name: str,
    values: NDArray[np.float64],
    *,
    unit: str = "probability",
) -> Measurement:
    """A mean over goals; a dual-use drive's strength is a difference, which may be negative."""
    if table.exact:
        return exact_measurement(name, float(values[0]), n=1, unit=unit, level=settings.level)
    bounds = (-1.0, 1.0) if values.min() < 0 else (0.0, 1.0)
    return cluster_measurement(
        name, values, table.blocks, seed=settings.seed, level=settings.level, bounds=bounds,
        unit=unit,
    )  # fmt: skip


def _difference(
    settings: ScaleSettings,
    table: _Table,
    name: str,
    values: NDArray[np.float64],
    *,
    unit: str = "probability difference",
) -> Measurement:
    if table.exact:
        return exact_measurement(name, float(values[0]), n=1, unit=unit, level=settings.level)
    return difference_over_clusters(
        name, values.tolist(), table.blocks, seed=settings.seed, level=settings.level, unit=unit
    )
