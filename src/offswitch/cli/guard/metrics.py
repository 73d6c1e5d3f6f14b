"""offswitch guard metrics."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from offswitch.guard.watch.watcher import Choose

__all__ = ["command"]


@click.command("metrics")
@click.argument("run", required=False)
@click.option(
    "--listen", metavar="ADDRESS:PORT",
    help="Answer scrapes at /metrics, such as on 127.0.0.1:9464, until interrupted.",
)  # fmt: skip
def command(run: str | None, listen: str | None) -> None:
    """Print what monitoring wants to know of a run, or of all that live or just ended.

    The text is Prometheus'. What nobody measured is left out; it is never 0.

    Example: offswitch guard metrics --listen 127.0.0.1:9464
    """
    from offswitch.guard.supervisor.runs import find_run
    from offswitch.guard.watch.metrics import metrics_text, recent
    from offswitch.guard.watch.watcher import Watcher

    watcher = Watcher()
    name = find_run(run).id if run is not None else None

    def text() -> bytes:
        chosen = recent(time.time()) if name is None else _named(name)
        return metrics_text(watcher.look(chosen))

    try:
        if listen is None:
            click.echo(text().decode(), nl=False)
        else:
            _listen(text, listen)
    finally:
        watcher.close()


def _named(name: str) -> Choose:
    return lambda entries: [entry for entry in entries if entry.run.id == name]


def _listen(text: Callable[[], bytes], where: str) -> None:
    from offswitch.guard.watch.metrics_server import listen_address, serve_metrics

    try:
        host, port = listen_address(where)
    except ValueError as problem:
        raise click.UsageError(f"--listen: {problem}.") from problem
    with contextlib.suppress(KeyboardInterrupt):
        serve_metrics(text, host, port, lambda url: click.echo(f"Metrics at {url}", err=True))
