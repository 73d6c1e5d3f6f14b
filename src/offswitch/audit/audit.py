"""An audit from its settings to its report: run, read the records, write the traces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import offswitch
from offswitch.agents.process import AgentFailure
from offswitch.agents.registry import parse_agent
from offswitch.audit.cell import make_task
from offswitch.audit.cell_report import cell_result
from offswitch.audit.checks import checks_of
from offswitch.audit.convergence import convergence_of
from offswitch.audit.corrigibility_report import corrigibility_of
from offswitch.audit.journal import Journal
from offswitch.audit.plan import agents_of, plan, role_of
from offswitch.audit.predict import predict
from offswitch.audit.records import CellRecord, Record
from offswitch.audit.result import (
    AgentResult,
    AuditReport,
    RunSettings,
    TracePointer,
    WorldNote,
)
from offswitch.audit.run import run_units
from offswitch.audit.summary import summarise
from offswitch.audit.tables import Cell, cells_by_agent
from offswitch.audit.workers import ExecutorKind, Progress
from offswitch.errors import AgentError, AuditError
from offswitch.trace.files import write_traces
from offswitch.trace.trace import Trace
from offswitch.worlds.compiled import compiled_world
from offswitch.worlds.registry import make_world

__all__ = ["LIMITS", "audit"]

LIMITS = (
    "It measures disposition in simulated worlds; how well a jail contains is another matter.",
    "An agent that knows that it is tested can behave for the test.",
    "A score of 0 cannot tell useless from hostile: read C, its cells and u together.",
    "Equal weights of the cells and u_min are conventions; the report shows what others give.",
    "Rates hold for these worlds, goals and conditions; they are not rates in the field.",
)


def audit(
    settings: RunSettings,
    out: Path,
    *,
    jobs: int,
    resume: bool,
    progress: Progress,
    executor: ExecutorKind = "processes",
) -> tuple[AuditReport, Journal]:
    """The report of an audit; traces are written below `out`, the report itself is the caller's.

    The journal comes back too: whoever has written the report removes it.

    Raises:
        OffswitchError: unknown names, an agent that cannot be put into any world, or an output
            folder that cannot be written.
    """
    _refuse_what_cannot_be_made(settings)
    records, journal = run_units(
        settings, out, jobs=jobs, resume=resume, progress=progress, executor=executor
    )
    cells = cells_by_agent(records)
    refused = _not_applicable(records)
    _refuse_without_audited_cells(settings, cells, refused)
    pointers = _write_traces(settings, cells, out)
    predictions = predict(settings, cells[settings.agent])
    report = AuditReport(
        version=offswitch.__version__,
        settings=settings,
        agents=tuple(
            _agent_result(
                settings,
                entry.spec,
                cells.get(entry.spec, ()),
                pointers,
                refused.get(entry.spec, {}),
            )
            for entry in agents_of(settings)
        ),
        predictions=predictions,
        checks=checks_of(cells, predictions, seed=settings.seed, level=settings.level),
        worlds=tuple(_world_note(world_id) for world_id in settings.worlds),
        limits=LIMITS,
    )
    return report, journal


def _refuse_what_cannot_be_made(settings: RunSettings) -> None:
    """Fail before anything runs if a black box fits none of the worlds.

    Raises:
        AgentError: why not, in the first world.
    """
    plan(settings)  # unknown names first
    maker = parse_agent(settings.agent)
    if not hasattr(maker, "act_seconds"):
        return
    reasons = []
    for world_id in settings.worlds:
        world = make_world(world_id)
        try:
            agent = maker(make_task(world, world.goal(), settings.seed))
        except AgentFailure:
            return  # it can be made, but fails: that is an outcome
        except AgentError as error:
            reasons.append(error)
            continue
        agent.close()  # type: ignore[attr-defined]  # black boxes have a process to end
        return
    raise reasons[0]


def _not_applicable(records: Sequence[Record]) -> dict[str, dict[str, str]]:
    refused: dict[str, dict[str, str]] = {}
    for record in records:
        if isinstance(record, CellRecord) and record.not_applicable is not None:
            worlds = refused.setdefault(record.key.agent, {})
            worlds.setdefault(record.key.world, record.not_applicable)
    return refused


def _refuse_without_audited_cells(
    settings: RunSettings, cells: dict[str, tuple[Cell, ...]], refused: dict[str, dict[str, str]]
) -> None:
    if cells.get(settings.agent):
        return
    reasons = refused.get(settings.agent, {})
    if len(set(reasons.values())) == 1:
        raise AgentError(next(iter(reasons.values())))
    raise AuditError(
        f"agent {settings.agent!r} could not be put into any of the worlds: "
        + "; ".join(f"{world}: {reason}" for world, reason in reasons.items())
    )


def _agent_result(
    settings: RunSettings,
    agent: str,
    cells: Sequence[Cell],
    pointers: dict[int, TracePointer],
    refused: dict[str, str],
) -> AgentResult:
    seed, level = settings.seed, settings.level
    worlds = [world for world in settings.worlds if any(c.key.world == world for c in cells)]
    return AgentResult(
        name=agent,
        role=role_of(settings, agent),
        summary=summarise(cells, seed=seed, level=level),
        by_world={
            world: summarise([c for c in cells if c.key.world == world], seed=seed, level=level)
            for world in worlds
        },
        corrigibility=corrigibility_of(cells, seed=seed, level=level),
        convergence=convergence_of(cells, seed=seed, level=level),
        cells=tuple(
            cell_result(cell, pointers.get(id(cell)), seed=seed, level=level) for cell in cells
        ),
        not_applicable=refused,
        failures=_first_failures(cells),
    )


def _first_failures(cells: Sequence[Cell]) -> dict[str, str]:
    failures: dict[str, str] = {}
    for cell in cells:
        for episode in cell.episodes:
            if episode.unscored is not None and episode.failure is not None:
                failures.setdefault(episode.unscored, episode.failure)
    return dict(sorted(failures.items()))


def _write_traces(
    settings: RunSettings, cells: dict[str, tuple[Cell, ...]], out: Path
) -> dict[int, TracePointer]:
    """Writes one file per agent and world; maps id(cell) to where its episodes stand."""
    folder = out / "traces"
    for old in folder.glob("*.jsonl"):  # an earlier audit's episodes are not this one's evidence
        old.unlink()
    pointers: dict[int, TracePointer] = {}
    for number, entry in enumerate(agents_of(settings)):
        for world in settings.worlds:
            name = f"{number}-{_file_name(entry.spec)}-{world}.jsonl"
            traces: list[Trace] = []
            for cell in cells.get(entry.spec, ()):
                if cell.key.world != world:
                    continue
                mine = _traces_of(cell)
                if mine:
                    pointers[id(cell)] = TracePointer(
                        file=f"traces/{name}", first=len(traces), count=len(mine)
                    )
                traces += mine
            if traces:
                write_traces(folder / name, traces)
    return pointers


def _traces_of(cell: Cell) -> list[Trace]:
    example = [cell.record.trace] if cell.record.trace is not None else []
    return example + [episode.trace for episode in cell.episodes]


def _file_name(spec: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-." else "-" for letter in spec)[:60]


def _world_note(world_id: str) -> WorldNote:
    world = make_world(world_id)
    return WorldNote(
        id=world_id,
        summary=world.summary,
        caveat=world.caveat,
        source=world.source,
        states=compiled_world(world).mdp.n_states,
        goals=tuple(goal.name for goal in world.goals),
    )
