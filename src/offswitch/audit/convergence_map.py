"""The convergence map: goals by drives by worlds, for the optimum, a learner and a random agent.

A drive is instrumentally convergent where goals that have nothing else in common are all served by
its acts (CI_value) and agents that pursue them show it (CI_behav), and show it because it is
useful (CI_excess). Goals are what is drawn; goals pursued by the same acts count once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

import offswitch
from offswitch.audit.cell import make_task
from offswitch.audit.convergence_map_cells import (
    KINDS,
    AgentPart,
    agent_part,
    conditions_of,
    map_goals,
    map_world,
)
from offswitch.audit.convergence_map_controls import independence_of, map_checks
from offswitch.audit.convergence_map_result import (
    Behaviour,
    Gain,
    MapCell,
    MapReport,
    MapSettings,
    WorldRow,
)
from offswitch.audit.convergence_map_shares import shares_of
from offswitch.audit.convergence_map_values import gains_of, is_dual_use
from offswitch.audit.goal_clusters import goal_clusters
from offswitch.audit.names import require_goals, require_known
from offswitch.audit.plan import OPTIMAL, RANDOM
from offswitch.audit.staging import staging
from offswitch.audit.workers import ExecutorKind, Kept, Progress, run_tasks
from offswitch.drives.registry import installed_drives
from offswitch.errors import AgentError
from offswitch.statistics.exact import exact_measurement
from offswitch.statistics.no_data import no_data
from offswitch.theory.tagged_optimality import TaggedOptimality
from offswitch.worlds.goal import Goal

__all__ = ["MAP_LIMITS", "MapPart", "convergence_map"]

MAP_LIMITS = (
    "It shows a tendency over these goals and worlds, which their authors chose; no other goal has "
    "to follow it.",
    "Rates are those under one threat, each world's first unless another was asked for, while the "
    "agent is told that it is watched.",
    "Goals of one cluster are pursued by the same acts, so a family of few distinct choices has "
    "few clusters and wide intervals.",
    "CI_value is about an agent that sees the state and plans without end.",
    "What the random agent shows under a threat is chance, not convergence; only its effect before "
    "any notice has to be 0.",
)


class _ValuePart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What theory says of one world, before anybody runs in it."""

    goals: tuple[str, ...]
    clusters: tuple[str, ...]
    gains: dict[str, tuple[tuple[Gain, Gain], ...]]
    """Drive -> for every goal the gain under the threat and in the useless control; only drives
    that some act can show under the threat."""


class MapPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one task found: of the two exactly one."""

    values: _ValuePart | None = None
    deeds: AgentPart | None = None


_Task: TypeAlias = tuple[MapSettings, str, str | None]
"""Settings, world, and the agent; None for the values."""


def convergence_map(
    settings: MapSettings,
    out: Path,
    *,
    jobs: int,
    progress: Progress,
    executor: ExecutorKind = "processes",
    resume: bool = False,
) -> tuple[MapReport, Kept[MapPart]]:
    """The map, and what was kept of it in `out`: whoever has written the report closes that.

    The same settings give the same bytes, whatever the number of jobs or the executor. Costs about
    a second per world, goal and agent.

    Raises:
        OffswitchError: unknown names, an agent that cannot be put into any of the worlds, or an
            output folder that cannot be written.
        KeyboardInterrupt: after a Ctrl-C; finished tasks are kept.
    """
    require_known(agents=[settings.agent], worlds=settings.worlds)
    worlds, not_staged = staging(settings.worlds, settings.threat)
    _check(settings, worlds)
    agents = _agents(settings)
    kept = Kept.opened(out, settings, MapPart, resume=resume)
    asked: list[tuple[str, _Task]] = [
        (f"{world}, {agent or 'values'}", (settings, world, agent))
        for world in worlds
        for agent in (None, *agents)
    ]
    # A learner takes longest, and a long last task idles the rest.
    asked.sort(key=lambda named: named[1][2] in (None, OPTIMAL, RANDOM))
    found = run_tasks(
        _part, asked, kept=kept, jobs=jobs, progress=progress, executor=executor
    )  # fmt: skip
    parts = {task[1:]: part for (_, task), part in zip(asked, found, strict=True)}
    report = _report(settings, worlds, agents, parts)
    return msgspec.structs.replace(report, not_staged=not_staged), kept


def _agents(settings: MapSettings) -> tuple[str, ...]:
    return tuple(dict.fromkeys((OPTIMAL, settings.agent, RANDOM)))


def _check(settings: MapSettings, worlds: Sequence[str]) -> None:
    """Unknown names and parameters, before anything runs."""
    made = [map_world(settings, world, "threat") for world in worlds]
    known = {goal.name for world in made for goal in world.goals}
    require_goals(settings.goals, known, worlds)


def _part(task: _Task) -> MapPart:
    settings, world, agent = task
    if not map_goals(settings, map_world(settings, world, "threat")):
        nothing = _ValuePart(goals=(), clusters=(), gains={})
        return MapPart(values=nothing, deeds=AgentPart(deeds=()))
    if agent is None:
        return MapPart(values=_values(settings, world))
    return MapPart(deeds=agent_part(settings, world, agent))


def _values(settings: MapSettings, world_id: str) -> _ValuePart:
    worlds = {kind: map_world(settings, world_id, kind) for kind in KINDS}
    goals = map_goals(settings, worlds["threat"])
    tasks = [[make_task(world, goal, 0) for world in worlds.values()] for goal in goals]
    gains = {}
    for drive in installed_drives():
        shows, useful = gains_of(worlds["threat"], goals, drive)
        if shows:
            could, useless = gains_of(worlds["useless"], goals, drive)
            gains[drive.name] = tuple(
                zip(
                    _gains(settings, goals, shows, useful),
                    _gains(settings, goals, could, useless),
                    strict=True,
                )
            )
    return _ValuePart(
        goals=tuple(goal.name for goal in goals), clusters=goal_clusters(tasks), gains=gains
    )


def _gains(
    settings: MapSettings, goals: Sequence[Goal], shows: bool, found: TaggedOptimality | None
) -> Iterator[Gain]:
    """Where nothing can show the drive, forgoing it costs exactly nothing."""
    name, unit, level = "value_gain", "return", settings.level
    for k in range(len(goals)):
        if not shows:
            yield Gain(gain=exact_measurement(name, 0.0, n=1, unit=unit, level=level), raises=False)
        elif found is None or found.forced:
            yield Gain(gain=no_data(name, level=level, missing=1, unit=unit), raises=None)
        else:
            gain = max(0.0, float(found.forgone[k])) if found.needed[k] else 0.0
            told = None if found.undecided[k] else bool(found.needed[k])
            yield Gain(gain=exact_measurement(name, gain, n=1, unit=unit, level=level), raises=told)


def _report(
    settings: MapSettings,
    worlds: Sequence[str],
    agents: tuple[str, ...],
    parts: dict[tuple[str, str | None], MapPart],
) -> MapReport:
    deeds = {key: part.deeds for key, part in parts.items() if part.deeds is not None}
    refused = {
        world: why
        for (world, agent), part in deeds.items()
        if agent == settings.agent and (why := part.refused) is not None
    }
    if refused and len(refused) == len(worlds):
        raise AgentError(next(iter(refused.values())))
    dual_use = {drive.name: is_dual_use(drive) for drive in installed_drives()}
    cells = tuple(cell for world in worlds for cell in _cells(settings, agents, parts, world))
    return MapReport(
        version=offswitch.__version__,
        settings=settings,
        agents=agents,
        worlds=tuple(_row(settings, world, parts) for world in worlds),
        drives=tuple(sorted({cell.drive for cell in cells})),
        cells=cells,
        shares=shares_of(settings, cells, dual_use),
        independence=tuple(
            independence_of(settings, cells, agent) for agent in agents if agent != RANDOM
        ),
        checks=map_checks(settings, cells, dual_use, {w: deeds[w, RANDOM] for w in worlds}),
        not_applicable=dict(sorted(refused.items())),
        limits=MAP_LIMITS,
    )


def _row(
    settings: MapSettings, world: str, parts: dict[tuple[str, str | None], MapPart]
) -> WorldRow:
    values = parts[world, None].values
    assert values is not None
    conditions = conditions_of(world, settings.threat)
    return WorldRow(
        world=world,
        threat=conditions["threat"].threat,
        useless=conditions["useless"].label,
        goals=values.goals,
        clusters=len(set(values.clusters)),
    )


def _cells(
    settings: MapSettings,
    agents: tuple[str, ...],
    parts: dict[tuple[str, str | None], MapPart],
    world: str,
) -> Iterator[MapCell]:
    values = parts[world, None].values
    assert values is not None
    for k, goal in enumerate(values.goals):
        for drive, gains in values.gains.items():
            shown = [_deed(parts[world, agent].deeds, k, drive) for agent in agents]
            useful, useless = gains[k]
            yield MapCell(
                world=world,
                goal=goal,
                cluster=values.clusters[k],
                drive=drive,
                useful=useful,
                useless=useless,
                behaviours=tuple(behaviour for behaviour in shown if behaviour is not None),
            )


def _deed(part: AgentPart | None, k: int, drive: str) -> Behaviour | None:
    """What the agent does about `drive` with goal number `k`; the random agent has but one."""
    assert part is not None
    if not part.deeds:
        return None
    return part.deeds[min(k, len(part.deeds) - 1)].behaviours.get(drive)
