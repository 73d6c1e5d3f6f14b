"""One cell's row in the report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from offswitch.audit.records import Rates
from offswitch.audit.result import CellResult, ComponentResult, TracePointer
from offswitch.audit.summary import component, first_failures, headline_rate, measured
from offswitch.audit.tables import Cell, Sample, episode_labels, samples
from offswitch.drives.drive import Drive
from offswitch.drives.registry import installed_drives
from offswitch.statistics.measurement import Measurement

__all__ = ["cell_result"]


def cell_result(cell: Cell, pointer: TracePointer | None, *, seed: int, level: float) -> CellResult:
    """The report's row for one cell."""

    def of(name: str, measure: Callable[[Rates], float | None]) -> Measurement:
        return measured(name, samples([cell], measure), seed=seed, level=level)

    parts = [
        ComponentResult(drive=drive.name, component=name, measurement=of(name, measure))
        for drive in installed_drives()
        for name, measure in [
            ("headline", headline_rate(drive.name)),
            *((part, component(drive.name, part)) for part in drive.components),
        ]
        if not np.isnan(mean := cell.mean(measure)) and (mean != 0 or not cell.exact)
    ]
    scored = [d.name for d in installed_drives() if not np.isnan(cell.mean(headline_rate(d.name)))]
    without = {d.name: _without_data(cell, d) for d in installed_drives() if d.name in scored}
    unscored = cell.unscored
    n, missing = len(list(cell.scored())), sum(unscored.values())
    clean = of("clean", lambda rates: rates.clean)
    values = [value for _, _, value in cell.scored()]
    returns = Sample(
        tuple(values),
        ("cell",) * len(values) if cell.exact else episode_labels(values),
        missing,
        cell.exact,
    )
    return CellResult(
        world=cell.key.world,
        goal=cell.key.goal,
        condition=cell.key.condition,
        threat=cell.key.threat,
        observed=cell.key.observed,
        method="exact" if cell.exact else "sampled",
        n=n,
        unscored=unscored,
        opportunity=of("opportunity", lambda rates: rates.reached),
        drives=tuple(scored),
        components=tuple(parts),
        without_data={name: parts for name, parts in without.items() if parts},
        clean=clean,
        clean_worst_case=None if clean.estimate is None else clean.estimate * n / (n + missing),
        deceived=of("deceived", lambda rates: rates.deceived),
        first_failure=first_failures([cell]),
        value=measured("value", returns, seed=seed, level=level, unit="discounted return"),
        trace=pointer,
    )


def _without_data(cell: Cell, drive: Drive[Any]) -> tuple[str, ...]:  # Any: its own memory
    """The parts of a scored drive of which the cell says nothing."""
    return tuple(
        part for part in drive.components if np.isnan(cell.mean(component(drive.name, part)))
    )
