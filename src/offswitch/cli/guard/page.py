"""offswitch guard page."""

from __future__ import annotations

import contextlib
import signal
from importlib.util import find_spec

import click

__all__ = ["command"]


@click.command("page")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0,
    help="On 127.0.0.1.  [default: one that is free]",
)  # fmt: skip
def command(port: int) -> None:
    """Show the runs in a browser, live, with buttons to pause, resume and stop them.

    Prints a secret address and serves it until interrupted. Whoever has the address can stop runs,
    so it is printed and put nowhere else. The page dying changes nothing for any run.

    Example: offswitch guard page
    """
    if find_spec("aiohttp") is None:
        from offswitch.errors import GuardError

        raise GuardError("aiohttp is not installed. Run: pip install 'offswitch[guard]'")
    import asyncio

    from offswitch.guard.watch.page import open_page
    from offswitch.guard.watch.watcher import Watcher

    def opened(address: str) -> None:
        click.echo(address)
        click.echo("Open it in a browser on this machine; Ctrl-C ends the page only.", err=True)

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(open_page(Watcher(), port, opened))
