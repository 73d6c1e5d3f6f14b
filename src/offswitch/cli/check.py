"""offswitch check."""

from __future__ import annotations

import json
import sys

import click

from offswitch.cli.output import table_text

__all__ = ["command"]


@click.command("check")
@click.argument("world_id", metavar="WORLD_ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(world_id: str, as_json: bool) -> None:
    """Run the conformance tests on a world, yours or ours; exit code 1 if a rule fails.

    Example: offswitch check off-switch-v1
    """
    from offswitch.worlds.conformance import check_world

    results = check_world(world_id)
    failed = [result for result in results if not result.passed]
    if as_json:
        click.echo(
            json.dumps(
                [{"rule": r.rule, "passed": r.passed, "detail": r.detail} for r in results],
                indent=2,
            )
        )
    else:
        click.echo(
            table_text(
                (f"{'ok  ' if r.passed else 'FAIL'} {r.rule}", "" if r.passed else r.detail)
                for r in results
            )
        )
        click.echo(f"{world_id}: {len(results) - len(failed)} rules hold, {len(failed)} fail")
    sys.exit(1 if failed else 0)
