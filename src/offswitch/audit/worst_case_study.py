"""A red-team study from its settings to its report: search every world, estimate winners again."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

import offswitch
from offswitch.agents.registry import parse_agent
from offswitch.audit.names import require_known
from offswitch.audit.sampled import seed_of
from offswitch.audit.staging import staging
from offswitch.audit.workers import ExecutorKind, Kept, Progress, run_tasks
from offswitch.audit.worst_case import Found, search
from offswitch.audit.worst_case_measure import Evaluation, Question, evaluated, is_drawn
from offswitch.audit.worst_case_report import (
    RedteamReport,
    RedteamSettings,
    Scenario,
    WorldSearch,
)
from offswitch.audit.worst_case_space import Space, scenario_world, space_of
from offswitch.errors import AuditError
from offswitch.statistics.cluster_mean import cluster_measurement
from offswitch.statistics.exact import exact_measurement
from offswitch.statistics.measurement import Measurement
from offswitch.worlds.registry import world_class

__all__ = ["LIMITS", "redteam"]

LIMITS = (
    "A search finds a worst case, not the worst case: what it missed is not known to be safe.",
    "The winner is the largest of many values; where anything was drawn its own value is biased "
    "upward, and only the estimate on fresh seeds counts.",
    "The search varies what a world declares: its knobs and the factors that it stages.",
    "A threshold is where the measure falls along one knob with everything else held.",
)

NOTHING = Scenario(knobs={}, factors={})
"""The scenario in which nothing is varied."""


class _Runner(NamedTuple):
    """How questions are answered."""

    settings: RedteamSettings
    kept: Kept[Evaluation]
    jobs: int
    executor: ExecutorKind
    progress: Progress

    def ask(self, questions: Sequence[Question], done: int) -> list[Evaluation]:
        """The answers in order; what was answered before an interruption is not asked again."""

        total = self.settings.evaluations + 2 * self.settings.fresh

        def told(name: str, now: int, _: int) -> None:
            question = msgspec.json.decode(name, type=Question)
            self.progress(f"{question.world}, {question.scenario.label}", done + now, total)

        distinct = {question.name: question for question in questions}
        found = run_tasks(
            evaluated, [*distinct.items()], kept=self.kept, jobs=self.jobs,
            executor=self.executor, progress=told,
        )  # fmt: skip
        answers = dict(zip(distinct, found, strict=True))
        return [answers[question.name] for question in questions]


class _Place(NamedTuple):
    """Where one search takes place."""

    world: str
    threat: str
    goals: tuple[str, ...]
    space: Space
    drawn: bool


def redteam(
    settings: RedteamSettings,
    out: Path,
    *,
    jobs: int,
    executor: ExecutorKind = "processes",
    resume: bool = False,
    progress: Progress = lambda name, done, total: None,
) -> tuple[RedteamReport, Kept[Evaluation]]:
    """The report of the search, and what was kept, which whoever wrote the report closes.

    The same seed gives the same report whatever the number of workers.

    Raises:
        OffswitchError: unknown names, nothing to vary, or no scenario that could be staged.
    """
    require_known(agents=[settings.agent], worlds=settings.worlds)
    worlds, not_staged = staging(settings.worlds, settings.threat)
    places = [_place(settings, world) for world in worlds]
    kept = Kept.opened(out, settings, Evaluation, resume=resume)
    runner = _Runner(settings, kept, jobs, executor, progress)
    report = RedteamReport(
        version=offswitch.__version__,
        settings=settings,
        searches=tuple(_searched(runner, place) for place in places),
        not_staged=not_staged,
        limits=LIMITS,
    )
    return report, kept


def _place(settings: RedteamSettings, world_id: str) -> _Place:
    drawn = is_drawn(parse_agent(settings.agent), sampled=settings.sampled)
    threat = settings.threat or world_class(world_id).threats[0]
    world = scenario_world(world_id, threat, NOTHING, settings.fixed)
    goals = tuple(world.goal(name).name for name in settings.goals) or (world.goal().name,)
    return _Place(world_id, threat, goals, space_of(world_id, settings), drawn)


def _searched(runner: _Runner, place: _Place) -> WorldSearch:
    settings = runner.settings
    asked = [0]

    def answers(scenarios: Sequence[Scenario], effort: float) -> list[Evaluation]:
        found = runner.ask(
            [_question(settings, place, one, effort, settings.seed) for one in scenarios],
            asked[0],
        )
        asked[0] += len(found)
        return found

    found = search(
        place.space,
        answers,
        budget=settings.evaluations,
        graded=_sampled(settings) or len(place.goals) > 1,
        seed=seed_of(settings.seed, "redteam", place.world),
    )
    if found is None:
        first = answers([place.space.scenario(np.full(place.space.dimensions, 0.5))], 1.0)[0]
        why = first.failure or f"{settings.measure} has no data there"
        raise AuditError(f"no scenario of {place.world} could be evaluated: {why}")
    return _result(runner, place, found)


def _sampled(settings: RedteamSettings) -> bool:
    """Whether episodes are drawn: a learner's finished policy is known, a black box's is not."""
    return settings.sampled or hasattr(parse_agent(settings.agent), "act_seconds")


def _question(
    settings: RedteamSettings, place: _Place, scenario: Scenario, effort: float, seed: int
) -> Question:
    """Less effort is fewer episodes where they are drawn, and fewer goals where they are not."""
    sampled = _sampled(settings)
    goals = place.goals if sampled else place.goals[: max(1, round(effort * len(place.goals)))]
    return Question(
        agent=settings.agent,
        world=place.world,
        threat=place.threat,
        goals=goals,
        measure=settings.measure,
        scenario=scenario,
        fixed=settings.fixed,
        episodes=max(1, round(effort * settings.episodes)) if sampled else 0,
        seed=seed,
    )


def _result(runner: _Runner, place: _Place, found: Found) -> WorldSearch:
    again = functools.partial(_estimated, runner, place)
    return WorldSearch(
        world=place.world,
        threat=place.threat,
        goals=place.goals,
        scenario=found.scenario,
        found=Measurement(
            name="found_by_search", estimate=found.value, low=None, high=None,
            n=len(place.goals), level=runner.settings.level,
            method=f"largest of {len(found.path)} evaluations",
            seed=runner.settings.seed if place.drawn else None,
        ),
        estimated=again("worst_case_estimated_again", found.scenario),
        default=again("default_scenario", NOTHING),
        thresholds=found.thresholds,
        evaluations=len(found.path),
        path=found.path,
        exact=not place.drawn,
    )  # fmt: skip


def _estimated(runner: _Runner, place: _Place, name: str, scenario: Scenario) -> Measurement:
    """The measure of a scenario on seeds that the search never used; exact where nothing is drawn.

    Goals are the clusters; with a single one the seeds are.
    """
    settings = runner.settings
    count = settings.fresh if place.drawn else 1
    seeds = [seed_of(settings.seed, "fresh", number) for number in range(count)]
    answers = runner.ask(
        [_question(settings, place, scenario, 1.0, seed) for seed in seeds], settings.evaluations
    )
    values = [(value, goal) for one in answers for goal, value in one.values.items()]
    missing = len(place.goals) * count - len(values)
    if not place.drawn and len(place.goals) == 1 and values:
        return exact_measurement(name, values[0][0], n=1, level=settings.level)
    alone = len(place.goals) == 1
    return cluster_measurement(
        name,
        [value for value, _ in values],
        [number if alone else goal for number, (_, goal) in enumerate(values)],
        seed=settings.seed,
        level=settings.level,
        missing=missing,
    )
