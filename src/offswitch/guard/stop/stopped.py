"""The note that says why a run was killed, for whoever looks after everything else is gone."""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import Any  # values of a JSON object

__all__ = ["STOPPED", "say_unproven", "write_stopped"]

STOPPED = "stopped.json"


def write_stopped(folder_fd: int, fields: dict[str, Any]) -> bool:
    """Whether the note is on disk: `fields` and the wall-clock time, whole or not at all.

    A disk that is full must not hold up a kill, so this never raises; it says so on descriptor 2.
    """
    path = f"/proc/self/fd/{folder_fd}/{STOPPED}"
    try:
        fd = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, json.dumps({**fields, "time": time.time()}).encode())
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(f"{path}.new", path)
    except OSError as error:
        with contextlib.suppress(OSError):  # its log lies on the same disk
            os.write(2, f"{STOPPED} not written: {error}\n".encode())
        return False
    return True


def say_unproven(survivors: tuple[int, ...], said: str = "") -> str:
    """What descriptor 2 is told of a run that a kill has not proven dead; not `said` once more."""
    alive = ", ".join(map(str, survivors))
    left = f"processes {alive} live after SIGKILL; it goes on" if alive else "none is found alive"
    text = f"watchdog: the run is NOT PROVEN DEAD: {left}\n"
    if text != said:
        with contextlib.suppress(OSError):  # nobody reads it; the note in the folder stays
            os.write(2, text.encode())
    return text
