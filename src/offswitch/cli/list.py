"""offswitch list."""

from __future__ import annotations

import inspect
import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator

import click

from offswitch.cli.output import table_text

__all__ = ["command", "wrapped"]

NARROWEST = 20
"""Columns below which the right column is not broken: a terminal this narrow scrolls anyway."""


def _worlds(_: str | None) -> dict[str, str]:
    from offswitch.worlds.registry import world_class, world_ids

    return {world: world_class(world).summary for world in world_ids()}


def _goals(world: str | None) -> dict[str, str]:
    from offswitch.worlds.registry import make_world, world_ids

    ids = [world] if world else world_ids()
    return {
        goal.name if world else f"{name}/{goal.name}": f"{goal.description} ({goal.kind})"
        for name in ids
        for goal in make_world(name).goals
    }


def _agents(_: str | None) -> dict[str, str]:
    from offswitch.agents.registry import agent_names

    return dict(agent_names())


def _drives(_: str | None) -> dict[str, str]:
    from offswitch.drives.registry import installed_drives

    return {drive.name: _first_line(type(drive)) for drive in installed_drives()}


def _countermeasures(_: str | None) -> dict[str, str]:
    from offswitch.countermeasures.registry import countermeasure_class, countermeasure_names

    return {name: _first_line(countermeasure_class(name)) for name in countermeasure_names()}


def _first_line(thing: type[object]) -> str:
    return (inspect.getdoc(thing) or "").split("\n", 1)[0]


KINDS: dict[str, Callable[[str | None], dict[str, str]]] = {
    "worlds": _worlds,
    "goals": _goals,
    "agents": _agents,
    "drives": _drives,
    "countermeasures": _countermeasures,
}


@click.command("list")
@click.argument("kind", type=click.Choice(list(KINDS)), default="worlds")
@click.argument("world", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(kind: str, world: str | None, as_json: bool) -> None:
    """List what is installed: worlds, goals [WORLD], agents, drives or countermeasures.

    Example: offswitch list goals off-switch-v1
    """
    if world is not None and kind != "goals":
        raise click.UsageError(f"`offswitch list {kind}` takes no world; got {world!r}.")
    found = KINDS[kind](world)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    # In a pipe one line is one thing, for grep and wc.
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    click.echo(table_text(wrapped(found.items(), columns)))


def wrapped(rows: Iterable[tuple[str, str]], columns: int | None) -> Iterator[tuple[str, str]]:
    """`rows` with the right one broken, so that a table of both fits in `columns`; None: as it is.

    >>> list(wrapped([("star-v1", "Choose among k live options and a shutdown.")], 40))
    [('star-v1', 'Choose among k live options and'), ('', 'a shutdown.')]
    """
    pairs = list(rows)
    room = (columns or 0) - max((len(left) for left, _ in pairs), default=0) - 2
    for left, right in pairs:
        lines = (textwrap.wrap(right, room) or [""]) if room >= NARROWEST else [right]
        yield from zip([left] + [""] * (len(lines) - 1), lines, strict=True)
