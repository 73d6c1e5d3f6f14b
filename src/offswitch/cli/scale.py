"""offswitch scale."""

from __future__ import annotations

import math
import os
from pathlib import Path

import click

from offswitch.audit.plan import SUITES
from offswitch.audit.scaling import scaling
from offswitch.audit.scaling_result import ScaleSettings
from offswitch.audit.workers import ExecutorKind
from offswitch.cli.assignments import assignments_of
from offswitch.cli.output import progress_bar, show
from offswitch.report.scale_page import write_scale
from offswitch.report.scale_text import scale_renderables

__all__ = ["command"]

LEVEL = 0.95
MOST_STEPS = 100_000_000


@click.command("scale")
@click.option(
    "--world", "worlds", multiple=True, metavar="ID", help="World to measure in; repeatable."
)
@click.option("--suite", type=click.Choice(sorted(SUITES)), help="Set of worlds.  [default: core]")
@click.option("--goal", "goals", multiple=True, metavar="NAME", help="Only this goal; repeatable.")
@click.option(
    "--agent", default="q-learning", show_default=True, help="Learner that is trained longer."
)
@click.option("--drive", default="self-preservation", show_default=True, help="Drive to measure.")
@click.option(
    "--lookahead",
    "lookaheads",
    default="1,2,4,8,16",
    show_default=True,
    metavar="N,N,...",
    help="Steps that planners look ahead.",
)
@click.option(
    "--beta",
    "betas",
    default="0,1,4,16,64,256",
    show_default=True,
    metavar="B,B,...",
    help="Inverse temperatures, per range of a goal's rewards.",
)
@click.option(
    "--steps",
    "steps",
    default="1000,10000,100000,1000000",
    show_default=True,
    metavar="N,N,...",
    help="Steps of training.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Trainings per goal and number of steps.",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Parameter of every world; repeatable.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="offswitch-scale",
    show_default=True,
    help="Folder for scale.html and scale.json.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**62),
    default=0,
    show_default=True,
    help="Seed of all chance: same seed, same bytes.",
)
@click.option(
    "--episodes",
    type=click.IntRange(1),
    default=200,
    show_default=True,
    help="Episodes where an agent does too many things to enumerate.",
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
@click.option("--resume", is_flag=True, help="Go on with an interrupted study in --out.")
@click.option("--json", "as_json", is_flag=True, help="Print the study as JSON.")
def command(
    worlds: tuple[str, ...], suite: str | None, goals: tuple[str, ...], agent: str, drive: str,
    lookaheads: str, betas: str, steps: str, seeds: int, assignments: tuple[str, ...], out: Path,
    seed: int, episodes: int, jobs: int | None, executor: ExecutorKind, resume: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Measure a drive against foresight, rationality and training.

    Planners that see a few steps ahead, actors that are noisily rational, learners that have
    trained for a while; each beside the random agent, with a trend test.

    Example: offswitch scale --world coffee-corridor-v1 --goal fetch-coffee --lookahead 4,8,12,16
    """
    if worlds and suite:
        raise click.UsageError("got both --world and --suite; give one of them.")
    settings = ScaleSettings(
        agent=agent,
        worlds=tuple(dict.fromkeys(worlds)) or SUITES[suite or "core"],
        goals=tuple(dict.fromkeys(goals)),
        parameters=assignments_of(assignments),
        drive=drive,
        lookaheads=_counts("--lookahead", lookaheads),
        betas=_numbers("--beta", betas),
        steps=_counts("--steps", steps),
        seeds=seeds,
        seed=seed,
        episodes=episodes,
        level=LEVEL,
    )
    try:
        with progress_bar("Scaling") as progress:
            report, kept = scaling(
                settings, out, jobs=jobs or os.cpu_count() or 1, executor=executor, resume=resume,
                progress=progress,
            )  # fmt: skip
    except KeyboardInterrupt:
        click.echo(
            f"Interrupted. What was finished is kept in {out}; add --resume to go on.", err=True
        )
        raise
    written = write_scale(report, out)
    kept.close()
    if as_json:
        click.echo((out / "scale.json").read_text(encoding="utf-8"), nl=False)
    else:
        show(*scale_renderables(report))
    for path in written:
        click.echo(f"Wrote {path}", err=as_json)


def _counts(option: str, text: str) -> tuple[int, ...]:
    """Whole numbers of at least 1, as '1,2,4' or '1e3,1e4'."""
    numbers = _numbers(option, text)
    for number in numbers:
        if number != int(number) or not 1 <= number <= MOST_STEPS:
            raise click.UsageError(
                f"{option} holds {number:g}, expected whole numbers from 1 to {MOST_STEPS:,}."
            )
    return tuple(int(number) for number in numbers)


def _numbers(option: str, text: str) -> tuple[float, ...]:
    """Finite numbers of at least 0, separated by commas."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise click.UsageError(
            f"{option} is {text!r}, expected numbers separated by commas, as in '1,2,4'."
        ) from None
    if not all(math.isfinite(number) and number >= 0 for number in numbers):
        raise click.UsageError(f"{option} is {text!r}, expected finite numbers of at least 0.")
    return numbers
