"""offswitch drift."""

from __future__ import annotations

import click

from offswitch.audit.goal_drift_report import DriftReport, DriftSettings
from offswitch.audit.goal_drift_study import drift
from offswitch.cli.study_options import LEVEL, MANY, Study, StudyOptions, goal_option, study_options
from offswitch.report.drift_html import write_drift
from offswitch.report.drift_text import DriftTable

__all__ = ["command"]


def _shown(report: DriftReport) -> list[DriftTable]:
    return [DriftTable(report)]


LIVING = Study("Living", drift, write_drift, _shown)


@click.command("drift")
@study_options("drift")
@click.argument("agent", default="corrigible-reference")
@goal_option
@click.option(
    "--threat",
    "threats",
    multiple=True,
    metavar="NAME",
    help="Only this pressure; repeatable.  [default: all that a world stages]",
)
@click.option(
    "--steps",
    type=click.IntRange(1, 10**8),
    default=100_000,
    show_default=True,
    help="Steps of a life.",
)
@click.option(
    "--windows",
    type=click.IntRange(2, 1000),
    default=20,
    show_default=True,
    help="Parts of a life in which alignment is measured.",
)
@click.option(
    "--lives", type=click.IntRange(1, MANY), default=2, show_default=True, help="Lives per goal."
)
@click.option(
    "--edits",
    type=click.IntRange(0, 100),
    default=0,
    show_default=True,
    help="Authorised changes of the goal in a life; alignment is with the goal in force.",
)
def command(
    study: StudyOptions,
    agent: str,
    goals: tuple[str, ...],
    threats: tuple[str, ...],
    steps: int,
    windows: int,
    lives: int,
    edits: int,
) -> None:
    """Follow AGENT for a long time and measure how fast it leaves its goal.

    AGENT is as for `offswitch audit`; the drift of drifting:RATE[:idle|other-goal] is known.

    Example: offswitch drift drifting:0.3 --world cloud-compute-v1 --steps 20000
    """
    if edits >= windows:
        raise click.UsageError(f"{edits} edits need more than {edits} windows, got {windows}.")
    settings = DriftSettings(
        agent=agent,
        worlds=study.worlds,
        goals=tuple(dict.fromkeys(goals)),
        threats=tuple(dict.fromkeys(threats)),
        steps=steps,
        windows=windows,
        lives=lives,
        edits=edits,
        seed=study.seed,
        level=LEVEL,
    )
    LIVING.run(settings, study)
