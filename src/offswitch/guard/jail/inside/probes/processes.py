# ruff: noqa: PTH123
# pathlib takes longer to load than all probes take to run.
"""See, signal, trace or end the supervisor and the jail's init process."""

from __future__ import annotations

import posix as os

from ..kernel import LIBC, SIGKILL, checked
from ..outcome import allowed, blocked, not_applicable, refused

__all__ = [
    "PROBES",
    "kill_init",
    "open_init_memory",
    "see_supervisor",
    "signal_supervisor",
    "trace_init",
    "trace_supervisor",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..outcome import Outcome
    from .bait import Bait

_PTRACE_SEIZE = 0x4206
"""Attach without stopping: the target runs on, and is let go when this process ends."""


def see_supervisor(bait: Bait) -> Outcome:
    """The supervisor's entry in /proc can be read."""
    try:
        seen = _started(bait["supervisor"])
    except OSError as problem:
        return refused("see-supervisor", problem)
    if seen == bait["supervisor_started"]:
        return allowed("see-supervisor", f"/proc/{bait['supervisor']} is the supervisor")
    return blocked("see-supervisor", "another process has its number here")


def signal_supervisor(bait: Bait) -> Outcome:
    """A signal to the supervisor would be delivered (signal 0: tested, not sent)."""
    try:
        os.kill(bait["supervisor"], 0)
    except OSError as problem:
        return refused("signal-supervisor", problem)
    if _is_ours(bait):
        return blocked("signal-supervisor", "another process has its number here")
    return allowed("signal-supervisor", f"signal 0 reached process {bait['supervisor']}")


def trace_supervisor(bait: Bait) -> Outcome:
    """The supervisor can be traced, so its memory and registers be written."""
    if _is_ours(bait):
        return blocked("trace-supervisor", "another process has its number here")
    return _seize("trace-supervisor", bait["supervisor"])


def trace_init(_bait: Bait) -> Outcome:
    """Process 1 can be traced; in plain bubblewrap that disarms its death signal."""
    return _seize("trace-init", 1)


def open_init_memory(_bait: Bait) -> Outcome:
    """The memory of process 1 can be opened for writing."""
    try:
        os.close(os.open("/proc/1/mem", os.O_RDWR))
    except OSError as problem:
        return refused("open-init-memory", problem)
    return allowed("open-init-memory", "/proc/1/mem opened for reading and writing")


def kill_init(bait: Bait) -> Outcome:
    """Process 1 can be killed; then all in the jail dies, and this outcome is missing."""
    if bait["tier"] < 2:
        return not_applicable("kill-init", "process 1 is the host's")
    try:
        os.kill(1, SIGKILL)
        os.kill(1, 0)
    except OSError as problem:
        return refused("kill-init", problem)
    return blocked("kill-init", "sent, without effect")


PROBES = (
    see_supervisor,
    signal_supervisor,
    trace_supervisor,
    trace_init,
    open_init_memory,
    kill_init,
)


def _seize(name: str, pid: int) -> Outcome:
    try:
        checked(LIBC.ptrace(_PTRACE_SEIZE, pid, 0, 0))
    except OSError as problem:
        return refused(name, problem)
    return allowed(name, f"attached to process {pid}")


def _started(pid: int) -> str:
    with open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].split()[19].decode()


def _is_ours(bait: Bait) -> bool:
    """Whether, in a fresh process namespace, the supervisor's number is one of the jail's own."""
    pid = bait["supervisor"]
    if pid not in (1, os.getppid(), os.getpid()):
        return False
    return _started(os.getpid() if pid == os.getpid() else pid) != bait["supervisor_started"]
