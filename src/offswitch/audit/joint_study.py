"""Two agents in one world: what they obstruct together, and whether one strikes at a rival.

Both sides of a machine are run by agents that were made for the whole machine with the same goal;
each then acts on its own side alone, by its own luck. All numbers are exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

import offswitch
from offswitch.agents.registry import parse_agent
from offswitch.agents.tabular import TabularAgent
from offswitch.audit.cell import make_task
from offswitch.audit.joint import SidePolicy, TwoSided, joint_obstruction
from offswitch.audit.joint_report import (
    OBSTRUCTION,
    STRIKES,
    JointPart,
    JointReport,
    JointRow,
    JointSettings,
    JointSummary,
)
from offswitch.audit.joint_strikes import strike_rates
from offswitch.audit.names import require_goals, require_known
from offswitch.audit.workers import ExecutorKind, Kept, Progress, run_tasks
from offswitch.errors import AgentError, AuditError
from offswitch.statistics.cluster_mean import cluster_measurement
from offswitch.statistics.measurement import Measurement
from offswitch.trace.event import RivalDisabled
from offswitch.worlds.compiled import compiled_world
from offswitch.worlds.registry import make_world, world_class
from offswitch.worlds.world import World

__all__ = ["JOINT_LIMITS", "joint_study", "side_policy"]

DANGER = "damage"
"""The threat under which a rival is dangerous."""
JOINT_LIMITS = (
    "It says that two agents obstruct together, not that they mean to: both were made for the "
    "whole world with the same goal, and neither was told of the other.",
    "A side whose policy is not deterministic draws its acts by itself, so what the two would have "
    "agreed on is lost.",
    "A strike is counted whatever the danger was worth; the excess over the harmless rival is what "
    "speaks of self-defence.",
)

_Task: TypeAlias = tuple[JointSettings, str, str]
"""Settings, world and goal."""


def joint_study(
    settings: JointSettings,
    out: Path,
    *,
    jobs: int,
    progress: Progress,
    executor: ExecutorKind = "processes",
    resume: bool = False,
) -> tuple[JointReport, Kept[JointPart]]:
    """The study, and what was kept of it in `out`: whoever has written the report closes that.

    The same settings give the same bytes, whatever the number of jobs or the executor. A goal takes
    about a second.

    Raises:
        OffswitchError: unknown names, no world with a second agent, an agent without a table, or an
            output folder that cannot be written.
        KeyboardInterrupt: after a Ctrl-C; finished tasks are kept.
    """
    worlds = _checked(settings)
    kept = Kept.opened(out, settings, JointPart, resume=resume)
    asked = [
        (f"{world}, {goal}", (settings, world, goal))
        for world in worlds
        for goal in _goals(settings, world)
    ]
    found = run_tasks(_part, asked, kept=kept, jobs=jobs, progress=progress, executor=executor)
    rows = tuple(
        JointRow(world=world, goal=goal, obstruction=part.obstruction, strikes=part.strikes)
        for (_, (_, world, goal)), part in zip(asked, found, strict=True)
    )
    report = JointReport(
        version=offswitch.__version__,
        settings=settings,
        rows=rows,
        summaries=tuple(_summaries(settings, rows)),
        left_out=tuple(world for world in settings.worlds if world not in worlds),
        limits=JOINT_LIMITS,
    )
    return report, kept


def side_policy(world: TwoSided, agent: TabularAgent, side: Literal[0, 1]) -> SidePolicy:
    """What `agent`, made for the whole world, does on one side of it; the other side is summed out.

    Where the agent never randomises the two sides together do exactly what it does.
    """
    own = range(len(world.side_actions))
    joint = np.array([[world.joint_action(first, second) for second in own] for first in own])
    rows = agent.table[:, joint].sum(axis=2 - side)  # [O, side actions]
    row_of = {seen: row for row, seen in enumerate(agent.compiled.observations)}

    def played(seen: tuple[int, ...]) -> Sequence[float]:
        chances: list[float] = rows[row_of[tuple(seen)]].tolist()
        return chances

    return played


def _checked(settings: JointSettings) -> tuple[str, ...]:
    """The worlds that have a second agent; unknown names are refused before anything runs."""
    require_known(agents=(settings.agent, settings.partner), worlds=settings.worlds)
    worlds = tuple(w for w in settings.worlds if _is_two_sided(w) or _has_rival(w))
    if not worlds:
        raise AuditError(
            f"one agent acts in {', '.join(settings.worlds)}, and no rival can be struck there. "
            "Give worlds with a second agent: --suite joint."
        )
    known = {goal.name for world in worlds for goal in _world(settings, world, "none").goals}
    require_goals(settings.goals, known, worlds)
    return worlds


def _is_two_sided(world_id: str) -> bool:
    return hasattr(world_class(world_id), "side_actions")


def _has_rival(world_id: str) -> bool:
    if DANGER not in world_class(world_id).threats:
        return False
    compiled = compiled_world(make_world(world_id, threat=DANGER))
    return any(isinstance(event, RivalDisabled) for row in compiled.event_table for event in row)


def _goals(settings: JointSettings, world_id: str) -> Iterator[str]:
    for goal in _world(settings, world_id, "none").goals:
        if not settings.goals or goal.name in settings.goals:
            yield goal.name


def _world(settings: JointSettings, world_id: str, threat: str) -> World[Any]:
    return make_world(world_id, **{**settings.parameters, "threat": threat})


def _part(task: _Task) -> JointPart:
    settings, world_id, goal = task
    if not _is_two_sided(world_id):
        return _struck(settings, world_id, goal)
    world: Any = _world(settings, world_id, world_class(world_id).threats[0])  # Any: two-sided too
    first = _made(settings, world, goal, settings.agent)
    second = _made(settings, world, goal, settings.partner)
    found = joint_obstruction(world, side_policy(world, first, 0), side_policy(world, second, 1))
    return JointPart(obstruction=found)


def _struck(settings: JointSettings, world_id: str, goal: str) -> JointPart:
    cells = []
    for threat in (DANGER, "none"):
        world = _world(settings, world_id, threat)
        agent = _made(settings, world, goal, settings.agent)
        compiled = compiled_world(world)
        cells.append((compiled, agent.policy(compiled.mdp)))
    return JointPart(strikes=strike_rates(*cells))


def _made(settings: JointSettings, world: World[Any], goal: str, spec: str) -> TabularAgent:
    made = parse_agent(spec)(make_task(world, world.goal(goal), settings.seed))
    if not isinstance(made, TabularAgent):
        raise AgentError(
            f"agent {spec!r} acts for itself; what it does on one side cannot be read off. Give "
            "one whose policy is a table: a planner, a learner or corrigible-reference."
        )
    return made


def _summaries(settings: JointSettings, rows: Sequence[JointRow]) -> Iterator[JointSummary]:
    for world in dict.fromkeys(row.world for row in rows):
        mine = [row for row in rows if row.world == world]
        parts = [row.obstruction or row.strikes for row in mine]
        names = STRIKES if mine[0].obstruction is None else OBSTRUCTION
        numbers = {name: _mean(settings, [getattr(p, name) for p in parts]) for name in names}
        yield JointSummary(world=world, numbers=numbers)


def _mean(settings: JointSettings, found: Sequence[Measurement]) -> Measurement:
    values = [one.estimate for one in found if one.estimate is not None]
    return cluster_measurement(
        found[0].name, values, range(len(values)), seed=settings.seed, level=settings.level,
        unit=found[0].unit,
    )  # fmt: skip
