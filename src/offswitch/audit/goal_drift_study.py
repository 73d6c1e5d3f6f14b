"""A drift study from its settings to its report: lives, arms, intervals."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

import offswitch
from offswitch.agents.agent import AgentMaker
from offswitch.agents.drifting import Drifting
from offswitch.agents.registry import parse_agent
from offswitch.audit.goal_drift_arms import arm_of, pressure_of, switch_backs_of
from offswitch.audit.goal_drift_life import Life, LifePlan, Lives, SwitchBackLife, lead_life
from offswitch.audit.goal_drift_report import DriftArm, DriftReport, DriftSettings
from offswitch.audit.goal_drift_switch_back import lead_switch_back
from offswitch.audit.long_run import Stage, long_stage
from offswitch.audit.names import require_goals, require_known
from offswitch.audit.workers import ExecutorKind, Kept, Progress, run_tasks
from offswitch.errors import AgentError, AuditError, WorldError, nearest_name
from offswitch.worlds.condition import FACTOR_LEVELS, Condition
from offswitch.worlds.registry import make_world, world_class

__all__ = ["LIMITS", "drift", "threats_of"]

LIMITS = (
    "Drift is measured in simulated worlds against goals that are written down; what an agent "
    "would become in the field is another question.",
    "A slope says how alignment changes, not how high it is: read it beside the start.",
    "Alignment compares what was earned with what the corrigible reference earns; an agent that "
    "loses its skill looks like one that loses its goal. The arm without pressure shows how much.",
    "The inferred goal is one of the world's own goals; others are not thought of.",
    "An agent whose policy is a fixed table cannot drift: its slope checks the measure. After a "
    "switch back it keeps what it did because it cannot notice: that is habit, not a new goal.",
)


class _Arm(NamedTuple):
    """One task: everything that runs in one world under one threat."""

    settings: DriftSettings
    world: str
    threat: str


def drift(
    settings: DriftSettings,
    out: Path,
    *,
    jobs: int,
    executor: ExecutorKind = "processes",
    resume: bool = False,
    progress: Progress = lambda name, done, total: None,
) -> tuple[DriftReport, Kept[Lives]]:
    """The report of a drift study, and what was kept, which whoever wrote the report closes.

    The same seed gives the same report whatever the number of workers.

    Raises:
        OffswitchError: unknown names, too few steps, or a folder that cannot be written.
    """
    tasks = _tasks(settings)
    kept = Kept.opened(out, settings, Lives, resume=resume)
    found = run_tasks(_lived, tasks, kept=kept, jobs=jobs, executor=executor, progress=progress)
    return _report(settings, found), kept


def threats_of(settings: DriftSettings, world_id: str) -> tuple[str, ...]:
    """'none', and the threats of a world that are staged as pressure.

    Raises:
        WorldError: a threat that was asked for is unknown.
    """
    for threat in settings.threats:
        if threat not in FACTOR_LEVELS["threat"] or not _under(threat).is_threat:
            known = [t for t in FACTOR_LEVELS["threat"] if _under(t).is_threat]
            raise WorldError(nearest_name(threat, known, kind="threat"))
    staged = [threat for threat in world_class(world_id).threats if _under(threat).is_threat]
    return ("none", *(t for t in staged if not settings.threats or t in settings.threats))


def _under(threat: str) -> Condition:
    return msgspec.convert({"threat": threat}, type=Condition)


def _tasks(settings: DriftSettings) -> list[tuple[str, _Arm]]:
    require_known(agents=[settings.agent], worlds=settings.worlds)
    _check_goals(settings)
    arms = [
        _Arm(settings, world, threat)
        for world in dict.fromkeys(settings.worlds)
        if _asked_of(settings, world)
        for threat in threats_of(settings, world)
    ]
    if all(arm.threat == "none" for arm in arms) and settings.threats:
        asked = ", ".join(settings.threats)
        raise WorldError(
            f"none of {', '.join(settings.worlds)} stages {asked}. Leave --threat out, or name a "
            "world that stages it."
        )
    for arm in arms:
        _rounds(settings, arm)
    return [(f"{arm.world}, {arm.threat}", arm) for arm in arms]


def _check_goals(settings: DriftSettings) -> None:
    known = {goal.name for world in settings.worlds for goal in make_world(world).goals}
    require_goals(settings.goals, known, settings.worlds)


def _asked_of(settings: DriftSettings, world: str) -> bool:
    """Whether a world has any of the goals that were asked for."""
    names = {goal.name for goal in make_world(world).goals}
    return not settings.goals or bool(names & set(settings.goals))


def _rounds(settings: DriftSettings, arm: _Arm) -> int:
    """Rounds of a window.

    Raises:
        AuditError: there are too few steps for one in every window.
    """
    world = make_world(arm.world)
    span: int = getattr(world, "span", world.horizon)
    rounds = settings.steps // (span * settings.windows)
    if rounds < 1:
        raise AuditError(
            f"{settings.steps} steps are too few for {settings.windows} windows in {arm.world}, "
            f"where a round takes {span}. Ask for --steps {span * settings.windows} or more."
        )
    return rounds


def _lived(arm: _Arm) -> Lives:
    """Every life of one arm."""
    settings = arm.settings
    stage = long_stage(arm.world, _under(arm.threat))
    rounds = _rounds(settings, arm)
    maker = parse_agent(settings.agent)
    if isinstance(maker, Drifting):
        maker = dataclasses.replace(maker, life=rounds * settings.windows)
    plans = list(_plans(settings, [goal.name for goal in stage.compiled.world.goals], rounds))
    return Lives(
        world=arm.world,
        threat=arm.threat,
        span=stage.span,
        long=stage.carries,
        rounds=rounds,
        lives=tuple(_tried(functools.partial(lead_life, stage, maker, plan)) for plan in plans),
        switch_backs=tuple(_switched_back(arm, stage, maker, plans)),
    )


def _switched_back(
    arm: _Arm, stage: Stage, maker: AgentMaker, plans: Sequence[LifePlan]
) -> Iterator[SwitchBackLife]:
    """One life with a switch back for each goal; none where nobody intervenes anyway."""
    if arm.threat == "none":
        return
    calm = long_stage(arm.world, _under("none"))
    for plan in plans:
        if plan.number == 0:
            yield lead_switch_back(stage, calm, maker, plan)


def _tried(lead: Callable[[], Life]) -> Life:
    """The life; an agent that cannot be put into this world leaves one without data."""
    try:
        return lead()
    except AgentError as error:
        return Life(goals=("",), failure=str(error))


def _plans(settings: DriftSettings, goals: Sequence[str], rounds: int) -> Iterator[LifePlan]:
    """Every goal in turn is the first; edits authorise those that follow it in the list."""
    for position, goal in enumerate(goals):
        if settings.goals and goal not in settings.goals:
            continue
        for number in range(settings.lives):
            yield LifePlan(
                goals=tuple(
                    goals[(position + edit) % len(goals)] for edit in range(settings.edits + 1)
                ),
                windows=settings.windows,
                rounds=rounds,
                seed=settings.seed,
                number=number,
            )


def _report(settings: DriftSettings, found: Sequence[Lives]) -> DriftReport:
    of = functools.partial(arm_of, settings=settings)
    arms: list[DriftArm] = []
    worlds = list(dict.fromkeys(one.world for one in found))
    if len(worlds) > 1:
        calm = [one for one in found if one.threat == "none"]
        arms.append(of(calm, threat="none"))
        pressed = [one for one in found if one.threat != "none"]
        arms += [of(pressed, threat="any")] if pressed else []
    arms += [of([one], threat=one.threat) for one in found]
    return DriftReport(
        version=offswitch.__version__,
        settings=settings,
        steps={one.world: one.span * one.rounds * settings.windows for one in found},
        arms=tuple(arms),
        pressure=pressure_of(found, settings),
        switch_back=switch_backs_of(found, settings),
        unmeasured={
            f"{one.world}, {one.threat}": names for one in found if (names := _unmeasured(one))
        },
        failures={one.world: life.failure for one in found for life in one.lives if life.failure},
        limits=LIMITS,
    )


def _unmeasured(lives: Lives) -> tuple[str, ...]:
    """Goals of which no window of any life could be measured."""
    known = {life.goals for life in lives.lives if any(a is not None for a in life.alignment)}
    names = [" then ".join(life.goals) for life in lives.lives
             if life.goals not in known and not life.failure]  # fmt: skip
    return tuple(dict.fromkeys(names))
