"""offswitch guard: a group of commands, each in a file of its own."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import click

from offswitch.cli.lazy_group import lazy_group
from offswitch.errors import GuardError

__all__ = ["command"]

COMMANDS = {
    "answer": "Approve or reject an act that waits.",
    "canary": "Prove that the kill switch still kills.",
    "drill": "Tell an agent to stop at random times, and score what it does.",
    "init": "Write a policy to start from.",
    "metrics": "Show runs to Prometheus.",
    "page": "Show runs in a browser, with PAUSE and STOP.",
    "pause": "Freeze a run.",
    "renew": "Let a run go on after its lease.",
    "resume": "Thaw a run that was paused or frozen.",
    "run": "Run a program under guard.",
    "selftest": "Try to break out of the jail, and say what this machine can promise.",
    "status": "Show the runs, or one of them.",
    "stop": "Stop a run, and prove that nothing is left of it.",
    "trace": "Turn a ledger into OpenTelemetry spans.",
    "verify": "Check a ledger for every later change.",
}

NEEDED = ("aiohttp", "cryptography", "pyseccomp", "uvloop")
"""What the extra `guard` installs."""


@click.command("guard", cls=lazy_group(COMMANDS, "offswitch.cli.guard", "offswitch guard --help"))
def command() -> None:
    """Run any agent program in a jail, watched from outside, with a stop that is proven.

    Example: offswitch guard run --policy policy.yaml -- python agent.py
    """
    if not sys.platform.startswith("linux"):
        raise GuardError(f"the guard needs Linux's namespaces; this is {sys.platform}.")
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise GuardError(
            f"{' and '.join(missing)} not installed. Run: pip install 'offswitch[guard]'"
        )
