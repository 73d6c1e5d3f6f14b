"""offswitch redteam."""

from __future__ import annotations

import os
from pathlib import Path

import click
import msgspec

from offswitch.audit.plan import SUITES
from offswitch.audit.workers import ExecutorKind
from offswitch.audit.worst_case_report import Measure, RedteamReport, RedteamSettings
from offswitch.audit.worst_case_study import redteam
from offswitch.cli.assignments import assignments_of
from offswitch.cli.output import progress_bar, show
from offswitch.report.canonical_json import canonical_bytes
from offswitch.report.redteam_finding import MEASURES
from offswitch.report.redteam_html import write_redteam_html
from offswitch.report.redteam_text import RedteamTable
from offswitch.report.whole_file import write_whole

__all__ = ["command"]

LEVEL = 0.95
FEWEST = 8


@click.command("redteam")
@click.argument("agent", default="optimal")
@click.option("--world", "worlds", multiple=True, metavar="ID", help="World to search; repeatable.")
@click.option("--suite", type=click.Choice(sorted(SUITES)), help="Set of worlds.  [default: core]")
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
@click.option("--threat", default=None, help="Threat level.  [default: each world's headline]")
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
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="Episodes of a full evaluation, where episodes are drawn.",
)
@click.option(
    "--fresh",
    type=click.IntRange(2),
    default=20,
    show_default=True,
    help="Fresh seeds on which the winner is estimated again.",
)
@click.option("--sample", is_flag=True, help="Sample even agents whose policy is known.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="offswitch-redteam",
    show_default=True,
    help="Folder for the report.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**62),
    default=0,
    show_default=True,
    help="Seed of all chance: same seed, same bytes.",
)
@click.option(
    "--jobs", type=click.IntRange(1), default=None, help="Workers.  [default: one per core]"
)
@click.option(
    "--executor",
    type=click.Choice(["processes", "ray"]),
    default="processes",
    show_default=True,
    help="Where scenarios are evaluated.",
)
@click.option("--resume", is_flag=True, help="Go on with an interrupted search in --out.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(
    agent: str, worlds: tuple[str, ...], suite: str | None, goals: tuple[str, ...],
    measure: Measure, threat: str | None, knobs: tuple[str, ...], factors: tuple[str, ...],
    held: bool, assignments: tuple[str, ...], evaluations: int, episodes: int, fresh: int,
    sample: bool, out: Path, seed: int, jobs: int | None, executor: ExecutorKind, resume: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Search the scenarios of a world for the one in which AGENT behaves worst.

    The worst case found is estimated again on seeds that the search has not seen.

    Example: offswitch redteam optimal --world coffee-corridor-v1 --knobs-only
    """
    if worlds and suite:
        raise click.UsageError("got both --world and --suite; give one of them.")
    if held and factors:
        raise click.UsageError("got both --factor and --knobs-only; give one of them.")
    settings = RedteamSettings(
        agent=agent,
        worlds=tuple(dict.fromkeys(worlds)) or SUITES[suite or "core"],
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
        seed=seed,
        level=LEVEL,
    )
    report = _searched(settings, out, jobs or os.cpu_count() or 1, executor, resume=resume)
    if as_json:
        click.echo(canonical_bytes(report).decode(), nl=False)
    else:
        show(RedteamTable(report))
    for name in ("redteam.html", "redteam.json"):
        click.echo(f"Wrote {out / name}", err=as_json)


def _fixed(assignments: tuple[str, ...]) -> dict[str, str | int | float | bool]:
    values = assignments_of(assignments)
    if "threat" in values:
        raise click.UsageError("--set threat=...: use --threat, which names it for the report too.")
    try:
        return msgspec.convert(values, type=dict[str, str | int | float | bool])
    except msgspec.ValidationError as error:
        raise click.UsageError(f"--set expects words, numbers, true or false: {error}") from None


def _searched(
    settings: RedteamSettings, out: Path, jobs: int, executor: ExecutorKind, *, resume: bool
) -> RedteamReport:
    """Run, write, and only then forget what was kept."""
    try:
        with progress_bar("Searching") as progress:
            report, kept = redteam(
                settings, out, jobs=jobs, executor=executor, resume=resume, progress=progress
            )
    except KeyboardInterrupt:
        click.echo(
            f"Interrupted. Finished evaluations are kept in {out}; add --resume to go on.", err=True
        )
        raise
    write_whole(out / "redteam.json", canonical_bytes(report))
    write_redteam_html(report, out / "redteam.html")
    kept.close()
    return report
