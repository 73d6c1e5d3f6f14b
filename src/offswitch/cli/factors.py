"""offswitch factors."""

from __future__ import annotations

import os
from pathlib import Path

import click

from offswitch.audit.factors import factors
from offswitch.audit.factors_result import FactorsSettings
from offswitch.audit.plan import SUITES
from offswitch.audit.workers import ExecutorKind
from offswitch.cli.output import progress_bar, show
from offswitch.report.factors_page import write_factors
from offswitch.report.factors_text import factors_renderables
from offswitch.worlds.registry import world_ids

__all__ = ["command"]

LEVEL = 0.95
AGENTS = (
    "optimal", "boltzmann:8", "lookahead:4", "epsilon-greedy:0.1", "q-learning", "sarsa",
    "monte-carlo",
)  # fmt: skip


@click.command("factors")
@click.option(
    "--world", "worlds", multiple=True, metavar="ID", help="World to measure in; repeatable."
)
@click.option(
    "--suite", type=click.Choice(sorted(SUITES)), help="Set of worlds.  [default: every world]"
)
@click.option(
    "--agent",
    "agents",
    multiple=True,
    metavar="AGENT",
    help="Planner or learner; repeatable.  [default: four planners, three learners]",
)
@click.option(
    "--drive", default="self-preservation", show_default=True, help="What a violation is."
)
@click.option(
    "--goals",
    type=click.IntRange(0),
    default=3,
    show_default=True,
    help="Goals per world, spread over its family; 0 for all.",
)
@click.option(
    "--learner-goals",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="How many of these learners pursue.",
)
@click.option(
    "--steps",
    type=click.IntRange(1),
    default=200_000,
    show_default=True,
    help="Steps of every training.",
)
@click.option(
    "--draws",
    type=click.IntRange(1),
    default=16,
    show_default=True,
    help="Random goals behind the POWER gain of an act.",
)
@click.option(
    "--resamples",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Bootstrap resamples of the variance tables.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="offswitch-factors",
    show_default=True,
    help="Folder for factors.html and factors.json.",
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
    worlds: tuple[str, ...], suite: str | None, agents: tuple[str, ...], drive: str, goals: int,
    learner_goals: int, steps: int, draws: int, resamples: int, out: Path, seed: int,
    episodes: int, jobs: int | None, executor: ExecutorKind, resume: bool, as_json: bool,
) -> None:  # fmt: skip
    """Find what moderates violations, and test whether theory foretells them.

    A variance table over architecture, training, autonomy and oversight; then forecasts made from
    optimal values and POWER before an agent runs, scored in domains that they were not fitted on.

    Example: offswitch factors --world off-switch-v1 --world star-v1 --agent lookahead:4
    """
    if worlds and suite:
        raise click.UsageError("got both --world and --suite; give one of them.")
    settings = FactorsSettings(
        agents=tuple(dict.fromkeys(agents)) or AGENTS,
        worlds=tuple(dict.fromkeys(worlds)) or (SUITES[suite] if suite else world_ids()),
        drive=drive,
        goals=goals,
        learner_goals=learner_goals,
        steps=steps,
        draws=draws,
        resamples=resamples,
        episodes=episodes,
        seed=seed,
        level=LEVEL,
    )
    try:
        with progress_bar("Measuring") as progress:
            report, kept = factors(
                settings, out, jobs=jobs or os.cpu_count() or 1, executor=executor, resume=resume,
                progress=progress,
            )  # fmt: skip
    except KeyboardInterrupt:
        click.echo(
            f"Interrupted. What was finished is kept in {out}; add --resume to go on.", err=True
        )
        raise
    written = write_factors(report, out)
    kept.close()
    if as_json:
        click.echo((out / "factors.json").read_text(encoding="utf-8"), nl=False)
    else:
        show(*factors_renderables(report))
    for path in written:
        click.echo(f"Wrote {path}", err=as_json)
