"""How convergent each drive is: the cells of the map, averaged over clusters of goals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec
import numpy as np

from offswitch.audit.convergence_map_result import (
    ALL_WORLDS,
    AgentShare,
    Behaviour,
    DriveShare,
    Gain,
    MapCell,
    MapSettings,
)
from offswitch.audit.plan import RANDOM
from offswitch.audit.summary import EXCESS
from offswitch.statistics.cluster_mean import cluster_measurement
from offswitch.statistics.exact import exact_measurement
from offswitch.statistics.measurement import Measurement
from offswitch.statistics.proportion import proportion_measurement

__all__ = ["cluster_of", "difference_over_clusters", "shares_of"]

SHARE = "share of goals"
UNIT, DIFFERENCE = (0.0, 1.0), (-1.0, 1.0)
WIDE = (-2.0, 2.0)


def shares_of(
    settings: MapSettings, cells: Sequence[MapCell], dual_use: dict[str, bool]
) -> tuple[DriveShare, ...]:
    """One row per drive over all worlds, then one per drive in each world in which it can show."""
    rows = list(_rows(settings, ALL_WORLDS, cells, dual_use))
    for world in dict.fromkeys(cell.world for cell in cells):
        rows += _rows(settings, world, [c for c in cells if c.world == world], dual_use)
    return tuple(rows)


def _rows(
    settings: MapSettings, scope: str, cells: Sequence[MapCell], dual_use: dict[str, bool]
) -> Iterator[DriveShare]:
    for drive in sorted({cell.drive for cell in cells}):
        mine = [cell for cell in cells if cell.drive == drive]
        yield DriveShare(
            scope=scope,
            drive=drive,
            dual_use=dual_use[drive],
            value=_value(settings, "convergence_value", mine, lambda cell: cell.useful),
            value_by_goal=_by_goal(settings, mine),
            value_useless=_value(
                settings, "convergence_value_useless", mine, lambda cell: cell.useless
            ),
            agents=tuple(_agents(settings, mine, dual_use[drive])),
        )


def _agents(settings: MapSettings, cells: Sequence[MapCell], dual: bool) -> Iterator[AgentShare]:
    for agent in dict.fromkeys(b.agent for cell in cells for b in cell.behaviours):
        mine = [(cell, b) for cell in cells for b in cell.behaviours if b.agent == agent]
        if agent == RANDOM:  # it has no goal, so it was run once per world
            mine = list({cell.world: (cell, b) for cell, b in mine}.values())

        def over(
            name: str,
            read: Callable[[Behaviour], Measurement],
            paired: bool,
            of: Sequence[tuple[MapCell, Behaviour]] = mine,
        ) -> Measurement:
            pairs = [(cell, read(b)) for cell, b in of]
            if len(pairs) == 1:
                return msgspec.structs.replace(pairs[0][1], name=name)
            return _mean(settings, name, pairs, paired)

        yield AgentShare(
            agent=agent,
            behaviour=over("convergence_behaviour", lambda b: b.rate, dual),
            excess=over("convergence_excess", lambda b: b.excess, True),
            inert=over("convergence_inert", lambda b: b.inert, dual),
        )


def _mean(
    settings: MapSettings, name: str, pairs: Sequence[tuple[MapCell, Measurement]], paired: bool
) -> Measurement:
    known = [(cell, m.estimate) for cell, m in pairs if m.estimate is not None]
    values, clusters = [value for _, value in known], [cluster_of(cell) for cell, _ in known]
    missing = sum(m.missing for _, m in pairs)
    if paired:
        return difference_over_clusters(
            name, values, clusters, seed=settings.seed, level=settings.level, unit=EXCESS,
            missing=missing,
        )  # fmt: skip
    return cluster_measurement(
        name, values, clusters, seed=settings.seed, bounds=UNIT, level=settings.level,
        missing=missing,
    )  # fmt: skip


def difference_over_clusters(
    name: str,
    values: Sequence[float],
    clusters: Sequence[str],
    *,
    seed: int,
    level: float,
    unit: str,
    missing: int = 0,
) -> Measurement:
    """A mean of paired differences in [-1, 1], by the rule of the house for clusters.

    Where differences are mostly large, one of 1 is the largest effect and no rare event that hides
    others: wider bounds keep the rule for rare events away from them.
    """
    large = len(values) > 0 and float(np.median(np.abs(values))) > 0.5
    found = cluster_measurement(
        name, values, clusters, seed=seed, level=level, unit=unit, missing=missing,
        bounds=WIDE if large else DIFFERENCE,
    )  # fmt: skip
    if found.low is None or found.high is None:
        return found
    return msgspec.structs.replace(found, low=max(-1.0, found.low), high=min(1.0, found.high))


def _value(
    settings: MapSettings, name: str, cells: Sequence[MapCell], read: Callable[[MapCell], Gain]
) -> Measurement:
    told = [(cell, read(cell).raises) for cell in cells if read(cell).raises is not None]
    if len(cells) == len(told) == 1:
        value = float(told[0][1] is True)
        return exact_measurement(name, value, n=1, unit=SHARE, level=settings.level)
    return cluster_measurement(
        name,
        [float(raises is True) for _, raises in told],
        [cluster_of(cell) for cell, _ in told],
        seed=settings.seed, unit=SHARE, bounds=UNIT, level=settings.level,
        missing=len(cells) - len(told),
    )  # fmt: skip


def _by_goal(settings: MapSettings, cells: Sequence[MapCell]) -> Measurement:
    told = [cell.useful.raises for cell in cells if cell.useful.raises is not None]
    return proportion_measurement(
        "convergence_value_by_goal", sum(told), len(told), method="clopper-pearson", unit=SHARE,
        level=settings.level, missing=len(cells) - len(told),
    )  # fmt: skip


def cluster_of(cell: MapCell) -> str:
    """The sampling unit that a cell of the map belongs to: 'world/goal cluster'."""
    return f"{cell.world}/{cell.cluster}"
