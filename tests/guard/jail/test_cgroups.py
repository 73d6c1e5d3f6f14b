from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from jails import LIMITS, output, planned
from msgspec.structs import replace

from offswitch.errors import GuardError
from offswitch.guard.jail.cgroups import (
    _bounds,
    create_group,
    group_processes,
    plan_group,
    remove_group,
    run_group,
)
from offswitch.guard.jail.host import CgroupRoom, find_cgroups

ROOM = find_cgroups()
needs_room = pytest.mark.skipif(
    "pids" not in ROOM.legacy and "pids" not in ROOM.controllers,
    reason="this user may make no control group that bounds processes",
)


def test_where_no_group_can_be_made_none_is_planned():
    assert plan_group(CgroupRoom(), "x", LIMITS) is None


@needs_room
def test_the_agent_is_in_its_group_before_it_exists_and_the_group_is_gone_after():
    with planned(("sh", "-c", "sleep 0; echo $$")) as plan:
        assert plan.group is not None
        output(plan)
        assert not any(Path(folder).exists() for folder in plan.group.folders)


@needs_room
def test_a_group_stops_a_fork_bomb_at_its_bound():
    bomb = (
        "import os, signal\n"
        "n = 0\n"
        "try:\n"
        "    while n < 200 and os.fork(): n += 1\n"
        "    signal.pause()\n"
        "except OSError as e: print(n, e.errno)\n"
    )
    few = replace(LIMITS, processes=16)
    with planned(("/usr/bin/python3", "-S", "-c", bomb), limits=few) as plan:
        unlimited = {k: v for k, v in plan.entry.limits.items() if k != "NPROC"}
        only_group = replace(plan, entry=replace(plan.entry, limits=unlimited))
        text, _ = output(only_group)
    count, error = map(int, text.split())
    assert error == 11
    assert few.processes - 3 <= count <= few.processes + 3


@needs_room
def test_removing_a_group_kills_what_is_left_in_it_even_frozen():
    group = plan_group(ROOM, "test", LIMITS)
    assert group is not None
    with run_group(group):
        child = os.fork()
        if child == 0:
            signal.pause()
        for file in group.enter_files:
            Path(file).write_text(str(child))
        if group.unified:
            Path(group.unified, "cgroup.freeze").write_text("1")
        assert group_processes(group) == (child,)
        # A zombie keeps no group busy, so nobody need wait for it first.
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert not any(Path(folder).exists() for folder in group.folders)


@needs_room
def test_an_empty_group_of_a_dead_supervisor_is_swept_away():
    folder = Path(ROOM.unified or next(iter(ROOM.legacy.values())))
    gone = os.fork()
    if gone == 0:
        os._exit(0)
    os.waitpid(gone, 0)
    stale = folder / f"offswitch-{gone}-old"
    stale.mkdir()
    with run_group(plan_group(ROOM, "sweep", LIMITS)):
        assert not stale.exists()


def test_a_group_that_cannot_be_made_says_what_to_run_and_leaves_nothing(tmp_path):
    room = CgroupRoom(str(tmp_path), (), {"pids": str(tmp_path / "missing")})
    group = plan_group(room, "x", LIMITS)
    assert group is not None
    with pytest.raises(GuardError, match="systemd-run"):
        create_group(group)
    assert list(tmp_path.iterdir()) == []


def test_a_supervisor_alone_in_its_group_moves_to_a_leaf_to_hand_controllers_down(tmp_path):
    (tmp_path / "cgroup.subtree_control").write_text("")
    (tmp_path / "cgroup.procs").write_text(f"{os.getpid()}\n")
    group = plan_group(CgroupRoom(str(tmp_path), ("memory", "pids"), {}), "x", LIMITS)
    assert group is not None
    assert group.bounds_memory
    leaf = tmp_path / "offswitch-supervisor"
    leaf.mkdir()
    (leaf / "cgroup.procs").write_text("")
    create_group(group)
    assert (leaf / "cgroup.procs").read_text() == "0"
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory +pids"
    assert Path(group.folders[0], "memory.max").read_text() == str(LIMITS.memory)


def test_every_bound_is_set_in_every_hierarchy_that_has_it(tmp_path):
    names = ("memory.max", "memory.swap.max", "memory.memsw.limit_in_bytes", "pids.max")
    legacy = {name: str(tmp_path / name) for name in ("memory", "pids", "freezer", "cpu")}
    room = CgroupRoom(str(tmp_path / "unified"), ("memory", "pids", "cpu"), legacy)
    group = plan_group(room, "x", LIMITS)
    assert group is not None
    assert {*group.legacy} == {"memory", "pids", "freezer"}
    assert len(group.enter_files) == 4
    for folder in group.folders:
        Path(folder).mkdir(parents=True)
        for name in names:
            Path(folder, name).touch()
    bounds = {f"{Path(file).parts[-3]}/{Path(file).name}": n for file, n in _bounds(group)}
    processes = LIMITS.processes + 3
    assert bounds == {
        "unified/memory.max": LIMITS.memory, "unified/memory.swap.max": 0,
        "unified/pids.max": processes, "pids/pids.max": processes,
        "memory/memory.limit_in_bytes": LIMITS.memory,
        "memory/memory.memsw.limit_in_bytes": LIMITS.memory,
    }  # fmt: skip


def test_a_group_bounds_what_it_has_a_controller_for_and_nothing_else(tmp_path):
    for only in ("memory", "pids"):
        for room in (CgroupRoom(None, (), {only: "/x"}), CgroupRoom("/x", (only, "cpu"), {})):
            group = plan_group(room, "x", LIMITS)
            assert group is not None
            assert (group.bounds_memory, group.bounds_processes) == (
                only == "memory",
                only == "pids",
            )


def test_an_empty_group_of_a_living_supervisor_is_left_alone(tmp_path):
    kept = tmp_path / f"offswitch-{os.getpid()}-other"
    kept.mkdir()
    with run_group(plan_group(CgroupRoom(str(tmp_path), (), {}), "sweep", LIMITS)) as group:
        assert group is not None
        assert kept.exists()
    assert not Path(group.folders[0]).exists()


def test_a_supervisor_with_company_in_its_group_moves_nobody(tmp_path):
    (tmp_path / "cgroup.subtree_control").write_text("memory")
    (tmp_path / "cgroup.procs").write_text(f"{os.getpid()}\n1\n")
    group = plan_group(CgroupRoom(str(tmp_path), ("memory", "pids"), {}), "x", LIMITS)
    assert group is not None
    create_group(group)
    assert not (tmp_path / "offswitch-supervisor").exists()
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory +pids"


def test_a_group_that_will_not_empty_is_an_error_once_every_way_of_killing_was_tried(tmp_path):
    stuck = tmp_path / "offswitch-1-x"
    stuck.mkdir()
    deaf = os.fork()
    if deaf == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.pause()
    (stuck / "cgroup.procs").write_text(f"{deaf}\n")
    for file in ("cgroup.kill", "freezer.state"):
        (stuck / file).touch()
    group = plan_group(CgroupRoom(str(tmp_path), (), {"freezer": "/none"}), "x", LIMITS)
    assert group is not None
    started = time.monotonic()
    gone = {"pids": str(tmp_path / "gone"), "freezer": str(stuck)}
    with pytest.raises(GuardError, match="rmdir"):
        remove_group(replace(group, unified=str(stuck), legacy=gone), deadline_s=0.02)
    assert time.monotonic() - started < 20
    assert os.waitpid(deaf, 0)[1] == signal.SIGKILL
    assert (stuck / "cgroup.kill").read_text() == "1"
    assert (stuck / "freezer.state").read_text() == "THAWED"
