"""A throttled run has less processor time, where the machine has a controller for that."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from offswitch.guard.brake import SHARE, CpuBrake
from offswitch.guard.jail.cgroups import RunGroup, group_processes, plan_group, run_group
from offswitch.guard.jail.host import CgroupRoom, find_cgroups
from offswitch.guard.jail.settings import Limits


def test_without_a_group_or_a_controller_it_says_so() -> None:
    assert "no control group" in CpuBrake(None, CgroupRoom()).switch(True)
    group = RunGroup(None, {"freezer": "/nowhere/x"}, (), memory=1, processes=1)
    brake = CpuBrake(group, CgroupRoom())
    assert "no cpu controller" in brake.switch(True)
    assert brake.switch(False) == ""


def test_version_2_bounds_the_runs_own_group_and_takes_the_bound_away(tmp_path: Path) -> None:
    group = RunGroup(str(tmp_path / "run"), {}, (), memory=1, processes=1)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "cpu.max").write_text("max 100000")
    brake = CpuBrake(group, CgroupRoom(unified=str(tmp_path), controllers=("cpu",)))
    assert "20% of one core" in brake.switch(True)
    assert (tmp_path / "run" / "cpu.max").read_text() == "20000 100000"
    brake.switch(False)
    assert (tmp_path / "run" / "cpu.max").read_text() == "max 100000"


@pytest.mark.slow
def test_a_busy_tree_that_is_slowed_down_uses_no_more_than_its_share() -> None:
    room = find_cgroups()
    group = plan_group(room, "brake", Limits(processes=50))
    brake = CpuBrake(group, room)
    with run_group(group), contextlib.closing(brake):
        join = "".join(f"echo 0 > {file}; " for file in (group.enter_files if group else ()))
        busy = "while :; do :; done"
        with subprocess.Popen(["/bin/sh", "-c", f"{join}({busy}) & {busy}"]) as tree:
            try:
                while group is not None and len(members(group)) < 2:  # both loops, to be moved
                    assert tree.poll() is None
                    time.sleep(0.01)
                said = brake.switch(True)
                if "not bounded" in said:
                    assert "cpu" not in {*room.legacy, *room.controllers} or group is None
                    return
                before, begun = used(group), time.monotonic()
                time.sleep(0.6)
                share = (used(group) - before) / (time.monotonic() - begun)
            finally:
                for pid in members(group):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                tree.kill()
    assert 0 < share < 2 * SHARE
    assert not [*Path(room.legacy.get("cpu", "/nowhere")).glob("offswitch-*-brake")]


def members(group: RunGroup | None) -> list[int]:
    return [] if group is None else [*group_processes(group)]


def used(group: RunGroup | None) -> float:
    """Processor seconds of the group's living processes."""
    total = 0
    for pid in members(group):
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")
