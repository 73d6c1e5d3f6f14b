"""What is left of a run that ended before its launch was noted, and how that is known.

No process of such a run is named anywhere. Its watchdog knew them, for nothing starts but through
it: its note of the end counts, and where it had not been started there is nothing to be left.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from offswitch.guard.stop.processes import boot_id
from offswitch.guard.stop.stopped import STOPPED
from offswitch.guard.supervisor.link import LOG
from offswitch.guard.supervisor.runs import BEGUN, Run, read_state

__all__ = ["Unnoted", "left_unnoted"]

WATCHDOG_S = 2.0
"""How long a watchdog that is still at work is waited for."""
POLL_S = 0.02


class Unnoted(NamedTuple):
    """Of a run whose supervisor has ended and that has no state file."""

    empty: bool
    """Whether nothing of it runs."""
    known: str
    """How that is known, or why it is not."""


def left_unnoted(run: Run) -> Unnoted:
    """Whether anything of it can be left. Waits up to `WATCHDOG_S` for its watchdog's word.

    Raises: GuardError when its notes cannot be read.
    """
    boot = read_state(run, BEGUN).get("boot")
    if boot is not None and boot != boot_id():
        return Unnoted(True, "the machine was started anew since")
    if not (run.folder / LOG).exists():
        return Unnoted(True, "its watchdog was never started, and nothing starts before that")
    end = time.monotonic() + WATCHDOG_S
    while not (stopped := read_state(run, STOPPED)) and time.monotonic() < end:
        time.sleep(POLL_S)
    kill = stopped.get("kill")
    if not isinstance(kill, dict):
        return Unnoted(False, "its watchdog was started, and left no word of the end")
    if alive := kill.get("survivors"):
        return Unnoted(False, f"its watchdog found {', '.join(map(str, alive))} alive at the end")
    return Unnoted(True, "its watchdog found nothing alive at the end")
