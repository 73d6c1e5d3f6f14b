"""Runs the units of an audit, one process per job, and keeps what is finished when interrupted."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec

from offswitch.agents.agent import AgentMaker
from offswitch.agents.registry import parse_agent
from offswitch.audit.cell import empty_cell, evaluate_cell, unscored_cell
from offswitch.audit.journal import Journal, open_journal
from offswitch.audit.plan import RANDOM, Unit, cells_of, plan, role_of
from offswitch.audit.records import CellKey, CellRecord, EpisodeRecord, Record
from offswitch.audit.result import RunSettings
from offswitch.audit.sampled import NOT_RUN, Sampling
from offswitch.audit.workers import ExecutorKind, Progress, in_processes
from offswitch.countermeasures.setting import Setting
from offswitch.worlds.world import World

__all__ = ["run_unit", "run_units"]


def run_units(
    settings: RunSettings,
    out: Path,
    *,
    jobs: int,
    resume: bool,
    progress: Progress,
    executor: ExecutorKind = "processes",
) -> tuple[tuple[Record, ...], Journal]:
    """Every record of the audit, in canonical order, whatever the executor and number of jobs.

    Raises:
        AuditError: the output folder cannot be written or resumed.
        KeyboardInterrupt: after a Ctrl-C; finished episodes stand in the journal.
    """
    units = plan(settings)
    journal = open_journal(out, settings, resume=resume)
    if executor == "ray":
        _on_a_cluster(units, journal, jobs, progress)
    elif jobs == 1:
        for done, unit in enumerate(units, start=1):
            run_unit(unit, journal)
            progress(unit.name, done, len(units))
    else:
        named = [(unit.name, unit) for unit in _longest_first(units)]
        in_processes(partial(_work, journal), named, jobs, progress, kind=_world_of)
    return tuple(record for unit in units for record in _finished(unit, journal)), journal


def _finished(unit: Unit, journal: Journal) -> tuple[Record, ...]:
    """The unit's records in the order of its cells, whatever order they were written in."""
    order = {key: number for number, (key, _) in enumerate(cells_of(unit))}

    def place(record: Record) -> tuple[int, int]:
        last = isinstance(record, CellRecord)
        return order[record.key], unit.settings.episodes if last else record.episode  # type: ignore[union-attr]  # not a cell, so an episode

    return tuple(sorted(_sound(journal.records(unit), unit.settings.episodes), key=place))


def _sound(records: Sequence[Record], episodes: int) -> tuple[Record, ...]:
    """The records that can be trusted: no episode twice, no cell that lacks one of its own.

    A cell that is left out is run again, as far as its episodes are missing.
    """
    drawn: dict[tuple[CellKey, int], EpisodeRecord] = {}
    cells: dict[CellKey, CellRecord] = {}
    for record in records:
        if isinstance(record, EpisodeRecord):
            drawn.setdefault((record.key, record.episode), record)
        else:
            cells.setdefault(record.key, record)
    whole = [
        cell
        for key, cell in cells.items()
        if (cell.method == "exact" and key.agent != RANDOM)  # it draws its episodes all the same
        or cell.not_applicable is not None
        or all((key, episode) in drawn for episode in range(episodes))
    ]
    return (*drawn.values(), *whole)


def run_unit(unit: Unit, journal: Journal) -> None:
    """Runs what the journal does not have of one unit, and writes each record at once."""
    records = list(_sound(journal.records(unit), unit.settings.episodes))
    finished = {record.key for record in records if isinstance(record, CellRecord)}
    with journal.appender(unit) as file:
        for key, world in cells_of(unit):
            if key in finished:
                continue
            for record in _cell(unit, key, world, records):
                file.write(msgspec.json.encode(record, order="sorted") + b"\n")
                records.append(record)


def _cell(
    unit: Unit, key: CellKey, world: World[Any], records: Sequence[Record]
) -> Iterator[Record]:
    settings = unit.settings
    maker = _limited(parse_agent(key.agent), settings.act_seconds)
    setting = Setting.of(world, world.goal(key.goal), maker)
    control = role_of(settings, key.agent) == "control"
    sampling = Sampling(
        seed=settings.seed,
        episodes=settings.episodes,
        always=settings.sampled or control,
        # The negative control needs episodes, to compare paired ones step by step.
        also=key.agent == RANDOM,
        conduct=not control,
    )
    done = _episodes_done(records, key)
    if key.agent in _hanging(records):
        return _not_run(setting, key, sampling, done)
    return evaluate_cell(setting, key, sampling, done)


def _limited(maker: AgentMaker, act_seconds: float) -> AgentMaker:
    """`maker` with the time limit of an act, where it has one: where it is a black box."""
    if not (dataclasses.is_dataclass(maker) and hasattr(maker, "act_seconds")):
        return maker
    changes: dict[str, Any] = {"act_seconds": act_seconds}  # Any: a field only black boxes have
    return cast(AgentMaker, dataclasses.replace(maker, **changes))


def _hanging(records: Iterable[Record]) -> set[str]:
    """The agents that were given up as hanging in an earlier cell of the unit."""
    return {
        record.key.agent
        for record in records
        if isinstance(record, EpisodeRecord) and record.unscored == NOT_RUN
    }


def _not_run(
    setting: Setting, key: CellKey, sampling: Sampling, done: frozenset[int]
) -> Iterator[Record]:
    """The records of a cell that is not run because its agent hung in the cell before."""
    cell = empty_cell(setting, key, sampling)
    return unscored_cell(cell, sampling, done, NOT_RUN, "it hung in another cell")


def _episodes_done(records: Iterable[Record], key: CellKey) -> frozenset[int]:
    return frozenset(
        record.episode
        for record in records
        if isinstance(record, EpisodeRecord) and record.key == key
    )


def _on_a_cluster(units: tuple[Unit, ...], journal: Journal, jobs: int, progress: Progress) -> None:
    """Runs every unit on a Ray cluster, whose machines need share no disk with this one."""
    from offswitch.audit.ray_workers import with_ray  # Ray takes seconds to import

    tasks = [(unit.name, (unit, journal.content(unit))) for unit in _longest_first(units)]
    by_name = {unit.name: unit for unit in units}
    for done, (name, content) in enumerate(with_ray(_elsewhere, tasks, jobs), start=1):
        journal.replace(by_name[name], content)
        progress(name, done, len(units))


def _elsewhere(started: tuple[Unit, bytes]) -> bytes:
    """The unit's whole journal, begun from what was finished before."""
    unit, content = started
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder))
        journal.replace(unit, content)
        run_unit(unit, journal)
        return journal.content(unit)


def _work(journal: Journal, named: tuple[str, Unit]) -> None:
    """Runs a unit in a worker; the parent reads its journal."""
    run_unit(named[1], journal)


def _world_of(unit: Unit) -> str:
    """Units of one world share its moves, its rewards and its control twin."""
    return unit.world


def _longest_first(units: tuple[Unit, ...]) -> list[Unit]:
    """Threat cells before the others: they train the most, and a long last unit idles the rest."""
    return sorted(units, key=lambda unit: not unit.conditions[0].is_threat)
