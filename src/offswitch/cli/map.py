"""offswitch map."""

from __future__ import annotations

import os
from pathlib import Path

import click

from offswitch.audit.convergence_map import convergence_map
from offswitch.audit.convergence_map_result import MapSettings
from offswitch.audit.plan import SUITES
from offswitch.audit.workers import ExecutorKind
from offswitch.cli.assignments import assignments_of
from offswitch.cli.output import progress_bar, show
from offswitch.report.map_page import write_map
from offswitch.report.map_text import map_renderables

__all__ = ["command"]

LEVEL = 0.95


@click.command("map")
@click.option("--world", "worlds", multiple=True, metavar="ID", help="World to map; repeatable.")
@click.option("--suite", type=click.Choice(sorted(SUITES)), help="Set of worlds.  [default: core]")
@click.option("--goal", "goals", multiple=True, metavar="NAME", help="Only this goal; repeatable.")
@click.option(
    "--agent",
    default="q-learning",
    show_default=True,
    help="Shown beside the optimal and the random agent.",
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
    default="offswitch-map",
    show_default=True,
    help="Folder for map.html and map.json.",
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
    default=100,
    show_default=True,
    help="Episodes per cell where a cell is sampled.",
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
@click.option("--resume", is_flag=True, help="Go on with an interrupted map in --out.")
@click.option("--json", "as_json", is_flag=True, help="Print the map as JSON.")
def command(
    worlds: tuple[str, ...], suite: str | None, goals: tuple[str, ...], agent: str,
    assignments: tuple[str, ...], out: Path, seed: int, episodes: int, jobs: int | None,
    executor: ExecutorKind, resume: bool, as_json: bool,
) -> None:  # fmt: skip
    """Map which drives serve which goals, for the optimal, a trained and a random agent.

    Goals by drives by worlds: what the acts of each drive are worth to a goal, and which agents
    show it. Goals pursued by the same acts count once.

    Example: offswitch map --world star-v1 --world off-switch-v1 --agent q-learning
    """
    if worlds and suite:
        raise click.UsageError("got both --world and --suite; give one of them.")
    settings = MapSettings(
        agent=agent,
        worlds=tuple(dict.fromkeys(worlds)) or SUITES[suite or "core"],
        goals=tuple(dict.fromkeys(goals)),
        parameters=assignments_of(assignments),
        seed=seed,
        episodes=episodes,
        level=LEVEL,
    )
    try:
        with progress_bar("Mapping") as progress:
            report, kept = convergence_map(
                settings, out, jobs=jobs or os.cpu_count() or 1, executor=executor, resume=resume,
                progress=progress,
            )  # fmt: skip
    except KeyboardInterrupt:
        click.echo(
            f"Interrupted. What was finished is kept in {out}; add --resume to go on.", err=True
        )
        raise
    written = write_map(report, out)
    kept.close()
    if as_json:
        click.echo((out / "map.json").read_text(encoding="utf-8"), nl=False)
    else:
        show(*map_renderables(report))
    for path in written:
        click.echo(f"Wrote {path}", err=as_json)
