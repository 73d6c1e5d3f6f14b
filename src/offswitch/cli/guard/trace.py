"""offswitch guard trace."""

from __future__ import annotations

import sys

import click

__all__ = ["command"]


@click.command("trace")
@click.argument("run")
@click.option(
    "--send", metavar="ADDRESS",
    help="OTLP collector, such as http://127.0.0.1:4318.  [default: print JSON]",
)  # fmt: skip
def command(run: str, send: str | None) -> None:
    """Turn a run's ledger into OpenTelemetry spans: the run, its acts, pauses and stop.

    Example: offswitch guard trace 20261121 --send http://127.0.0.1:4318
    """
    from offswitch.guard.guarded_run import LEDGER
    from offswitch.guard.ledger.reading import read_records
    from offswitch.guard.supervisor.runs import find_run
    from offswitch.guard.watch.spans import spans_of
    from offswitch.guard.watch.tracing import console_exporter, otlp_exporter, send_spans

    found = find_run(run)
    root = spans_of(read_records(found.folder / LEDGER), found.id)
    if send is None:
        send_spans(root, console_exporter(sys.stdout))
    else:
        click.echo(f"Sent {send_spans(root, otlp_exporter(send))} spans to {send}.", err=True)
