"""An audit from its settings to its report: run, read the records, write the traces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import offswitch
from offswitch.agents.process import AgentFailure
from offswitch.agents.registry import parse_agent
from offswitch.audit.agent_report import Findings, agent_result
from offswitch.audit.cell import make_task
from offswitch.audit.checks import checks_of
from offswitch.audit.journal import Journal
from offswitch.audit.plan import REFERENCE, agents_of, plan
from offswitch.audit.power_gain import WorldGain, world_gain
from offswitch.audit.predict import asked_goals, power_of, predict
from offswitch.audit.records import CellRecord, Record
from offswitch.audit.result import (
    AuditReport,
    Prediction,
    RunSettings,
    TracePointer,
    WorldNote,
)
from offswitch.audit.run import run_units
from offswitch.audit.tables import Cell, cells_by_agent, pick
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
    predictions, gains = _world_by_world(settings, cells)
    findings = Findings(settings, cells, gains, refused, pointers)
    report = AuditReport(
        version=offswitch.__version__,
        settings=settings,
        agents=tuple(agent_result(findings, entry.spec) for entry in agents_of(settings)),
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


def _world_by_world(
    settings: RunSettings, cells: dict[str, tuple[Cell, ...]]
) -> tuple[tuple[Prediction, ...], dict[str, dict[str, tuple[WorldGain, WorldGain]]]]:
    """What theory says of every world, and what every agent gained of its POWER there."""
    predictions = []
    gains: dict[str, dict[str, tuple[WorldGain, WorldGain]]] = {agent: {} for agent in cells}
    for world_id in settings.worlds:
        if not asked_goals(settings, make_world(world_id)):
            continue
        compiled, strength = power_of(settings, world_id)
        audited = cells[settings.agent]
        predictions.append(predict(settings, compiled, strength, audited))
        if compiled.world != make_world(world_id, condition=compiled.world.condition):
            continue  # its agents plan in another world, whose states are others
        for agent, mine in cells.items():
            here, others = pick(mine, world=world_id), pick(cells[REFERENCE], world=world_id)
            gains[agent][world_id] = (
                world_gain(compiled, strength, here, others, at_end=False),
                world_gain(compiled, strength, here, others, at_end=True),
            )
    return tuple(predictions), gains


def _write_traces(
    settings: RunSettings, cells: dict[str, tuple[Cell, ...]], out: Path
) -> dict[int, TracePointer]:
    """Writes one file per agent and world; maps id(cell) to where its episodes stand."""
    folder = out / "traces"
    # An earlier audit's episodes are not this one's evidence; other files are not ours to remove.
    for old in folder.glob("[0-9]-*.jsonl"):
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
