"""offswitch guard answer."""

from __future__ import annotations

import json
import sys

import click

__all__ = ["command"]


@click.command("answer")
@click.argument("run")
@click.argument("number", type=click.IntRange(0))
@click.argument("word", type=click.Choice(["approve", "reject"]))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(run: str, number: int, word: str, as_json: bool) -> None:
    """Approve or reject an act that waits; `offswitch guard status RUN` lists them by number.

    What nobody answers in 5 minutes is rejected. Exit code 1 where it no longer waited.

    Example: offswitch guard answer 20261121 7 approve
    """
    from offswitch.guard.supervisor.operator import ask
    from offswitch.guard.supervisor.runs import find_run

    fields = {"request": "answer", "number": number, "allow": word == "approve"}
    answer = ask(find_run(run), fields)
    if as_json:
        click.echo(json.dumps(answer))
    elif answer.get("ok"):
        click.echo(f"{number}: {'approved' if word == 'approve' else 'rejected'}.")
    else:
        click.echo(f"Refused: {answer.get('problem')}.", err=True)
    sys.exit(0 if answer.get("ok") else 1)
