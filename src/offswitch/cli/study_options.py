"""The options of everything that runs in many worlds at once, and the way in which it is run."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

import click
import msgspec
from rich.console import RenderableType

from offswitch.audit.plan import SUITES
from offswitch.audit.workers import ExecutorKind, Kept
from offswitch.cli.output import progress_bar, show
from offswitch.report.canonical_json import canonical_bytes
from offswitch.worlds.registry import world_ids

__all__ = [
    "LEVEL",
    "MANY",
    "Study",
    "StudyOptions",
    "goal_option",
    "set_option",
    "study_options",
    "threat_option",
]

LEVEL = 0.95
"""Confidence level of every interval that a command reports."""
MANY = 1_000_000
"""The most of anything that is drawn or trained again and again and kept in memory."""
EVERY = "every installed world"
Report = TypeVar("Report", bound=msgspec.Struct)
Command: TypeAlias = Callable[..., None]


@dataclass(frozen=True)
class StudyOptions:
    """What was given for the options that every study has."""

    worlds: tuple[str, ...]
    """Those asked for, else those of the suite, each once."""
    seed: int
    out: Path
    jobs: int
    executor: ExecutorKind
    resume: bool
    as_json: bool


def study_options(
    name: str, *, suite: str | None = "core", seeded: bool = True
) -> Callable[[Command], Command]:
    """Gives a command the shared options, as one `StudyOptions` called `study`.

    `suite` is the default set of worlds, None every installed one; files go to 'offswitch-NAME'.
    """

    def decorated(command: Command) -> Command:
        @functools.wraps(command)
        def called(
            worlds: tuple[str, ...], suite_asked: str | None, jobs: int | None, seed: int = 0,
            **others: Any,  # Any: click gives every option its own type
        ) -> None:  # fmt: skip
            shared = {key: others.pop(key) for key in ("out", "executor", "resume", "as_json")}
            chosen = _chosen(worlds, suite_asked, suite)
            jobs = jobs or os.cpu_count() or 1
            command(study=StudyOptions(worlds=chosen, seed=seed, jobs=jobs, **shared), **others)

        # Click lists options from the last decorator to the first: worlds lead, files close.
        own = called.__dict__.pop("__click_params__", [])
        for option in reversed(_run_options(name, seeded)):
            option(called)
        called.__dict__["__click_params__"] += own
        for option in reversed(_world_options(suite or EVERY)):
            option(called)
        return called

    return decorated


def _world_options(default: str) -> tuple[Callable[[Command], Command], ...]:
    return (
        click.option("--world", "worlds", multiple=True, metavar="ID", help="World; repeatable."),
        click.option(
            "--suite", "suite_asked", type=click.Choice(sorted(SUITES)),
            help=f"Set of worlds.  [default: {default}]",
        ),
    )  # fmt: skip


def _run_options(name: str, seeded: bool) -> tuple[Callable[[Command], Command], ...]:
    seed = click.option(
        "--seed", type=click.IntRange(0, 2**62), default=0, show_default=True,
        help="Seed of all chance: same seed, same bytes.",
    )  # fmt: skip
    return (
        *([seed] if seeded else []),
        click.option(
            "--out", type=click.Path(path_type=Path, file_okay=False), show_default=True,
            default=f"offswitch-{name}", help="Folder for what is written.",
        ),
        click.option(
            "--jobs", type=click.IntRange(1), default=None, help="Workers.  [default: one per core]"
        ),
        click.option(
            "--executor", type=click.Choice(["processes", "ray"]), default="processes",
            show_default=True, help="Where the workers run; ray is for more than one machine.",
        ),
        click.option("--resume", is_flag=True, help="Go on with what was interrupted in --out."),
        click.option("--json", "as_json", is_flag=True, help="Print the report as JSON."),
    )  # fmt: skip


goal_option = click.option(
    "--goal", "goals", multiple=True, metavar="NAME", help="Only this goal; repeatable."
)
threat_option = click.option(
    "--threat", metavar="NAME",
    help="Threat that every world is under; worlds that do not stage it are left out.  "
    "[default: each world's first]",
)  # fmt: skip
set_option = click.option(
    "--set", "assignments", multiple=True, metavar="FIELD=VALUE",
    help="Parameter of every world; repeatable.",
)  # fmt: skip


def _chosen(worlds: tuple[str, ...], suite: str | None, otherwise: str | None) -> tuple[str, ...]:
    if worlds and suite:
        raise click.UsageError("got both --world and --suite; give one of them.")
    name = suite or otherwise
    return tuple(dict.fromkeys(worlds)) or (world_ids() if name is None else SUITES[name])


@dataclass(frozen=True)
class Study(Generic[Report]):
    """A study as the command line runs it."""

    title: str
    """What the progress bar says, such as 'Mapping'."""
    runs: Callable[..., tuple[Report, Kept[Any]]]  # Any: each keeps results of its own type
    """Takes settings, a folder, and `jobs`, `progress`, `executor`, `resume`; gives the report, and
    what was kept of it in the folder."""
    write: Callable[[Report, Path], tuple[Path, ...]]
    """Writes the files of a report into a folder and returns where."""
    shown: Callable[[Report], Sequence[RenderableType]]
    """A report for the terminal."""

    def run(self, settings: msgspec.Struct, options: StudyOptions) -> Report:
        """Run, write, print, and only then forget what was kept."""
        report, kept = self._kept(settings, options)
        written = self.write(report, options.out)
        kept.close()
        if options.as_json:
            click.echo(canonical_bytes(report).decode(), nl=False)
        else:
            show(*self.shown(report))
        for path in written:
            click.echo(f"Wrote {path}", err=options.as_json)
        return report

    def _kept(self, settings: msgspec.Struct, options: StudyOptions) -> tuple[Report, Kept[Any]]:
        try:
            with progress_bar(self.title) as progress:
                return self.runs(
                    settings, options.out, jobs=options.jobs, executor=options.executor,
                    resume=options.resume, progress=progress,
                )  # fmt: skip
        except KeyboardInterrupt:
            click.echo(
                f"Interrupted. What was finished is kept in {options.out}; add --resume to go on.",
                err=True,
            )
            raise
