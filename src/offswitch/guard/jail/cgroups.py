"""A control group per run: made outside the jail, entered before the agent exists, always removed.

Version 2 freezes and kills a whole tree at once; where its controllers are taken by version 1, the
bounds on memory and processes are set there. The agent never sees the file system of either.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from offswitch.errors import GuardError
from offswitch.guard.jail.host import CgroupRoom
from offswitch.guard.jail.settings import Limits

__all__ = [
    "RunGroup",
    "create_group",
    "group_processes",
    "plan_group",
    "remove_group",
    "run_group",
]

_PREFIX = "offswitch-"
_LEAF = "offswitch-supervisor"
_ENTERED = ("memory", "pids", "freezer")
"""Version 1 controllers that a run enters at its start; that of processor time only in need."""
_OWN_PROCESSES = 3
"""bubblewrap outside, its init inside and the entry program stand in the group too."""


class RunGroup(msgspec.Struct, frozen=True):
    """One run's folders in the control-group hierarchies, and the bounds set there."""

    unified: str | None
    """Version 2 folder (its cgroup.kill, cgroup.freeze, cgroup.events), or None."""
    legacy: dict[str, str]
    """Version 1 controller -> folder."""
    controllers: tuple[str, ...]
    """Version 2 controllers used: of 'memory' and 'pids'."""
    memory: int
    """Bytes the whole tree may hold."""
    processes: int
    """Processes and threads the whole tree may have."""

    @property
    def folders(self) -> tuple[str, ...]:
        """Every folder, version 2 first."""
        return ((self.unified,) if self.unified else ()) + tuple(
            dict.fromkeys(self.legacy.values())
        )

    @property
    def enter_files(self) -> tuple[str, ...]:
        """Write '0' to each, in a child of one thread before its exec, to place it in the group.

        `tasks` moves one thread, and the kernel moves the thread that asks without a grace period.
        """
        names = ["cgroup.procs" if folder == self.unified else "tasks" for folder in self.folders]
        return tuple(f"{folder}/{name}" for folder, name in zip(self.folders, names, strict=True))

    @property
    def bounds_memory(self) -> bool:
        """Whether the memory of the tree is bounded as a whole."""
        return "memory" in self.controllers or "memory" in self.legacy

    @property
    def bounds_processes(self) -> bool:
        """Whether the number of processes of the tree is bounded as a whole."""
        return "pids" in self.controllers or "pids" in self.legacy


def plan_group(room: CgroupRoom, run: str, limits: Limits) -> RunGroup | None:
    """The group of run `run` (a name unique on this machine); None where none can be made."""
    name = f"{_PREFIX}{os.getpid()}-{run}"
    group = RunGroup(
        unified=f"{room.unified}/{name}" if room.unified else None,
        legacy={c: f"{folder}/{name}" for c, folder in room.legacy.items() if c in _ENTERED},
        controllers=tuple(c for c in ("memory", "pids") if c in room.controllers),
        memory=limits.memory,
        processes=limits.processes,
    )
    return group if group.folders else None


@contextlib.contextmanager
def run_group(group: RunGroup | None) -> Iterator[RunGroup | None]:
    """The group, made; killed empty and removed when the block ends, however it ends."""
    if group is None:
        yield None
        return
    create_group(group)
    try:
        yield group
    finally:
        remove_group(group)


def create_group(group: RunGroup) -> None:
    """Nothing, once every folder is there with its bounds; groups of dead supervisors are removed.

    Raises:
        GuardError: a folder or bound could not be made; what was made is removed again.
    """
    try:
        for folder in group.folders:
            _remove_stale(Path(folder).parent)
        if group.unified and group.controllers:
            _hand_down(Path(group.unified).parent, group.controllers)
        for folder in group.folders:
            Path(folder).mkdir()
        for file, value in _bounds(group):
            Path(file).write_text(str(value), encoding="ascii")
    except OSError as problem:
        remove_group(group)
        raise GuardError(
            f"cannot make the run's control group: {problem.filename}: {problem.strerror}. Run "
            "under `systemd-run --user --scope -p Delegate=yes`, or set jail.tier: 2."
        ) from problem


def _bounds(group: RunGroup) -> list[tuple[str, int]]:
    processes = group.processes + _OWN_PROCESSES
    bounds: list[tuple[str, int]] = []
    if group.unified and "memory" in group.controllers:
        bounds += [(f"{group.unified}/memory.max", group.memory)]
        if Path(group.unified, "memory.swap.max").exists():
            bounds += [(f"{group.unified}/memory.swap.max", 0)]
    if group.unified and "pids" in group.controllers:
        bounds += [(f"{group.unified}/pids.max", processes)]
    if "memory" in group.legacy:
        folder = group.legacy["memory"]
        bounds += [(f"{folder}/memory.limit_in_bytes", group.memory)]
        if Path(folder, "memory.memsw.limit_in_bytes").exists():
            bounds += [(f"{folder}/memory.memsw.limit_in_bytes", group.memory)]
    if "pids" in group.legacy:
        bounds += [(f"{group.legacy['pids']}/pids.max", processes)]
    return bounds


def _hand_down(parent: Path, controllers: tuple[str, ...]) -> None:
    """Let children of `parent` have controllers; a group with processes of its own may not.

    If the supervisor is alone in its group, as `systemd-run --scope` leaves it, it moves to a leaf.
    """
    control = parent / "cgroup.subtree_control"
    if set(controllers) <= set(control.read_text(encoding="ascii").split()):
        return
    if _processes(parent) == [os.getpid()]:
        leaf = parent / _LEAF
        leaf.mkdir(exist_ok=True)
        (leaf / "cgroup.procs").write_text("0", encoding="ascii")
    control.write_text(" ".join(f"+{name}" for name in controllers), encoding="ascii")


def group_processes(group: RunGroup) -> tuple[int, ...]:
    """Process ids in any folder of the group, sorted."""
    found = {pid for folder in group.folders for pid in _processes(Path(folder))}
    return tuple(sorted(found))


def _processes(folder: Path) -> list[int]:
    try:
        return [int(pid) for pid in (folder / "cgroup.procs").read_text("ascii").split()]
    except FileNotFoundError:
        return []


def remove_group(group: RunGroup, deadline_s: float = 5.0) -> None:
    """Nothing, once no folder of the group is left; whatever still runs in it is killed first.

    Raises:
        GuardError: something was still in it after `deadline_s` seconds.
    """
    end = time.monotonic() + deadline_s
    while not all([_removed(Path(folder)) for folder in group.folders]):
        if time.monotonic() > end:
            raise GuardError(
                f"processes {group_processes(group)} would not leave the control groups "
                f"{', '.join(group.folders)} within {deadline_s} s. End them, then `rmdir` these."
            )
        _kill_all(group)
        time.sleep(0.002)


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:  # EBUSY: a process is in it, or is being buried
        return False
    return True


def _kill_all(group: RunGroup) -> None:
    if "freezer" in group.legacy:
        _write_if_there(Path(group.legacy["freezer"], "freezer.state"), "THAWED")
    if group.unified:
        _write_if_there(Path(group.unified, "cgroup.kill"), "1")
    for pid in group_processes(group):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _write_if_there(file: Path, text: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        if file.exists():
            file.write_text(text, encoding="ascii")


def _remove_stale(parent: Path) -> None:
    """Remove empty groups whose supervisor is gone; one with processes is left for its operator."""
    for folder in parent.glob(f"{_PREFIX}[0-9]*-*"):
        pid = folder.name.removeprefix(_PREFIX).split("-")[0]
        if not Path("/proc", pid).exists():
            _removed(folder)
