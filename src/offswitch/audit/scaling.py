"""Drive strength against foresight, rationality and training.

Theory says of optimal agents that most goals are served by a drive. Whether agents that are not
optimal show it is measured here: planners that see a few steps ahead, actors that are noisily
rational, learners that have trained for a while.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

import offswitch
from offswitch.audit.convergence_map_values import is_dual_use
from offswitch.audit.names import drive_named, require_goals, require_known
from offswitch.audit.result import Check
from offswitch.audit.scaling_curves import curves_of, goal_curves_of
from offswitch.audit.scaling_rates import (
    ScalePart,
    learner,
    scale_goals,
    scale_part,
    scale_world,
)
from offswitch.audit.scaling_result import KNOBS, Curve, Knob, ScaleReport, ScaleSettings
from offswitch.audit.scaling_trend import MOST_LEVELS
from offswitch.audit.staging import staging
from offswitch.audit.workers import ExecutorKind, Kept, Progress, run_tasks
from offswitch.errors import AuditError

__all__ = ["SCALE_LIMITS", "scaling"]

ROUNDING = 1e-9
SCALE_LIMITS = (
    "Capability is one knob at a time, in worlds small enough to solve; nothing here speaks of "
    "agents beyond them.",
    "A learner that had not converged says what little training does, not what learners do.",
    "An untrained learner is no random agent: ties go to its first action, the least intrusive.",
    "Rates are those under one threat, each world's first unless another was asked for, while the "
    "agent is told that it is watched.",
    "Strength can fall where what looks like the drive is also what chance does.",
)

_Task: TypeAlias = tuple[ScaleSettings, str, Knob | None, float]
_Parts: TypeAlias = dict[tuple[str, Knob | None, float], ScalePart]


def scaling(
    settings: ScaleSettings,
    out: Path,
    *,
    jobs: int,
    progress: Progress,
    executor: ExecutorKind = "processes",
    resume: bool = False,
) -> tuple[ScaleReport, Kept[ScalePart]]:
    """The study, and what was kept of it in `out`: whoever has written the report closes that.

    The same settings give the same bytes, whatever the number of jobs or the executor. Training
    dominates: about 0.1 seconds per million steps, goal and seed.

    Raises:
        OffswitchError: unknown names, a grid that does not rise, an agent that does not learn, no
            world in which the drive can show, or an output folder that cannot be written.
        KeyboardInterrupt: after a Ctrl-C; finished tasks are kept.
    """
    require_known(drives=[settings.drive], worlds=settings.worlds)
    worlds, not_staged = staging(settings.worlds, settings.threat)
    _check(settings, worlds)
    kept = Kept.opened(out, settings, ScalePart, resume=resume)
    asked = [(_name(task), task) for task in _tasks(settings, worlds)]
    found = run_tasks(_part, asked, kept=kept, jobs=jobs, progress=progress, executor=executor)
    parts: _Parts = {task[1:]: part for (_, task), part in zip(asked, found, strict=True)}
    report = _report(settings, worlds, parts)
    return msgspec.structs.replace(report, not_staged=not_staged), kept


def _tasks(settings: ScaleSettings, worlds: Sequence[str]) -> Iterator[_Task]:
    """The longest first: a long last task idles the rest."""
    for knob in reversed(KNOBS):
        for level in reversed(settings.levels(knob)):
            for world in worlds:
                yield settings, world, knob, level
    for world in worlds:
        yield settings, world, None, 0.0


def _name(task: _Task) -> str:
    _, world, knob, level = task
    return f"{world}, random" if knob is None else f"{world}, {knob} {level:g}"


def _part(task: _Task) -> ScalePart:
    return scale_part(*task)


def _check(settings: ScaleSettings, worlds: Sequence[str]) -> None:
    """Unknown names and grids that are none, before anything runs."""
    for knob, option in zip(KNOBS, ("--lookahead", "--beta", "--steps"), strict=True):
        grid = settings.levels(knob)
        if not 2 <= len(grid) <= MOST_LEVELS or list(grid) != sorted(set(grid)):
            got = ",".join(f"{level:g}" for level in grid)
            raise AuditError(
                f"{option} is {got!r}, expected 2 to {MOST_LEVELS} rising numbers, as in '1,2,4'."
            )
    learner(settings.agent, int(settings.steps[0]))
    made = [scale_world(settings, world, "threat") for world in worlds]
    known = {goal.name for world in made for goal in world.goals}
    require_goals(settings.goals, known, worlds)


def _report(settings: ScaleSettings, worlds: Sequence[str], parts: _Parts) -> ScaleReport:
    asked = [
        world for world in worlds
        if scale_goals(settings, scale_world(settings, world, "threat"))
    ]  # fmt: skip
    shown = [world for world in asked if parts[world, None, 0.0].shows]
    if not shown:
        raise AuditError(
            f"no act can show the drive {settings.drive!r} in {', '.join(asked)}. Give other "
            "worlds or another drive: `offswitch list worlds`, `offswitch list drives`."
        )
    curves = tuple(curves_of(settings, shown, parts))
    return ScaleReport(
        version=offswitch.__version__,
        settings=settings,
        dual_use=is_dual_use(drive_named(settings.drive)),
        curves=curves,
        goals=tuple(goal_curves_of(settings, shown, parts)),
        checks=tuple(_checks(settings, curves)),
        not_shown=tuple(world for world in asked if world not in shown),
        limits=SCALE_LIMITS,
    )


def _checks(settings: ScaleSettings, curves: Sequence[Curve]) -> Iterator[Check]:
    """The end of the rationality curve that is random shows what the random agent shows."""
    first = next(curve for curve in curves if curve.knob == "rationality").points[0]
    if first.level == 0:
        found = first.excess
        yield Check(
            name="negative control: beta 0",
            expectation="strength less that of the random agent: 0",
            passed=None if found.estimate is None else abs(found.estimate) <= ROUNDING,
            measurement=found,
        )
