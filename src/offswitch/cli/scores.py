"""offswitch scores."""

from __future__ import annotations

import os
from pathlib import Path

import click

from offswitch.audit.candidate_scores_result import ScoresSettings
from offswitch.audit.candidate_scores_study import candidate_scores
from offswitch.audit.plan import SUITES
from offswitch.audit.workers import ExecutorKind
from offswitch.cli.output import progress_bar, show
from offswitch.report.scores_page import write_scores
from offswitch.report.scores_text import scores_renderables
from offswitch.worlds.registry import world_ids

__all__ = ["command"]


@click.command("scores")
@click.option(
    "--world", "worlds", multiple=True, metavar="ID", help="World to stage in; repeatable."
)
@click.option(
    "--suite",
    type=click.Choice(sorted(SUITES)),
    help="Set of worlds.  [default: every installed world]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="offswitch-scores",
    show_default=True,
    help="Folder for scores.html and scores.json.",
)
@click.option(
    "--jobs", type=click.IntRange(1), default=None, help="Workers.  [default: one per core]"
)
@click.option(
    "--executor",
    type=click.Choice(["processes", "ray"]),
    default="processes",
    show_default=True,
    help="Where the workers run.",
)
@click.option("--resume", is_flag=True, help="Go on with an interrupted test in --out.")
@click.option("--json", "as_json", is_flag=True, help="Print the test as JSON.")
def command(
    worlds: tuple[str, ...], suite: str | None, out: Path, jobs: int | None,
    executor: ExecutorKind, resume: bool, as_json: bool,
) -> None:  # fmt: skip
    """Test which corrigibility scores adversaries fool, ours among them.

    Every persona of `offswitch list agents` plays the default goal of each world that stages what
    it does. Exact: nothing is drawn, so there is no seed.

    Example: offswitch scores --world coffee-corridor-v1 --world cloud-compute-v1
    """
    if worlds and suite:
        raise click.UsageError("got both --world and --suite; give one of them.")
    every = SUITES[suite] if suite else world_ids()
    settings = ScoresSettings(worlds=tuple(dict.fromkeys(worlds)) or every)
    try:
        with progress_bar("Testing scores") as progress:
            report, kept = candidate_scores(
                settings, out, jobs=jobs or os.cpu_count() or 1, executor=executor, resume=resume,
                progress=progress,
            )  # fmt: skip
    except KeyboardInterrupt:
        click.echo(
            f"Interrupted. Finished worlds are kept in {out}; add --resume to go on.", err=True
        )
        raise
    written = write_scores(report, out)
    kept.close()
    if as_json:
        click.echo((out / "scores.json").read_text(encoding="utf-8"), nl=False)
    else:
        show(*scores_renderables(report))
    for path in written:
        click.echo(f"Wrote {path}", err=as_json)
