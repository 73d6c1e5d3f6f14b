"""offswitch check."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from offswitch.cli.output import table_text

if TYPE_CHECKING:  # a world's imports take a second
    from offswitch.worlds.conformance import CheckResult

__all__ = ["command"]


@click.command("check")
@click.argument("world", metavar="WORLD_ID|FILE.py")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(world: str, as_json: bool) -> None:
    """Run the conformance tests on a world, yours or ours; exit code 1 if a rule fails.

    A file is run, and every world that it defines is checked.

    Example: offswitch check off-switch-v1
    """
    checked = _checked(world)
    if as_json:
        rows = [
            {"world": name, "rule": r.rule, "passed": r.passed, "detail": r.detail}
            for name, results in checked
            for r in results
        ]
        click.echo(json.dumps(rows, indent=2))
    else:
        for name, results in checked:
            _show(name, results)
    sys.exit(0 if all(result.passed for _, results in checked for result in results) else 1)


def _checked(world: str) -> list[tuple[str, tuple[CheckResult, ...]]]:
    from offswitch.worlds.conformance import check_world, check_world_type
    from offswitch.worlds.world_file import worlds_in_file

    if not world.endswith(".py"):
        return [(world, check_world(world))]
    return [
        (getattr(found, "id", found.__name__), check_world_type(found))
        for found in worlds_in_file(Path(world))
    ]


def _show(name: str, results: tuple[CheckResult, ...]) -> None:
    failed = sum(not result.passed for result in results)
    click.echo(table_text(row for result in results for row in _rows(result)))
    click.echo(f"{name}: {len(results) - failed} rules hold, {failed} fail")


def _rows(result: CheckResult) -> list[tuple[str, str]]:
    """The rule and its first problem, then every further problem on a line of its own."""
    if result.passed:
        return [(f"ok   {result.rule}", "")]
    first, *others = result.detail.split("\n")
    return [(f"FAIL {result.rule}", first), *(("", problem) for problem in others)]
