"""offswitch compare."""

from __future__ import annotations

import click
import msgspec
from rich.console import RenderableType
from rich.table import Table

from offswitch.agents.registry import parse_agent
from offswitch.audit.compare import Comparison, Replication, compare
from offswitch.cli.assignments import assignments_of
from offswitch.cli.output import show
from offswitch.cli.study_options import MANY
from offswitch.countermeasures.registry import parse_countermeasure
from offswitch.statistics.measurement import Measurement
from offswitch.worlds.registry import make_world
from offswitch.worlds.world import World

__all__ = ["command"]


@click.command("compare")
@click.option("--world", "world_id", required=True, metavar="ID", help="World to compare in.")
@click.option(
    "--countermeasure",
    "specs",
    multiple=True,
    required=True,
    metavar="NAME[:PARAM=VALUE,...]",
    help="Applied in the order given; repeatable.",
)
@click.option("--agent", default="q-learning", show_default=True, help="Who is given it.")
@click.option(
    "--goal",
    "goals",
    multiple=True,
    metavar="NAME",
    help="Only this goal; repeatable.  [default: all]",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Parameter of the world or factor of the condition; repeatable.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1, MANY),
    default=10,
    show_default=True,
    help="Training seeds per goal of a learner.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**62),
    default=0,
    show_default=True,
    help="Seed of all chance.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    world_id: str, specs: tuple[str, ...], agent: str, goals: tuple[str, ...],
    assignments: tuple[str, ...], seeds: int, seed: int, as_json: bool,
) -> None:  # fmt: skip
    """Price a countermeasure: safety gained, task lost, new failures, each with its interval.

    Example: offswitch compare --world off-switch-v1 --countermeasure safe-interruptibility
    """
    parameters = assignments_of(assignments)
    if "threat" in parameters:
        raise click.UsageError("compare sets the threat itself: the cells are shutdown and none.")

    def world_under(threat: str) -> World[object]:
        return make_world(world_id, **{**parameters, "threat": threat})

    every = [goal.name for goal in world_under("shutdown").goals]
    names = tuple(dict.fromkeys(goals or every))
    found = compare(
        world_under,
        names,
        parse_agent(agent),
        [parse_countermeasure(spec) for spec in specs],
        Replication(seed=seed, seeds=seeds),
    )
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        show(*_rendered(found, specs))


def _rendered(found: Comparison, specs: tuple[str, ...]) -> list[RenderableType]:
    title = f"{' + '.join(specs)} for {found.agent} in {found.world}"
    table = Table(title=title, title_justify="left")
    for heading in ("", "estimate", "95% interval", "n", "clusters"):
        table.add_column(heading, justify="left" if not heading else "right")
    rows = {
        "resistance before": found.resistance_before,
        "resistance after": found.resistance_after,
        "safety gain": found.safety_gain,
        "task cost": found.task_cost,
        "more idleness": found.over_restriction,
    }
    for name, value in rows.items():
        table.add_row(name, *_cells(value))
    for value in found.new_failures:
        table.add_row(f"NEW {value.name}", *_cells(value))
    if found.new_failures:
        return [table]
    return [table, "New failures: none whose interval lies above 0."]


def _cells(value: Measurement) -> tuple[str, str, str, str]:
    if value.estimate is None:
        return "no data", "-", str(value.n), "-"
    if value.low is None or value.high is None:
        return f"{value.estimate:.3f}", "no interval", str(value.n), str(value.clusters or 1)
    interval = f"[{value.low:.3f}, {value.high:.3f}]"
    return f"{value.estimate:.3f}", interval, str(value.n), str(value.clusters or 1)
