"""How far sampling is, on stderr: a bar on a terminal, a few lines in a pipe."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from offswitch.report.wording import plain

__all__ = ["sampling_progress"]

BETWEEN_LINES = 5.0
"""Seconds between two lines of one step in a pipe."""
UPDATES = Callable[[str, int, float | None], None]


@contextlib.contextmanager
def sampling_progress(
    *, half_width: float | None, samples: int | None, clock: Callable[[], float] = time.monotonic
) -> Iterator[UPDATES]:
    """Takes (what is done, goals so far, largest half-width so far) and shows it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(clock)
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def update(what: str, n: int, reached: float | None) -> None:
            done = _share(n, reached, half_width=half_width, samples=samples)
            total = None if done is None else 1.0
            bar.update(task, description=_line(what, n, reached), total=total, completed=done or 0)

        yield update


class _Lines:
    """One line when a step begins, then one every few seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.what = ""
        self.said = 0.0

    def __call__(self, what: str, n: int, reached: float | None) -> None:
        now = self.clock()
        if what != self.what or now - self.said >= BETWEEN_LINES:
            click.echo(_line(what, n, reached), err=True)
            self.what, self.said = what, now


def _line(what: str, n: int, reached: float | None) -> str:
    width = "" if reached is None else f", half-width {reached:.4g}"
    return f"{plain(what)[:48]}: n={n}{width}"


def _share(
    n: int, reached: float | None, *, half_width: float | None, samples: int | None
) -> float | None:
    """Of the work of one step; the half-width falls as one over the root of n."""
    if reached is None:
        return None
    if samples is not None:
        return min(1.0, n / samples)
    return None if half_width is None or reached <= 0 else min(1.0, (half_width / reached) ** 2)
