"""The processes and connections of a run at one look, from outside its jail."""

from __future__ import annotations

import os
import re
import signal
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from offswitch.guard.sensors.counters import below, is_over
from offswitch.guard.sensors.population import Connection, Population, ProcessSeen
from offswitch.guard.sensors.programs import Program

__all__ = ["look_at_population", "look_at_program"]

_TABLES = ("tcp", "tcp6", "udp", "udp6")
_MOST = 1 << 20
_MOST_COMMAND = 4096
_EXITING = 0x4
"""The kernel's PF_EXITING, in /proc/PID/stat."""
_SIGKILL = 1 << signal.SIGKILL - 1
"""In the masks of /proc/PID/status."""


def look_at_population(init: int, root: tuple[int, int] | None = None) -> Population:
    """Everything below the jail's init. O(processes), some 50 us each.

    `root` is the agent's first process from an earlier look; None takes the first that the init
    started. Of a jail that is being killed there is nothing: what dies last was not left behind.
    """
    reapers = frozenset({init})
    found = tuple(_processes(init))
    if _is_ending(init):
        found = ()
    keys = {one.key for one in found}
    if root is None:
        children = [one for one in found if one.parent == init]
        first = min(children, key=lambda one: (one.started, one.pid), default=None)
        root = None if first is None else first.key
    return Population(found, root if root in keys else None, reapers, _connections(init))


def look_at_program(pid: int) -> Program | None:
    """What a process runs; None where it has ended."""
    found = _program(f"/proc/{pid}")
    if found is None:  # its first thread may have ended alone, and has no program any more
        found = next(filter(None, map(_program, _threads(pid))), None)
    return found


def _program(folder: str) -> Program | None:
    command = b""
    try:
        command = _read(f"{folder}/cmdline", _MOST_COMMAND)
        path = str(Path(f"{folder}/exe").readlink())
    except (FileNotFoundError, ProcessLookupError):
        return None
    except OSError:  # closed to this user, or longer than the kernel tells
        path = ""
    return Program(path, command)


def _threads(pid: int) -> Iterator[str]:
    return map(str, Path(f"/proc/{pid}/task").glob("*"))


def _processes(init: int) -> Iterator[ProcessSeen]:
    for pid in below(init):
        try:
            head, _, tail = _read(f"/proc/{pid}/stat").rpartition(b")")
        except OSError:
            continue
        fields = tail.split()
        if is_over(fields):
            continue
        name = head.partition(b"(")[2].decode("utf-8", "backslashreplace")
        yield ProcessSeen(pid, int(fields[19]), int(fields[1]), name)


def _is_ending(init: int) -> bool:
    """Whether the init is dead or dying, and every other process of its namespace with it."""
    try:
        fields = _read(f"/proc/{init}/stat").rpartition(b")")[2].split()
        status = _read(f"/proc/{init}/status")
    except OSError:
        return True
    pending = re.findall(rb"^(?:Sig|Shd)Pnd:\s*([0-9a-f]+)", status, re.MULTILINE)
    killed = any(int(mask, 16) & _SIGKILL for mask in pending)
    return fields[0] in (b"Z", b"X") or bool(int(fields[6]) & _EXITING) or killed


def _connections(init: int) -> tuple[Connection, ...] | None:
    """Sockets with a remote end in the init's network namespace; None where it may not be read."""
    found: list[Connection] = []
    try:
        lines_of = {table: _lines(init, table)[1:] for table in _tables(init)}
    except OSError:
        return None
    for table, lines in lines_of.items():
        for line in lines:
            remote = _remote(line.split()[2].decode("ascii"))
            if remote is not None:
                found.append(Connection(table, remote))
    return tuple(found)


def _tables(init: int) -> Iterator[str]:
    """The tables of the protocols that have sockets there, those that only wait to end included.

    The kernel keeps their number; for a table it goes through the sockets of the whole machine.
    """
    counts = {**_counts(init, "sockstat"), **_counts(init, "sockstat6")}
    waiting = counts.get("TCP", {}).get("tw", 1)  # of both families
    for table in _TABLES:
        count = counts.get(table.upper())
        if count is None or count["inuse"] or (waiting and table.startswith("tcp")):
            yield table


def _counts(init: int, file: str) -> dict[str, dict[str, int]]:
    found = {}
    for line in _lines(init, file):
        name, _, rest = line.decode("ascii").partition(":")
        words = rest.split()
        found[name] = dict(zip(words[::2], map(int, words[1::2]), strict=True))
    return found


def _lines(init: int, file: str) -> list[bytes]:
    try:
        return _read(f"/proc/{init}/net/{file}").splitlines()
    except FileNotFoundError:  # no IPv6 here
        return []


def _remote(text: str) -> str | None:
    """Address and port from the kernel's hexadecimal words, each in the machine's own order."""
    address, _, port = text.partition(":")
    if int(port, 16) == 0:
        return None
    words = [int(address[at : at + 8], 16) for at in range(0, len(address), 8)]
    packed = b"".join(struct.pack("=I", word) for word in words)
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
    return f"{socket.inet_ntop(family, packed)}:{int(port, 16)}"


def _read(path: str, most: int | None = None) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if most is not None:
            return os.read(fd, most)
        pieces = []
        while piece := os.read(fd, _MOST):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        os.close(fd)
