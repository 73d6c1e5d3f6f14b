"""Less processor time for a run that the ladder throttles, where a control group can bound it.

Version 2 bounds the run's own group. Version 1 has a hierarchy of its own for processor time: the
run's processes are moved there when they are first slowed down, and what they start comes with
them. Nothing of it is made before it is needed.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import final

from offswitch.guard.jail.cgroups import RunGroup, group_processes
from offswitch.guard.jail.host import CgroupRoom

__all__ = ["SHARE", "CpuBrake"]

SHARE = 0.2
"""Of one processor, for the whole run together."""
_PERIOD_US = 100_000
_ROUNDS = 20
_GONE_S = 5.0


@final
class CpuBrake:
    """The processor time of one run; `close` gives the group back once the run is dead."""

    def __init__(self, group: RunGroup | None, room: CgroupRoom) -> None:
        self._group, self._room = group, room
        self._made: Path | None = None

    def switch(self, on: bool) -> str:
        """By what the run was slowed down, or why it could not be; empty for no longer.

        Raises:
            OSError: the kernel did not take the bound.
        """
        if self._group is None:
            return "processor time not bounded: no control group" if on else ""
        if self._unified():
            quota = f"{round(SHARE * _PERIOD_US)} {_PERIOD_US}" if on else f"max {_PERIOD_US}"
            Path(str(self._group.unified), "cpu.max").write_text(quota, encoding="ascii")
        elif "cpu" in self._room.legacy:
            self._slow(self._entered(self._group, Path(self._room.legacy["cpu"])), on)
        else:
            return "processor time not bounded: no cpu controller here" if on else ""
        return f"processor time: {SHARE:.0%} of one core" if on else ""

    def close(self) -> None:
        """Remove the group that was made, when it is empty."""
        end = time.monotonic() + _GONE_S
        while self._made is not None:
            try:
                self._made.rmdir()
                self._made = None
            except FileNotFoundError:
                self._made = None
            except OSError:  # the dead in it are not buried yet
                if time.monotonic() >= end:
                    return
                time.sleep(0.002)

    def _unified(self) -> bool:
        """Whether the run's version 2 group has the controller; asked for if it may be had."""
        assert self._group is not None
        if self._group.unified is None or "cpu" not in self._room.controllers:
            return False
        folder = Path(self._group.unified)
        if not (folder / "cpu.max").exists():
            with contextlib.suppress(OSError):
                folder.parent.joinpath("cgroup.subtree_control").write_text("+cpu", "ascii")
        return (folder / "cpu.max").exists()

    def _entered(self, group: RunGroup, parent: Path) -> Path:
        """The version 1 folder, with every process of the run in it."""
        folder = parent / Path(group.folders[0]).name
        folder.mkdir(exist_ok=True)
        self._made = folder
        for _ in range(_ROUNDS):  # what was started meanwhile by one that had not moved yet
            inside = set(folder.joinpath("cgroup.procs").read_text("ascii").split())
            left = [pid for pid in group_processes(group) if str(pid) not in inside]
            if not left:
                break
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    folder.joinpath("cgroup.procs").write_text(str(pid), encoding="ascii")
        return folder

    def _slow(self, folder: Path, on: bool) -> None:
        folder.joinpath("cpu.cfs_period_us").write_text(str(_PERIOD_US), encoding="ascii")
        quota = round(SHARE * _PERIOD_US) if on else -1
        folder.joinpath("cpu.cfs_quota_us").write_text(str(quota), encoding="ascii")
