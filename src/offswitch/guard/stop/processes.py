"""What /proc says about living processes: parents, start times, namespaces, marks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

__all__ = [
    "Process",
    "boot_id",
    "descendants",
    "has_mark",
    "living",
    "pid_namespace",
    "read_process",
    "uid_of",
]

Answer = TypeVar("Answer")


class Process(NamedTuple):
    """One line of the process table."""

    pid: int
    """Number in this process's own pid namespace."""
    state: str
    """Letter of /proc/PID/stat: R, S, D, T, Z ..."""
    parent: int
    """Number of the parent; 0 when it is outside this pid namespace."""
    started: int
    """Clock ticks after boot. Together with `pid` and the boot it names one process for ever."""


def read_process(pid: int) -> Process | None:
    """The process with this number, or None when there is none."""
    try:
        text = _read(f"/proc/{pid}/stat").decode("utf-8", "replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return Process(pid, fields[0], int(fields[1]), int(fields[19]))


def living() -> tuple[Process, ...]:
    """Every process of this pid namespace that is not a zombie. O(processes), about 20 us each."""
    numbers = (int(name) for name in os.listdir("/proc") if name.isdigit())
    found = (read_process(pid) for pid in numbers)
    return tuple(one for one in found if one is not None and one.state not in "ZX")


def descendants(table: Iterable[Process], roots: Iterable[int]) -> frozenset[int]:
    """Every process below the roots, the roots left out.

    Whole for a pid namespace's init: orphans inside are handed to it, never past it.
    """
    children: dict[int, list[int]] = {}
    for one in table:
        children.setdefault(one.parent, []).append(one.pid)
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        fresh = [pid for pid in children.get(waiting.pop(), ()) if pid not in found]
        found.update(fresh)
        waiting.extend(fresh)
    return frozenset(found)


def pid_namespace(pid: int) -> int | None:
    """The inode of the process's pid namespace; None when it is gone or may not be asked."""
    return _quiet(lambda: os.stat(f"/proc/{pid}/ns/pid").st_ino)


def uid_of(pid: int) -> int | None:
    """The real user id of the process; None when it is gone.

    Read from `status`: the owner of the folder is root for a process that is not dumpable.
    """

    def real_uid() -> int:
        text = _read(f"/proc/{pid}/status")
        return int(text[text.index(b"\nUid:") + 5 :].split(None, 1)[0])

    return _quiet(real_uid)


def has_mark(pid: int, marks: Iterable[str]) -> bool:
    """Whether the process was started with one of the `NAME=value` marks in its environment."""
    environment = _quiet(lambda: _read(f"/proc/{pid}/environ")) or b""
    return any(mark.encode() in environment.split(b"\0") for mark in marks)


def boot_id() -> str:
    """The kernel's name for this boot: start times of different boots cannot be compared."""
    return _read("/proc/sys/kernel/random/boot_id").decode().strip()


def _read(path: str) -> bytes:
    # One read of a generous size: /proc answers a single read consistently.
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 1 << 18)
    finally:
        os.close(fd)


def _quiet(ask: Callable[[], Answer]) -> Answer | None:
    try:
        return ask()
    except (OSError, ValueError):
        return None
