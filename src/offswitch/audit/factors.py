"""What moderates violations, and whether theory foretells them in domains it was not fitted on.

Architecture, training, autonomy and oversight are crossed with one another where that is possible;
what theory says of a cell beforehand is scored against what the agents then do in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

import offswitch
from offswitch.audit.convergence_map_values import is_dual_use
from offswitch.audit.factors_cells import FactorsPart, Row, behaviour_part, theory_part
from offswitch.audit.factors_design import conditions_in, domain_of, planners_and_learners
from offswitch.audit.factors_effects import capability_slope, variance_table
from offswitch.audit.factors_result import FactorsReport, FactorsSettings, TransferResult
from offswitch.audit.forecast_predictors import Predictors
from offswitch.audit.names import drive_named, require_known
from offswitch.audit.transfer import Cases, transfer
from offswitch.audit.workers import ExecutorKind, Kept, Progress, run_tasks
from offswitch.errors import AuditError

__all__ = ["FACTORS_LIMITS", "factors"]

FACTORS_LIMITS = (
    "Partial eta squared cannot be negative, so an interval above 0 shows no effect by itself: "
    "read the paired effects of the levels for that.",
    "A world that does not stage a level says nothing of it; which worlds do is no random choice.",
    "Worlds, goals and agents are those installed, not a sample of any population of tasks.",
    "Training is a short one by default; what has not converged is counted and says what little "
    "training does.",
    "Claims are made one by one; none is corrected for there being several predictors.",
    "The value gap supposes optimal play. That it foretells agents near the optimum is no "
    "surprise; how much of it is left for others is the question.",
    "The forecasts know how the same agent behaved in other domains, but nothing of the one they "
    "are about. All domains come from one project.",
)

_Task: TypeAlias = tuple[FactorsSettings, str, tuple[str, ...]]
"""Settings, world, agents; no agent for the predictors."""


def factors(
    settings: FactorsSettings,
    out: Path,
    *,
    jobs: int,
    progress: Progress,
    executor: ExecutorKind = "processes",
    resume: bool = False,
) -> tuple[FactorsReport, Kept[FactorsPart]]:
    """The study, and what was kept of it in `out`: whoever has written the report closes that.

    The same settings give the same bytes, whatever the number of jobs or the executor. About a
    minute of one core per world for theory and four planners with three goals, and a quarter of
    one for each learner with one goal.

    Raises:
        OffswitchError: unknown names, an agent or a drive that does not fit, or an output folder
            that cannot be written.
        KeyboardInterrupt: after a Ctrl-C; finished tasks are kept.
    """
    _check(settings)
    kept = Kept.opened(out, settings, FactorsPart, resume=resume)
    asked = [(_name(task), task) for task in _tasks(settings)]
    parts = run_tasks(_part, asked, kept=kept, jobs=jobs, progress=progress, executor=executor)
    return _report(settings, parts, [world for _, (_, world, _) in asked]), kept


def _check(settings: FactorsSettings) -> None:
    require_known(agents=settings.agents, worlds=settings.worlds, drives=[settings.drive])
    if is_dual_use(drive_named(settings.drive)):
        raise AuditError(
            f"drive {settings.drive!r} counts only in excess of a control, so an act of it is no "
            "violation by itself. Give another: `offswitch list drives`."
        )
    for world in settings.worlds:
        if not any(staged.autonomy for staged in conditions_in(world)):
            raise AuditError(f"world {world!r} stages no threat, so that nothing can moderate it.")


def _tasks(settings: FactorsSettings) -> Iterator[_Task]:
    """Learners first: they take longest."""
    groups = planners_and_learners(settings.agents)
    for world in settings.worlds:
        for learner in groups["learners"][1:]:
            yield settings, world, (learner,)
    for world in settings.worlds:
        yield settings, world, ()
    for world in settings.worlds:
        yield settings, world, groups["planners"]


def _name(task: _Task) -> str:
    _, world, agents = task
    return f"{world}, {', '.join(agents) or 'theory'}"


def _part(task: _Task) -> FactorsPart:
    settings, world, agents = task
    return behaviour_part(settings, world, agents) if agents else theory_part(settings, world)


def _report(
    settings: FactorsSettings, parts: Sequence[FactorsPart], worlds: Sequence[str]
) -> FactorsReport:
    rows = [row for part in parts for row in part.rows]
    kinds: tuple[Literal["planners", "learners"], ...] = ("planners", "learners")
    groups = planners_and_learners(settings.agents)
    return FactorsReport(
        version=offswitch.__version__,
        settings=settings,
        tables=tuple(
            variance_table(settings, kind, groups[kind], rows)
            for kind in kinds if kind == "planners" or len(groups[kind]) > 1
        ),
        capability_slope=capability_slope(settings, rows),
        transfer=_transfer(settings, rows, dict(_theories(parts, worlds))),
        limits=FACTORS_LIMITS,
    )  # fmt: skip


def _theories(
    parts: Sequence[FactorsPart], worlds: Sequence[str]
) -> Iterator[tuple[str, FactorsPart]]:
    for part, world in zip(parts, worlds, strict=True):
        if not part.rows:
            yield world, part


def _transfer(
    settings: FactorsSettings, rows: Sequence[Row], theory: dict[str, FactorsPart]
) -> TransferResult | None:
    asked = [row for row in rows if row.forecast and row.rate is not None]
    impossible = {(r.world, r.goal, r.condition) for r in asked
                  if r.condition in theory[r.world].impossible}  # fmt: skip
    said = {
        (world, goal, condition): one
        for world, part in theory.items()
        for condition, goals in part.predictors.items()
        for goal, one in goals.items()
    }
    by_agent: dict[str, list[tuple[Row, Predictors]]] = {}
    undefined = set()
    for row in asked:
        key = (row.world, row.goal, row.condition)
        if key in impossible:
            continue
        predictors = said[key]
        if predictors is None:
            undefined.add(key)
        else:
            by_agent.setdefault(row.agent, []).append((row, predictors))
    used = {(r.world, r.goal, r.condition) for own in by_agent.values() for r, _ in own}
    worlds: dict[str, list[str]] = {}
    for world in settings.worlds:
        if any(world == other for other, _, _ in used):
            worlds.setdefault(domain_of(world), []).append(world)
    return transfer(
        [_cases(agent, own) for agent, own in sorted(by_agent.items())],
        domains={domain: tuple(own) for domain, own in sorted(worlds.items())},
        cells=len(used), impossible=len(impossible), undefined=len(undefined),
        seed=settings.seed, level=settings.level,
    )  # fmt: skip


def _cases(agent: str, own: Sequence[tuple[Row, Predictors]]) -> Cases:
    return Cases(
        agent=agent,
        features=np.array(
            [
                (row.threat != "none", p.value_gap, p.willingness_to_pay, p.power_gain,
                 p.reach_gain)
                for row, p in own
            ], dtype=np.float64,
        ),
        outcome=np.array([row.rate for row, _ in own], dtype=np.float64),
        domains=tuple(domain_of(row.world) for row, _ in own),
    )  # fmt: skip
