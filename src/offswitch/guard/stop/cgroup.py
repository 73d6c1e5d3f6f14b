"""Control groups as the kill path sees them: kill, freeze and count, version 2 or 1.

A process that joins a frozen group freezes too, so nothing here ever joins one.
"""

from __future__ import annotations

import os
import signal

__all__ = [
    "can_freeze",
    "is_empty",
    "is_frozen",
    "is_version_2",
    "kill_group",
    "members",
    "set_frozen",
]


def kill_group(path: str) -> None:
    """Kill every process of the group and of the groups below it.

    Version 2 has one write that no fork can outrun, frozen or not. Version 1 has a list to walk:
    frozen while it is walked where the freezer allows, and thawed afterwards, because a frozen
    process of version 1 cannot die.
    """
    if _write(path, "cgroup.kill", "1"):
        return
    set_frozen(path, frozen=True)
    try:
        _signal_members(path)
    finally:
        set_frozen(path, frozen=False)


def is_empty(path: str) -> bool:
    """Whether no living process is in the group or below it; a removed group is empty.

    A group that is there and cannot be read is not called empty.
    """
    events = _read(path, "cgroup.events")
    if events is not None:
        return "populated 0" in events
    return all(_read(folder, "cgroup.procs") == "" for folder, _, _ in os.walk(path))


def members(path: str) -> frozenset[int]:
    """The process numbers in the group and below it."""
    found: set[int] = set()
    for folder, _, _ in os.walk(path):
        found.update(int(pid) for pid in (_read(folder, "cgroup.procs") or "").split())
    return frozenset(found)


def is_version_2(path: str) -> bool:
    """Whether the group has the one write that kills it whole."""
    return os.access(f"{path}/cgroup.kill", os.F_OK)


def can_freeze(path: str) -> bool:
    """Whether the group can be frozen as a whole by this user."""
    return any(os.access(f"{path}/{name}", os.W_OK) for name in ("cgroup.freeze", "freezer.state"))


def set_frozen(path: str, *, frozen: bool) -> None:
    """Ask for the group to be frozen or thawed; without a freezer there is nothing to ask."""
    if not _write(path, "cgroup.freeze", "1" if frozen else "0"):
        _write(path, "freezer.state", "FROZEN" if frozen else "THAWED")


def is_frozen(path: str) -> bool:
    """Whether every process of the group has stopped running."""
    if "frozen 1" in (_read(path, "cgroup.events") or ""):
        return True
    return (_read(path, "freezer.state") or "").strip() == "FROZEN"


def _signal_members(path: str) -> None:
    handles: dict[int, int] = {}
    for pid in members(path):
        try:
            handles[pid] = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
    # Listed again once the handles are held: a number reused in between is not in the group.
    for pid in members(path) & handles.keys():
        try:
            signal.pidfd_send_signal(handles[pid], signal.SIGKILL)
        except ProcessLookupError:
            continue
    for pidfd in handles.values():
        os.close(pidfd)


def _write(folder: str, name: str, text: str) -> bool:
    # Never creating: a missing control file must not become an ordinary one.
    try:
        fd = os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.write(fd, text.encode())
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def _read(folder: str, name: str) -> str | None:
    try:
        fd = os.open(f"{folder}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(fd, 1 << 18).decode()
    except OSError:
        return None
    finally:
        os.close(fd)
