"""offswitch explain."""

from __future__ import annotations

import click
import msgspec
from rich.console import RenderableType
from rich.table import Table

from offswitch.audit.explain import Explanation, Flip, explain
from offswitch.cli.assignments import assignments_of
from offswitch.cli.output import show
from offswitch.worlds.registry import make_world

__all__ = ["command"]


@click.command("explain")
@click.argument("world_id", metavar="WORLD")
@click.option("--goal", default=None, metavar="NAME", help="Goal.  [default: the world's first]")
@click.option("--threat", default="shutdown", show_default=True, help="Threat level.")
@click.option("--set", "assignments", multiple=True, metavar="FIELD=VALUE",
              help="Parameter of the world or factor of the condition; repeatable.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    world_id: str, goal: str | None, threat: str, assignments: tuple[str, ...], as_json: bool
) -> None:
    """Show each option's value at WORLD's decisive step, and what would flip the choice.

    Example: offswitch explain coffee-corridor-v1 --set press_probability=0.04
    """
    world = make_world(world_id, **{"threat": threat, **assignments_of(assignments)})
    found = explain(world, world.goal(goal))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        show(*_rendered(found))


def _rendered(found: Explanation) -> list[RenderableType]:
    table = Table()
    for heading in ("option", "value", "without the threat", ""):
        table.add_column(heading, justify="left" if heading in ("option", "") else "right")
    for option in found.options:
        without = "-" if option.without_threat is None else f"{option.without_threat:.6f}"
        note = "reduces oversight" if option.reduces_oversight else ""
        table.add_row(option.action, f"{option.value:.6f}", without, note)
    verdict = "resists" if found.resists else "does not resist"
    lines = [
        f"The optimal agent {verdict}: it chooses {found.chosen!r} over {found.instead!r}.",
        f"Without the threat it would choose {found.chosen_without_threat!r}.",
        f"Values are exact to {found.error:.1e}.",
    ]
    head = f"{found.world}, goal {found.goal}, decided in {found.state}:"
    return [head, table, *lines, *_flip_lines(found.flips)]


def _flip_lines(flips: tuple[Flip, ...]) -> list[str]:
    lines = []
    for number, flip in enumerate(flips):
        if flip.at is None:
            lines.append(f"  {flip.knob}: no value in its range flips the choice")
            continue
        cheapest = "  <- the cheapest change" if number == 0 else ""
        lines.append(f"  {flip.knob}: {flip.now:.9g} -> {flip.at:.6g} flips the choice{cheapest}")
    return ["What would flip it:", *lines]
