"""The processes below one, walked from parent to child, with what each of their threads does.

Costs what the tree costs, however many other processes there are. A process that is stopped has
made all its children by then, so they are all found; one that runs may make more behind the walk.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["Walked", "can_walk", "lineage"]

_STILL = b"TtZX"
"""Letters of threads that do nothing: stopped, traced, dead."""
_DEAD = b"ZX"


class Walked(NamedTuple):
    """One process as the walk met it."""

    pid: int
    """Number in this process's own pid namespace."""
    started: int
    """Clock ticks after boot."""
    running: bool
    """Whether a thread of it was not stopped. The state of a process alone would not do: it is that
    of its first thread, which may have ended while others run on."""


def can_walk() -> bool:
    """Whether this kernel lists the children of a process (CONFIG_PROC_CHILDREN)."""
    return os.path.exists("/proc/thread-self/children")


def lineage(roots: Iterable[int]) -> frozenset[Walked]:
    """The living roots and everything that lives below them. O(threads), about 50 us each."""
    waiting, met, found = list(roots), set[int](), set[Walked]()
    while waiting:
        pid = waiting.pop()
        if pid not in met:
            met.add(pid)
            one, below = _visited(pid)
            waiting += below
            if one is not None:
                found.add(one)
    return frozenset(found)


def _visited(pid: int) -> tuple[Walked | None, list[int]]:
    """The process and its children; None for a dead one, whose children are its heir's by then."""
    started, running, dead, below = 0, False, True, list[int]()
    for name in _threads(pid):
        folder = f"/proc/{pid}/task/{name}"
        # Its state first: a thread that has stopped by now makes no child that is not listed next.
        text = _read(f"{folder}/stat")
        rest = text[text.rfind(b")") + 2 :]
        if not rest:
            continue
        running = running or rest[:1] not in _STILL
        dead = dead and rest[:1] in _DEAD
        if int(name) == pid:
            started = int(rest.split(b" ", 20)[19])
        below += map(int, _read(f"{folder}/children").split())
    return None if dead else Walked(pid, started, running), below


def _threads(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:  # it has ended
        return []


def _read(path: str) -> bytes:
    """The whole file: the kernel hands out long lists of children in pieces."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        text = b""
        while piece := os.read(fd, 1 << 16):
            text += piece
        return text
    except ProcessLookupError:  # it ended while it was read
        return b""
    finally:
        os.close(fd)
