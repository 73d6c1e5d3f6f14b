"""Handles of processes that no reuse of a process number can turn on somebody else."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterable

from .processes import read_process

__all__ = ["has_ended", "kill_all", "open_child", "open_process", "pid_of", "send", "wait_ended"]


def open_process(pid: int, started: int) -> int | None:
    """A pidfd of the process with this number and start time (ticks after boot), or None.

    The check comes after the opening: a number reused in between has another start time.
    """
    return _open_if(pid, started=started)


def open_child(pid: int, parent: int) -> int | None:
    """A pidfd of `pid` while it is a child of `parent`, or None.

    Safe when `parent` cannot have been reaped yet, for then its number cannot be another's.
    """
    return _open_if(pid, parent=parent)


def pid_of(pidfd: int) -> int | None:
    """The number of the process, or None once it has been reaped or may not be asked."""
    try:
        with open(f"/proc/self/fdinfo/{pidfd}", "rb") as file:
            found = [int(line.split()[1]) for line in file if line.startswith(b"Pid:")]
    except OSError:
        return None
    return found[0] if found and found[0] > 0 else None


def has_ended(pidfd: int) -> bool:
    """Whether the process is dead; of a pid namespace's init, whether its namespace is empty.

    The kernel lets an init die only after every other process of the namespace is gone.
    """
    return wait_ended(pidfd, 0.0)


def wait_ended(pidfd: int, seconds: float) -> bool:
    """Whether the process is dead within the time."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(max(0.0, seconds) * 1000))


def send(pidfd: int, number: int) -> bool:
    """Whether the signal could be sent: False for a process that is already dead."""
    try:
        signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        return False
    return True


def kill_all(pidfds: Iterable[int | None]) -> None:
    """Send SIGKILL to every process given; the dead and the absent are left alone."""
    for pidfd in pidfds:
        if pidfd is not None:
            send(pidfd, signal.SIGKILL)


def _open_if(pid: int, *, started: int | None = None, parent: int | None = None) -> int | None:
    try:
        pidfd = os.pidfd_open(pid)
    except (ProcessLookupError, ValueError, OverflowError):
        return None
    found = read_process(pid)
    if found is not None and started in (None, found.started) and parent in (None, found.parent):
        return pidfd
    os.close(pidfd)
    return None
