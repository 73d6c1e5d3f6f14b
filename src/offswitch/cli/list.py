"""offswitch list."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable

import click

from offswitch.cli.output import table_text

__all__ = ["command"]


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
    click.echo(json.dumps(found, indent=2) if as_json else table_text(found.items()))
