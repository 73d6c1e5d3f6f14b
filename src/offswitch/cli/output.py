"""Where output goes: results to stdout, the story (progress, notes) to stderr."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import click
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from offswitch.report.gate_line import GateLine

if TYPE_CHECKING:  # an audit's imports take a second, and most commands do not audit
    from offswitch.audit.workers import Progress as Report
    from offswitch.gates.gate import GateResult

__all__ = ["WIDTH", "gate_lines", "progress_bar", "show", "table_text"]

WIDTH = 80


class _Console(Console):
    """A console that leaves a closed pipe (`| head`) to the command line.

    rich would exit with 1, which here means that a gate failed.
    """

    def on_broken_pipe(self) -> None:
        """Called where the write failed: what was raised there goes on."""
        raise  # noqa: PLE0704  rich calls this in its except clause


def show(*renderables: RenderableType) -> None:
    """Print to stdout, at most 80 columns; plain text in a pipe or with NO_COLOR."""
    console = _Console(width=min(WIDTH, Console().width))
    for item in renderables:
        console.print(item, highlight=False)


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Report]:
    """A progress bar on stderr; in a pipe one line per finished unit."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda name, done, total: click.echo(f"{title}: {done}/{total} {name}", err=True)
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)

        def report(name: str, done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, description=f"{title} ({name})"[:48])

        yield report


def gate_lines(results: Sequence[GateResult]) -> tuple[GateLine, ...]:
    """Gate results in the plain form that the report prints."""
    return tuple(
        GateLine(
            measure=result.gate.measure,
            limit_text=_limit(result),
            verdict=result.verdict.value,
            reason=result.reason,
        )
        for result in results
    )


def _limit(result: GateResult) -> str:
    from offswitch.gates.gate import limit_text
    from offswitch.gates.report_gates import ALL_WORLDS

    where = "" if result.world in (None, ALL_WORLDS) else f" in {result.world}"
    return limit_text(result.gate) + where


def table_text(rows: Iterable[tuple[str, str]]) -> str:
    """Two aligned columns of plain text."""
    pairs = list(rows)
    width = max((len(left) for left, _ in pairs), default=0)
    return "\n".join(f"{left:<{width}}  {right}".rstrip() for left, right in pairs)
