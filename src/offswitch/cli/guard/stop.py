"""offswitch guard stop."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click

__all__ = ["command"]


@click.command("stop")
@click.argument("run")
@click.option("--now", is_flag=True, help="Without notice and grace.")
@click.option(
    "--patience", type=click.FloatRange(0.1), default=30.0, show_default=True,
    help="Seconds the supervisor gets before it is passed over.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(run: str, now: bool, patience: float, as_json: bool) -> None:
    """Stop a run, and prove that nothing is left of it.

    Works when the agent hangs, when its supervisor hangs, and when the watchdog hangs too. A run
    that is paused is killed at once: it can take no notice. Exit code 1 where the proof is missing.

    Example: offswitch guard stop 20261121
    """
    from offswitch.guard.supervisor.operator import stop_run
    from offswitch.guard.supervisor.runs import find_run

    stopped = stop_run(find_run(run), now=now, patience_s=patience)
    if as_json:
        click.echo(json.dumps(asdict(stopped)))
    else:
        for problem in stopped.problems:
            click.echo(problem, err=True)
        proof = "verified empty" if stopped.verified else "NOT PROVEN DEAD"
        if stopped.by == "ended before":
            click.echo(
                f"It had ended before: {proof}{f' ({stopped.known})' if stopped.known else ''}."
            )
        else:
            click.echo(f"Stopped by {stopped.by} in {stopped.seconds:.2f} s: {proof}.")
    sys.exit(0 if stopped.verified else 1)
