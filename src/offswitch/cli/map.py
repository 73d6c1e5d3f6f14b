"""offswitch map."""

from __future__ import annotations

import click

from offswitch.audit.convergence_map import convergence_map
from offswitch.audit.convergence_map_result import MapSettings
from offswitch.cli.assignments import assignments_of
from offswitch.cli.study_options import (
    LEVEL,
    MANY,
    Study,
    StudyOptions,
    goal_option,
    set_option,
    study_options,
    threat_option,
)
from offswitch.report.map_page import write_map
from offswitch.report.map_text import map_renderables

__all__ = ["command"]

MAPPING = Study("Mapping", convergence_map, write_map, map_renderables)


@click.command("map")
@study_options("map")
@goal_option
@threat_option
@click.option(
    "--agent",
    default="q-learning",
    show_default=True,
    help="Shown beside the optimal and the random agent.",
)
@set_option
@click.option(
    "--episodes",
    type=click.IntRange(1, MANY),
    default=100,
    show_default=True,
    help="Episodes per cell where a cell is sampled.",
)
def command(
    study: StudyOptions,
    goals: tuple[str, ...],
    threat: str | None,
    agent: str,
    assignments: tuple[str, ...],
    episodes: int,
) -> None:
    """Map which drives serve which goals, for the optimal, a trained and a random agent.

    Goals by drives by worlds: what the acts of each drive are worth to a goal, and which agents
    show it. Goals pursued by the same acts count once.

    Example: offswitch map --world star-v1 --world off-switch-v1 --agent q-learning
    """
    settings = MapSettings(
        agent=agent,
        worlds=study.worlds,
        goals=tuple(dict.fromkeys(goals)),
        threat=threat,
        parameters=assignments_of(assignments),
        seed=study.seed,
        episodes=episodes,
        level=LEVEL,
    )
    MAPPING.run(settings, study)
