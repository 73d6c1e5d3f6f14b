"""offswitch guard resume."""

from __future__ import annotations

import click

from offswitch.cli.guard.request import requested

__all__ = ["command"]


@click.command("resume")
@click.argument("run")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(run: str, as_json: bool) -> None:
    """Thaw a run that was paused or frozen, or end what an alarm holds or slows.

    Example: offswitch guard resume 20261121
    """
    requested(run, {"request": "resume"}, as_json=as_json)
