"""The limits of a policy as the kernel's resource limits of one process."""

from __future__ import annotations

from pathlib import Path

from offswitch.guard.jail.settings import Limits

__all__ = ["resource_limits"]

_GIB = 1024**3
_RESERVED = 32 * _GIB
_OWN_PROCESSES = 2
"""bubblewrap's init and the entry program count as the jail's."""


def resource_limits(
    limits: Limits, *, tier: int, memory_in_group: bool, uid: int
) -> dict[str, int]:
    """Resource ('DATA', 'NPROC', ...) -> bound, for `inside.limits.apply_limits`.

    DATA counts private writable memory; AS counts everything mapped, and catches shared memory
    where no control group does. Without a user namespace of its own (below tier 2) the kernel
    counts all processes of the user, so those already running are added. The one on core dumps is
    set before the jail is built, by `stop.harden.limit_core`.
    """
    running = _OWN_PROCESSES if tier >= 2 else _tasks_of(uid)
    bounds = {
        "DATA": limits.memory,
        "FSIZE": limits.file,
        "CPU": max(1, round(limits.cpu)),
        "NOFILE": limits.open_files,
        "NPROC": limits.processes + running,
        "NICE": 0,
        "RTPRIO": 0,
    }
    if limits.address_space is not None:
        bounds["AS"] = limits.address_space
    elif not memory_in_group:
        bounds["AS"] = limits.memory + _RESERVED
    return bounds


def _tasks_of(uid: int) -> int:
    """Threads of user `uid` alive now."""
    count = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text(encoding="utf-8", errors="replace")
        except OSError:  # it ended while we looked
            continue
        fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        if int(fields["Uid"].split()[0]) == uid:
            count += int(fields["Threads"])
    return count
