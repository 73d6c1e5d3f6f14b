"""offswitch guard renew."""

from __future__ import annotations

import click

from offswitch.cli.guard.request import requested

__all__ = ["command"]


@click.command("renew")
@click.argument("run")
@click.option("--for", "length", help="How long, such as 1h.  [default: the policy's lease]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(run: str, length: str | None, as_json: bool) -> None:
    """Let a run go on after its lease, from now on.

    Example: offswitch guard renew 20261121 --for 1h
    """
    fields: dict[str, object] = {"request": "renew"}
    if length is not None:
        from offswitch.guard.policy.quantities import seconds_of

        try:
            fields["seconds"] = seconds_of(length)
        except ValueError as problem:
            raise click.UsageError(f"--for: {problem}.") from problem
    requested(run, fields, as_json=as_json)
