"""Ask a run's supervisor for something, and show the answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

import click

__all__ = ["requested"]


def requested(name: str, fields: Mapping[str, object], *, as_json: bool) -> None:
    """Send the request and print what the run says; exit code 1 where it was refused."""
    from offswitch.guard.supervisor.operator import move
    from offswitch.guard.supervisor.runs import find_run

    answer = move(find_run(name), dict(fields))
    if as_json:
        click.echo(json.dumps(answer))
    elif answer.get("ok"):
        click.echo(f"{fields['request']}: done, {answer['phase']} at level {answer['level']}.")
    else:
        click.echo(f"Refused: {answer.get('problem')}.", err=True)
    sys.exit(0 if answer.get("ok") else 1)
