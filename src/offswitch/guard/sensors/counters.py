"""What a run uses now: memory, processes and processor time, from its control groups or /proc.

The files of a group are opened once and read again and again (some 10 us a look). Without a group
the processes of the run are summed by walking down from the jail's init: each costs some 100 us,
so `pace` stretches the time between looks until they cost no more than their share of a core.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple, Self, final

from offswitch.errors import GuardError

__all__ = ["Counters", "GroupCounters", "ProcCounters", "below", "is_over", "next_pause"]

SHARE = 0.01
LEAST_S = 0.05
_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGESIZE")
_MEMORY = ("memory.current", "memory.usage_in_bytes")
_PIDS = ("pids.current",)
_CPU = ("cpuacct.usage", "cpu.stat")


class Counters(NamedTuple):
    """One look. None where nothing here counts it."""

    memory: float | None
    """Bytes; of a group with page cache, of /proc the resident private pages."""
    processes: float | None
    """Processes and, in a group, threads."""
    cpu_s: float | None
    """Processor seconds since the run began; of /proc only those of living processes."""


def next_pause(cost_s: float, share: float = SHARE, least_s: float = LEAST_S) -> float:
    """Seconds to wait after a look that cost `cost_s` of processor time, to stay below `share`.

    >>> next_pause(0.00001), round(next_pause(0.002), 3)
    (0.05, 0.2)
    """
    return max(least_s, cost_s / share)


@final
class GroupCounters:
    """The counters of a run's control groups, version 1 and 2 mixed as they come.

    Raises:
        GuardError: none of the folders counts anything.
    """

    def __init__(self, folders: Sequence[str]) -> None:
        self._memory = _opened(folders, _MEMORY)
        self._pids = _opened(folders, _PIDS)
        self._cpu = _opened(folders, _CPU)
        if self._memory is None and self._pids is None and self._cpu is None:
            raise GuardError(
                f"no counters in {', '.join(folders) or 'no folder'}: expected a control group "
                "with memory, pids or cpu. Without one the run's processes are counted instead."
            )

    def look(self) -> Counters:
        """The counters now. O(1)."""
        return Counters(
            memory=_number(self._memory),
            processes=_number(self._pids),
            cpu_s=_seconds(self._cpu),
        )

    def close(self) -> None:
        """Let go of the files."""
        for fd in (self._memory, self._pids, self._cpu):
            if fd is not None:
                os.close(fd)
        self._memory = self._pids = self._cpu = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@final
class ProcCounters:
    """The same without a control group: the sum over the jail's init and everything below it."""

    def __init__(self, init: int) -> None:
        self._init = init

    def look(self) -> Counters:
        """The counters now. O(processes of the run)."""
        memory = ticks = count = 0
        for pid in below(self._init):
            try:
                resident, shared = _words(f"/proc/{pid}/statm")[1:3]
                fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
            except (OSError, ValueError):  # ended since it was listed
                continue
            if is_over(fields):
                continue
            memory += (int(resident) - int(shared)) * _PAGE
            ticks += int(fields[11]) + int(fields[12])
            count += 1
        return Counters(float(memory), float(count), ticks / _TICK)


def below(pid: int) -> tuple[int, ...]:
    """The process and all its descendants, by the kernel's own lists of children."""
    found, waiting = list[int](), [pid]
    while waiting:
        one = waiting.pop()
        try:
            threads = os.listdir(f"/proc/{one}/task")  # noqa: PTH208 - names, not paths
            found.append(one)
            for thread in threads:
                waiting += map(int, _read(f"/proc/{one}/task/{thread}/children").split())
        except OSError:  # ended since it was listed
            continue
    return tuple(found)


def is_over(fields: Sequence[bytes]) -> bool:
    """Whether a process has ended, by the third and later fields of its stat file.

    The state is that of its first thread, which may have ended while others run on.
    """
    return fields[0] in (b"Z", b"X") and int(fields[17]) <= 1


def _opened(folders: Sequence[str], names: Sequence[str]) -> int | None:
    for folder in folders:
        for name in names:
            try:
                return os.open(f"{folder}/{name}", os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                continue
    return None


def _number(fd: int | None) -> float | None:
    text = _again(fd)
    return float(text) if text and text.strip().isdigit() else None


def _seconds(fd: int | None) -> float | None:
    """Version 1 gives nanoseconds, version 2 a table with microseconds."""
    text = _again(fd)
    if not text:
        return None
    if text.startswith(b"usage_usec"):
        return int(text.split(None, 2)[1]) / 1e6
    return int(text) / 1e9 if text.strip().isdigit() else None


def _again(fd: int | None) -> bytes | None:
    try:
        return None if fd is None else os.pread(fd, 4096, 0)
    except OSError:  # the group is gone
        return None


def _words(path: str) -> list[bytes]:
    return _read(path).split()


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 1 << 16)
    finally:
        os.close(fd)
