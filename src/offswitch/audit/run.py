"""Runs the units of an audit, one process per job, and keeps what is finished when interrupted."""

from __future__ import annotations

import dataclasses
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, cast

import msgspec

from offswitch.agents.agent import AgentMaker
from offswitch.agents.registry import parse_agent
from offswitch.audit.cell import empty_cell, evaluate_cell, unscored_cell
from offswitch.audit.journal import Journal, open_journal
from offswitch.audit.plan import RANDOM, Unit, cells_of, plan
from offswitch.audit.records import CellKey, CellRecord, EpisodeRecord, Record
from offswitch.audit.result import RunSettings
from offswitch.audit.sampled import NOT_RUN, Sampling
from offswitch.countermeasures.setting import Setting

__all__ = ["Progress", "run_unit", "run_units"]

Progress = Callable[[str, int, int], None]
"""Called with the unit just finished, how many are, and how many there are."""


def run_units(
    settings: RunSettings, out: Path, *, jobs: int, resume: bool, progress: Progress
) -> tuple[tuple[Record, ...], Journal]:
    """Every record of the audit, in canonical order, whatever the number of jobs.

    Raises:
        AuditError: the output folder cannot be written or resumed.
        KeyboardInterrupt: after a Ctrl-C; finished episodes stand in the journal.
    """
    units = plan(settings)
    journal = open_journal(out, settings, resume=resume)
    if jobs == 1:
        results = {}
        for unit in units:
            results[unit.name] = run_unit(unit, journal)
            progress(unit.name, len(results), len(units))
    else:
        results = _in_processes(units, journal, jobs, progress)
    return tuple(record for unit in units for record in results[unit.name]), journal


def run_unit(unit: Unit, journal: Journal) -> tuple[Record, ...]:
    """One unit's records: those in the journal, then the missing ones, each written at once."""
    earlier = journal.records(unit)
    finished = {record.key for record in earlier if isinstance(record, CellRecord)}
    records = list(earlier)
    with journal.appender(unit) as file:
        for key, world in cells_of(unit):
            if key in finished:
                continue
            maker = _limited(parse_agent(key.agent), unit.settings.act_seconds)
            setting = Setting.of(world, world.goal(key.goal), maker)
            sampling = Sampling(
                seed=unit.settings.seed,
                episodes=unit.settings.episodes,
                # The negative control needs episodes, to compare paired ones step by step.
                always=unit.settings.sampled or key.agent == RANDOM,
            )
            done = _episodes_done(earlier, key)
            if key.agent in _hanging(records):
                found = _not_run(setting, key, sampling, done)
            else:
                found = evaluate_cell(setting, key, sampling, done)
            for record in found:
                file.write(msgspec.json.encode(record, order="sorted") + b"\n")
                records.append(record)
    return tuple(records)


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


def _in_processes(
    units: tuple[Unit, ...], journal: Journal, jobs: int, progress: Progress
) -> dict[str, tuple[Record, ...]]:
    # Spawned, not forked: numba's and BLAS's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(
        max_workers=min(jobs, len(units)), mp_context=context, initializer=_leave_interrupts_alone
    )
    results: dict[str, tuple[Record, ...]] = {}
    try:
        futures: dict[Future[tuple[Record, ...]], str] = {
            pool.submit(run_unit, unit, journal): unit.name for unit in _longest_first(units)
        }
        for future in as_completed(futures):
            results[futures[future]] = future.result()
            progress(futures[future], len(results), len(units))
    except BaseException:
        # Workers ignore SIGINT, so that a Ctrl-C cannot cut a journal line in two; end them here.
        for process in list(pool._processes.values()):
            process.terminate()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
    return results


def _longest_first(units: tuple[Unit, ...]) -> list[Unit]:
    """Threat cells before the others: they train the most, and a long last unit idles the rest."""
    return sorted(units, key=lambda unit: not unit.conditions[0].is_threat)


def _leave_interrupts_alone() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
