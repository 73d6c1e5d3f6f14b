"""The records of an audit, put in order: what each cell found, before intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from offswitch.audit.records import (
    Baselines,
    CellKey,
    CellRecord,
    Conduct,
    EpisodeRecord,
    Rates,
    Record,
)

__all__ = [
    "Cell",
    "Sample",
    "cells_by_agent",
    "conduct_paired",
    "conduct_samples",
    "episode_labels",
    "paired",
    "pick",
    "samples",
]


@dataclass(frozen=True)
class Cell:
    """One cell with everything it left behind."""

    record: CellRecord
    episodes: tuple[EpisodeRecord, ...]
    """In order of their numbers; empty where the cell was evaluated exactly."""

    @property
    def key(self) -> CellKey:
        """Which cell this is."""
        return self.record.key

    @property
    def exact(self) -> bool:
        """Whether it was evaluated exactly."""
        return self.record.method == "exact"

    @property
    def baselines(self) -> Baselines:
        """What doing nothing, the reference and the optimum earn here."""
        return self.record.baselines

    @property
    def unscored(self) -> dict[str, int]:
        """Episodes without a verdict, by reason."""
        reasons = Counter(e.unscored for e in self.episodes if e.unscored is not None)
        return dict(sorted(reasons.items()))

    def scored(self) -> Iterator[tuple[int, Rates, float]]:
        """(episode, rates, return) of everything scored; an exact cell is one 'episode'."""
        if self.record.rates is not None and self.record.value is not None:
            yield 0, self.record.rates, self.record.value
            return
        for episode in self.episodes:
            if episode.rates is not None and episode.value is not None:
                yield episode.episode, episode.rates, episode.value

    def conducts(self) -> Iterator[Conduct]:
        """The conduct of everything scored; nothing where it was not recorded."""
        yield from self.conduct_of().values()

    def conduct_of(self) -> dict[int, Conduct]:
        """Episode -> conduct of everything scored; an exact cell is one 'episode'."""
        if self.record.conduct is not None:
            return {0: self.record.conduct}
        return {one.episode: one.conduct for one in self.episodes if one.conduct is not None}

    def conduct_mean(self, measure: Callable[[Conduct], float | None]) -> float:
        """Mean of `measure` over what was scored; NaN without data."""
        values = [value for one in self.conducts() if (value := measure(one)) is not None]
        return float(np.mean(values)) if values else float("nan")

    def mean(self, measure: Callable[[Rates], float | None]) -> float:
        """Mean of `measure` over what was scored; NaN without data."""
        values = [value for _, rates, _ in self.scored() if (value := measure(rates)) is not None]
        return float(np.mean(values)) if values else float("nan")

    def mean_value(self) -> float:
        """Mean discounted return; NaN without data."""
        values = [value for _, _, value in self.scored()]
        return float(np.mean(values)) if values else float("nan")


@dataclass(frozen=True)
class Sample:
    """Numbers with the cluster each belongs to."""

    values: tuple[float, ...]
    clusters: tuple[str, ...]
    """'world/goal' of every value."""
    missing: int
    exact: bool
    """Whether every value was computed rather than sampled."""


def cells_by_agent(records: Iterable[Record]) -> dict[str, tuple[Cell, ...]]:
    """Agent -> its cells, in the order in which they were planned."""
    episodes: dict[CellKey, list[EpisodeRecord]] = {}
    cells: dict[str, list[CellRecord]] = {}
    for record in records:
        if isinstance(record, EpisodeRecord):
            episodes.setdefault(record.key, []).append(record)
        else:
            cells.setdefault(record.key.agent, []).append(record)
    return {
        agent: tuple(
            Cell(cell, tuple(sorted(episodes.get(cell.key, ()), key=lambda e: e.episode)))
            for cell in mine
            if cell.not_applicable is None
        )
        for agent, mine in cells.items()
    }


def episode_labels(values: Sequence[float]) -> tuple[str, ...]:
    """Every episode of one cell its own cluster: inside a cell seeds are independent."""
    return tuple(str(number) for number in range(len(values)))


def pick(
    cells: Iterable[Cell],
    *,
    threat: str | None = None,
    observed: bool | None = None,
    world: str | None = None,
) -> tuple[Cell, ...]:
    """The cells with this threat ('any' = every intervention), observation level and world."""
    return tuple(
        cell
        for cell in cells
        if (
            threat is None
            or cell.key.threat == threat
            or (threat == "any" and cell.key.threat not in ("none", "inert"))
        )
        and (observed is None or cell.key.observed == observed)
        and (world is None or cell.key.world == world)
    )


def samples(cells: Iterable[Cell], measure: Callable[[Rates], float | None]) -> Sample:
    """`measure` of every scored episode of `cells`; None means that it is not defined there."""
    return _samples(cells, lambda cell: (measure(rates) for _, rates, _ in cell.scored()))


def paired(
    treated: Iterable[Cell], control: Iterable[Cell], measure: Callable[[Rates], float | None]
) -> Sample:
    """`measure` in `treated` minus the same goal, world and episode in `control`.

    A cell that was evaluated exactly stands for every episode of the other.
    """
    return _paired(
        treated, control, lambda cell: {n: measure(rates) for n, rates, _ in cell.scored()}
    )


def _paired(
    treated: Iterable[Cell],
    control: Iterable[Cell],
    values_of: Callable[[Cell], dict[int, float | None]],
) -> Sample:
    baseline = {(cell.key.world, cell.key.goal): (cell, values_of(cell)) for cell in control}
    values: list[float] = []
    clusters: list[str] = []
    missing, exact = 0, True
    for cell in treated:
        other, theirs = baseline.get((cell.key.world, cell.key.goal), (cell, {}))
        for number, mine in values_of(cell).items():
            if mine is None:
                continue
            against = _counterpart(theirs, number, alone=cell.exact or other.exact)
            if against is None:
                missing += 1
                continue
            values.append(mine - against)
            clusters.append(f"{cell.key.world}/{cell.key.goal}")
            exact = exact and cell.exact and other.exact
        missing += sum(cell.unscored.values())
    return Sample(tuple(values), tuple(clusters), missing, exact)


def _counterpart(theirs: dict[int, float | None], number: int, *, alone: bool) -> float | None:
    """What is held against an episode: its twin, or the mean where one of the two cells is exact.

    A control that cannot even show the drive does not show it.
    """
    shown = {episode: value or 0.0 for episode, value in theirs.items()}
    if alone:
        return float(np.mean(list(shown.values()))) if shown else None
    return shown.get(number)


def conduct_samples(cells: Iterable[Cell], measure: Callable[[Conduct], float | None]) -> Sample:
    """`measure` of the conduct of every scored episode; None means that it is not defined there."""
    return _samples(cells, lambda cell: map(measure, cell.conducts()))


def _samples(cells: Iterable[Cell], measured: Callable[[Cell], Iterable[float | None]]) -> Sample:
    """What `measured` gives of each scored episode of each cell, where it is defined."""
    values: list[float] = []
    clusters: list[str] = []
    missing, exact = 0, True
    for cell in cells:
        missing += sum(cell.unscored.values())
        found = [value for value in measured(cell) if value is not None]
        values += found
        clusters += [f"{cell.key.world}/{cell.key.goal}"] * len(found)
        exact = exact and (cell.exact or not found)
    return Sample(tuple(values), tuple(clusters), missing, exact)


def conduct_paired(
    treated: Iterable[Cell], control: Iterable[Cell], measure: Callable[[Conduct], float | None]
) -> Sample:
    """`measure` of conduct in `treated` minus the same goal, world and episode in `control`."""
    return _paired(
        treated, control, lambda cell: {n: measure(one) for n, one in cell.conduct_of().items()}
    )
