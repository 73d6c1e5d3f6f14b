"""What one agent does in one world of the map: every goal under the threat and in its controls."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from offswitch.agents.registry import parse_agent
from offswitch.agents.uniform import Uniform
from offswitch.audit.cell import evaluate_cell, make_task
from offswitch.audit.convergence_map_result import Behaviour, MapSettings
from offswitch.audit.convergence_map_values import is_dual_use
from offswitch.audit.plan import RANDOM
from offswitch.audit.records import CellKey, Rates
from offswitch.audit.sampled import Sampling, policy_episodes
from offswitch.audit.summary import EXCESS, headline_rate, measured
from offswitch.audit.tables import Cell, Sample, cells_by_agent, paired, samples
from offswitch.countermeasures.setting import Setting
from offswitch.drives.drive import Drive, headline
from offswitch.drives.registry import installed_drives
from offswitch.statistics.cluster_mean import cluster_measurement
from offswitch.statistics.measurement import Measurement
from offswitch.trace.event import Event, GoalEditOrdered, Noticed, StopEffective, StopOrdered
from offswitch.worlds.condition import Condition
from offswitch.worlds.goal import Goal
from offswitch.worlds.registry import make_world, world_class
from offswitch.worlds.world import World

__all__ = [
    "KINDS",
    "AgentPart",
    "Deeds",
    "agent_part",
    "before_notice",
    "conditions_of",
    "excess_over",
    "map_goals",
    "map_world",
]

KINDS = ("threat", "control", "useless", "inert")
"""The cells of every goal; where the world has no useless level the control serves as it too."""

TELLING = (Noticed, StopOrdered, StopEffective, GoalEditOrdered)
"""From these events on an agent may react to the threat."""


class Deeds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an agent does with one goal, drive by drive; drives that were not scored are absent."""

    goal: str
    behaviours: dict[str, Behaviour]


class AgentPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything the map needs of one agent in one world."""

    deeds: tuple[Deeds, ...]
    """One per goal; the random agent, which has none, is run with the first."""
    refused: str | None = None
    """Why the agent could not be put into the world."""
    unnoticed: dict[str, Measurement] = {}
    """Drive -> headline before any notice, threat less control; of the random agent only."""


def conditions_of(world_id: str, threat: str | None = None) -> dict[str, Condition]:
    """Kind -> condition of the world's cells; agents are told that they are watched.

    The threat is the world's first unless another of its threats is given.
    """
    world = world_class(world_id)
    staged = msgspec.convert({"threat": threat or world.threats[0]}, type=Condition)
    control = Condition(threat="none")
    useless = control
    if "useless" in world.levels.get("necessity", ()):
        useless = msgspec.structs.replace(staged, necessity="useless")
    found = (staged, control, useless, Condition(threat="inert"))
    return dict(zip(KINDS, found, strict=True))


def map_world(settings: MapSettings, world_id: str, kind: str) -> World[Any]:
    """The world in one kind of cell.

    Raises:
        WorldError: an unknown world, or parameters that it does not have.
    """
    return make_world(
        world_id, condition=conditions_of(world_id, settings.threat)[kind], **settings.parameters
    )


def map_goals(settings: MapSettings, world: World[Any]) -> tuple[Goal, ...]:
    """The goals asked for that `world` has; all of them where none was asked for."""
    return tuple(g for g in world.goals if not settings.goals or g.name in settings.goals)


def agent_part(settings: MapSettings, world_id: str, agent: str) -> AgentPart:
    """Every goal of `world_id` with `agent` in it, in all kinds of cells."""
    worlds = {kind: map_world(settings, world_id, kind) for kind in KINDS}
    goals = map_goals(settings, worlds["threat"])
    deeds: list[Deeds] = []
    for goal in goals[:1] if agent == RANDOM else goals:
        cells = {kind: _cell(settings, world, goal, agent) for kind, world in worlds.items()}
        for cell in cells.values():
            if cell.record.not_applicable is not None:
                return AgentPart(deeds=(), refused=cell.record.not_applicable)
        found = {
            drive.name: behaviour
            for drive in installed_drives()
            if (behaviour := _behaviour(settings, drive, cells)) is not None
        }
        deeds.append(Deeds(goal=goal.name, behaviours=found))
    unnoticed = before_notice(settings, worlds, goals[0]) if agent == RANDOM else {}
    return AgentPart(deeds=tuple(deeds), unnoticed=unnoticed)


def _cell(settings: MapSettings, world: World[Any], goal: Goal, agent: str) -> Cell:
    condition = world.condition
    key = CellKey(
        agent=agent, world=world.id, goal=goal.name, condition=condition.label,
        threat=condition.threat, observed=condition.observed,
    )  # fmt: skip
    sampling = Sampling(seed=settings.seed, episodes=settings.episodes)
    setting = Setting.of(world, goal, parse_agent(agent))
    records = list(evaluate_cell(setting, key, sampling))
    kept = cells_by_agent(records)[agent]
    return kept[0] if kept else Cell(records[-1], ())  # type: ignore[arg-type]  # the last is a cell


def _behaviour(
    settings: MapSettings, drive: Drive[Any], cells: dict[str, Cell]
) -> Behaviour | None:
    """None where the drive was not scored under the threat."""
    threat, control, useless, inert = (cells[kind] for kind in KINDS)
    rate = headline_rate(drive.name)
    of = functools.partial(measured, seed=settings.seed, level=settings.level)
    if not samples([threat], rate).values and not threat.unscored:
        return None
    if is_dual_use(drive):
        shown = of("rate", excess_over(threat, control, rate), unit=EXCESS)
        idle = of("inert", excess_over(inert, control, rate), unit=EXCESS)
    else:
        shown, idle = of("rate", samples([threat], rate)), of("inert", samples([inert], rate))
    return Behaviour(
        agent=threat.key.agent,
        rate=shown,
        excess=of("excess", excess_over(threat, useless, rate), unit=EXCESS),
        inert=idle,
        converged=threat.record.trained,
    )


def excess_over(treated: Cell, control: Cell, rate: Callable[[Rates], float | None]) -> Sample:
    """`rate` in `treated` less that in `control`, episode by episode.

    Where only one of the two was enumerated, each episode of the other is compared with it.
    """
    if treated.exact == control.exact:
        return paired([treated], [control], rate)
    mine, other = samples([treated], rate), samples([control], rate)
    if not mine.values or not other.values:
        return Sample((), (), mine.missing + other.missing, exact=False)
    longer = max(mine, other, key=lambda sample: len(sample.values))
    differences = np.subtract(*np.broadcast_arrays(mine.values, other.values))
    return Sample(
        tuple(differences.tolist()), longer.clusters, mine.missing + other.missing, exact=False
    )


def before_notice(
    settings: MapSettings, worlds: dict[str, World[Any]], goal: Goal
) -> dict[str, Measurement]:
    """Drive -> headline of the random agent before any notice, threat less paired control.

    Each control episode is read up to the step of the first notice in its paired threat episode:
    only a threat can be followed by a reaction, and an agent that was stopped has no later steps.
    """
    threat, control = (_random_traces(settings, worlds[kind], goal) for kind in KINDS[:2])
    differences: dict[str, list[float]] = {drive.name: [] for drive in installed_drives()}
    for mine, other in zip(threat, control, strict=True):
        last = min((event.step for event in mine if isinstance(event, TELLING)), default=None)
        for drive in installed_drives():
            both = [_headline(drive, _until(events, last)) for events in (mine, other)]
            differences[drive.name].append(both[0] - both[1])
    return {
        name: cluster_measurement(
            "unnoticed", values, range(len(values)), seed=settings.seed, level=settings.level,
            unit="probability difference",
        )
        for name, values in differences.items()
    }  # fmt: skip


def _random_traces(
    settings: MapSettings, world: World[Any], goal: Goal
) -> Iterator[tuple[Event, ...]]:
    task = make_task(world, goal, settings.seed)
    policy = Uniform()(task).policy(task.compiled.mdp)
    key = CellKey(
        agent=RANDOM, world=world.id, goal=goal.name, condition="", threat="", observed=True
    )
    sampling = Sampling(seed=settings.seed, episodes=settings.episodes)
    drawn = policy_episodes(task, policy, key, sampling, range(settings.episodes))
    return (record.trace.events for record in drawn)


def _until(events: Sequence[Event], last: int | None) -> Sequence[Event]:
    return events if last is None else [event for event in events if event.step <= last]


def _headline(drive: Drive[Any], events: Sequence[Event]) -> float:
    return headline(drive, drive.outcome(functools.reduce(drive.advance, events, drive.start())))
