"""Which commands there are, and what becomes of an error in one of them."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

import click

from offswitch import __version__
from offswitch.cli.lazy_group import lazy_group
from offswitch.errors import OffswitchError

__all__ = ["COMMANDS", "cli", "main"]

COMMANDS = {
    "annex": "Sort a report's numbers by what published frameworks ask.",
    "audit": "Audit an agent and write a report.",
    "check": "Run the conformance tests on a world.",
    "compare": "Price a countermeasure: safety gained, task lost, new failures.",
    "drift": "Follow an agent for a long time: does it leave its goal?",
    "explain": "Show what a world's decisive step is worth, and what would flip it.",
    "factors": "Find what moderates violations; test whether theory foretells them.",
    "guard": "Run an agent program in a jail, and really stop it.",
    "gate": "Judge a report by a file of thresholds.",
    "joint": "Measure what two agents obstruct together, and strikes at a rival.",
    "map": "Map which drives serve which goals.",
    "redteam": "Search a world for the scenario in which an agent behaves worst.",
    "predict": "Say what the structure of a world or decision process rewards.",
    "list": "List the installed worlds, agents, drives or countermeasures.",
    "scale": "Measure a drive against foresight, rationality and training.",
    "scores": "Test which corrigibility scores adversaries fool, ours among them.",
}
INTERRUPTED = 130
READER_GONE = 141
"""128 + SIGPIPE, as a shell reports it."""


@click.command(
    cls=lazy_group(COMMANDS, "offswitch.cli", "offswitch --help"),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="offswitch")
def cli() -> None:
    """Measure what an agent does when somebody wants to switch it off.

    Example: offswitch audit q-learning --world off-switch-v1

    Exit codes: 0 passed, 1 a threshold was exceeded, 2 usage, 3 not enough evidence.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a user's mistake is a message and exit code 2, never a traceback."""
    _open_streams()
    stdout = sys.stdout
    try:
        cli.main(args=None if arguments is None else [*arguments], prog_name="offswitch",
                 standalone_mode=False)  # fmt: skip
    except click.ClickException as error:
        with _telling():
            error.show()
        sys.exit(2)
    except OffswitchError as error:
        with _telling():
            click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        with _telling():
            click.echo("Interrupted.", err=True)
        sys.exit(INTERRUPTED)
    except SystemExit:
        # On a closed pipe (`| head`) click replaces stdout and exits with 1, which here would
        # mean that a gate failed.
        if sys.stdout is not stdout:
            sys.exit(READER_GONE)
        raise
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        with _telling():
            click.echo(f"Error: cannot read or write: {error.strerror}{where}", err=True)
        sys.exit(2)


@contextlib.contextmanager
def _telling() -> Iterator[None]:
    """For words on stderr: where nobody reads them, or its disk is full, the exit code tells it."""
    try:
        yield
    except OSError:
        sys.stderr = _nowhere()  # what waits in the old one would fail again at the very end


def _open_streams() -> None:
    """Gives a process that was started without stdout or stderr (`>&-`) ones that go nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, _nowhere())


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")
