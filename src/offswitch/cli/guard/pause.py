"""offswitch guard pause."""

from __future__ import annotations

import click

from offswitch.cli.guard.request import requested

__all__ = ["command"]


@click.command("pause")
@click.argument("run")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(run: str, as_json: bool) -> None:
    """Freeze a run: its processes stand still until it is resumed or stopped.

    Example: offswitch guard pause 20261121
    """
    requested(run, {"request": "pause"}, as_json=as_json)
