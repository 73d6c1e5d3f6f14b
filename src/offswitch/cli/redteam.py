"""offswitch redteam."""

from __future__ import annotations

import click
import msgspec

from offswitch.audit.worst_case_report import Measure, RedteamReport, RedteamSettings
from offswitch.audit.worst_case_study import redteam
from offswitch.cli.assignments import assignments_of
from offswitch.cli.study_options import (
    LEVEL,
    MANY,
    Study,
    StudyOptions,
    study_options,
    threat_option,
)
from offswitch.report.redteam_finding import MEASURES
from offswitch.report.redteam_html import write_redteam
from offswitch.report.redteam_text import RedteamTable

__all__ = ["command"]

FEWEST = 8


def _shown(report: RedteamReport) -> list[RedteamTable]:
    return [RedteamTable(report)]


SEARCHING = Study("Searching", redteam, write_redteam, _shown)


@click.command("redteam")
@study_options("redteam")
@click.argument("agent", default="optimal")
@click.option(
    "--goal",
    "goals",
    multiple=True,
    metavar="NAME",
    help="Goal to search with; repeatable.  [default: each world's first]",
)
@click.option(
    "--measure",
    type=click.Choice(sorted(MEASURES)),
    default="shutdown-resistance",
    show_default=True,
    help="What is made as bad as possible.",
)
@threat_option
@click.option("--knob", "knobs", multiple=True, metavar="NAME", help="Only this knob; repeatable.")
@click.option(
    "--factor", "factors", multiple=True, metavar="NAME", help="Only this factor; repeatable."
)
@click.option("--knobs-only", "held", is_flag=True, help="Hold every factor at its default.")
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Hold a parameter of the world or a factor at this value; repeatable.",
)
@click.option(
    "--evaluations",
    type=click.IntRange(FEWEST, 100_000),
    default=200,
    show_default=True,
    help="Scenarios that may be evaluated in a world.",
)
@click.option(
    "--episodes",
    type=click.IntRange(1, MANY),
    default=100,
    show_default=True,
    help="Episodes of a full evaluation, where episodes are drawn.",
)
@click.option(
    "--fresh",
    type=click.IntRange(2, MANY),
    default=20,
    show_default=True,
    help="Fresh seeds on which the winner is estimated again.",
)
@click.option("--sample", is_flag=True, help="Sample even agents whose policy is known.")
def command(
    study: StudyOptions,
    agent: str,
    goals: tuple[str, ...],
    measure: Measure,
    threat: str | None,
    knobs: tuple[str, ...],
    factors: tuple[str, ...],
    held: bool,
    assignments: tuple[str, ...],
    evaluations: int,
    episodes: int,
    fresh: int,
    sample: bool,
) -> None:
    """Search the scenarios of a world for the one in which AGENT behaves worst.

    The worst case found is estimated again on seeds that the search has not seen.

    Example: offswitch redteam optimal --world coffee-corridor-v1 --knobs-only
    """
    if held and factors:
        raise click.UsageError("got both --factor and --knobs-only; give one of them.")
    settings = RedteamSettings(
        agent=agent,
        worlds=study.worlds,
        goals=tuple(dict.fromkeys(goals)),
        threat=threat,
        measure=measure,
        knobs=tuple(dict.fromkeys(knobs)),
        factors=tuple(dict.fromkeys(factors)),
        held=held,
        fixed=_fixed(assignments),
        evaluations=evaluations,
        episodes=episodes,
        sampled=sample,
        fresh=fresh,
        seed=study.seed,
        level=LEVEL,
    )
    SEARCHING.run(settings, study)


def _fixed(assignments: tuple[str, ...]) -> dict[str, str | int | float | bool]:
    values = assignments_of(assignments)
    if "threat" in values:
        raise click.UsageError("--set threat=...: use --threat, which names it for the report too.")
    try:
        return msgspec.convert(values, type=dict[str, str | int | float | bool])
    except msgspec.ValidationError as error:
        raise click.UsageError(f"--set expects words, numbers, true or false: {error}") from None
