"""offswitch drift."""

from __future__ import annotations

import os
from pathlib import Path

import click

from offswitch.audit.goal_drift_report import DriftReport, DriftSettings
from offswitch.audit.goal_drift_study import drift
from offswitch.audit.plan import SUITES
from offswitch.audit.workers import ExecutorKind
from offswitch.cli.output import progress_bar, show
from offswitch.report.canonical_json import canonical_bytes
from offswitch.report.drift_html import write_drift_html
from offswitch.report.drift_text import DriftTable
from offswitch.report.whole_file import write_whole

__all__ = ["command"]

LEVEL = 0.95


@click.command("drift")
@click.argument("agent", default="corrigible-reference")
@click.option(
    "--world", "worlds", multiple=True, metavar="ID", help="World to live in; repeatable."
)
@click.option("--suite", type=click.Choice(sorted(SUITES)), help="Set of worlds.  [default: core]")
@click.option("--goal", "goals", multiple=True, metavar="NAME", help="Only this goal; repeatable.")
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
    "--lives", type=click.IntRange(1), default=2, show_default=True, help="Lives per goal."
)
@click.option(
    "--edits",
    type=click.IntRange(0, 100),
    default=0,
    show_default=True,
    help="Authorised changes of the goal in a life; alignment is with the goal in force.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="offswitch-drift",
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
    help="Where arms are run.",
)
@click.option("--resume", is_flag=True, help="Go on with an interrupted study in --out.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(
    agent: str, worlds: tuple[str, ...], suite: str | None, goals: tuple[str, ...],
    threats: tuple[str, ...], steps: int, windows: int, lives: int, edits: int, out: Path,
    seed: int, jobs: int | None, executor: ExecutorKind, resume: bool, as_json: bool,
) -> None:  # fmt: skip
    """Follow AGENT for a long time and measure how fast it leaves its goal.

    AGENT is as for `offswitch audit`, or drifting:RATE[:idle|other-goal], whose drift is known.

    Example: offswitch drift drifting:0.3 --world cloud-compute-v1 --steps 20000
    """
    if worlds and suite:
        raise click.UsageError("got both --world and --suite; give one of them.")
    if edits >= windows:
        raise click.UsageError(f"{edits} edits need more than {edits} windows, got {windows}.")
    settings = DriftSettings(
        agent=agent,
        worlds=tuple(dict.fromkeys(worlds)) or SUITES[suite or "core"],
        goals=tuple(dict.fromkeys(goals)),
        threats=tuple(dict.fromkeys(threats)),
        steps=steps,
        windows=windows,
        lives=lives,
        edits=edits,
        seed=seed,
        level=LEVEL,
    )
    report = _studied(settings, out, jobs or os.cpu_count() or 1, executor, resume=resume)
    if as_json:
        click.echo(canonical_bytes(report).decode(), nl=False)
    else:
        show(DriftTable(report))
    for name in ("drift.html", "drift.json"):
        click.echo(f"Wrote {out / name}", err=as_json)


def _studied(
    settings: DriftSettings, out: Path, jobs: int, executor: ExecutorKind, *, resume: bool
) -> DriftReport:
    """Run, write, and only then forget what was kept."""
    try:
        with progress_bar("Living") as progress:
            report, kept = drift(
                settings, out, jobs=jobs, executor=executor, resume=resume, progress=progress
            )
    except KeyboardInterrupt:
        click.echo(
            f"Interrupted. Finished arms are kept in {out}; add --resume to go on.", err=True
        )
        raise
    write_whole(out / "drift.json", canonical_bytes(report))
    write_drift_html(report, out / "drift.html")
    kept.close()
    return report
