from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from trees import (
    PYTHON,
    UNIFIED,
    alive,
    group,
    hostile,
    in_namespace,
    jailed,
    wait_until,
    writable_root,
)

from offswitch.guard.stop import cgroup, kill
from offswitch.guard.stop.freeze import freeze, members, thaw
from offswitch.guard.stop.harden import ahead
from offswitch.guard.stop.kill import kill_tree, verify_empty
from offswitch.guard.stop.launch import Target
from offswitch.guard.stop.pidfd import has_ended, kill_all
from offswitch.guard.stop.processes import read_process
from offswitch.guard.stop.strays import strays

V2 = writable_root("cgroup.kill", UNIFIED)
V1_FREEZER = writable_root("freezer.state", [Path("/sys/fs/cgroup/freezer")])
PATIENCE_S = 20.0
needs_v2 = pytest.mark.skipif(V2 is None, reason="not enforceable here: no writable cgroup 2")
needs_v1 = pytest.mark.skipif(V1_FREEZER is None, reason="not enforceable here: no v1 freezer")


def lurker(*, mark: str = "", folder: Path | None = None) -> subprocess.Popen[bytes]:
    """A process of our own outside any jail, for at most a minute, in the group if one is given."""
    code = "import os,sys,time; [open(p,'w').write('0') for p in sys.argv[1:]]; "
    code += "os.write(1,b'r'); time.sleep(60)"
    groups = [] if folder is None else [str(folder / "cgroup.procs")]
    process = subprocess.Popen(
        [PYTHON, "-I", "-S", "-c", code, *groups],
        stdout=subprocess.PIPE,
        env=dict([mark.split("=")]) if mark else {},
    )
    assert process.stdout is not None
    assert process.stdout.read(1) == b"r"
    return process


@pytest.mark.slow
def test_two_hundred_daemons_that_ignore_every_signal_are_dead_and_proven_so() -> None:
    with jailed(*hostile("daemons", 200)) as target:
        assert in_namespace(target.pid_namespace) >= 201
        assert not verify_empty(target)
        result = kill_tree(target)
        assert result.verified
        assert in_namespace(target.pid_namespace) == 0
        assert result.survivors == ()
        assert [step.name for step in result.steps][-2:] == ["tree empty", "no strays"]
        assert kill_tree(target).verified, "killing the dead again is harmless and verifies again"


@pytest.mark.slow
def test_a_live_fork_bomb_of_three_hundred_is_dead_and_proven_so() -> None:
    # Whoever counts must go before the bomb: in a slow look most have died before they are met.
    with jailed(*hostile("bomb", 300)) as target, ahead():
        wait_until(lambda: in_namespace(target.pid_namespace) >= 200)
        before = {one.pid for one in members(target)}
        wait_until(lambda: {one.pid for one in members(target)} - before)
        assert len(members(target)) >= 150
        assert kill_tree(target).verified
        assert in_namespace(target.pid_namespace) == 0


@needs_v2
def test_a_group_alone_is_enough_to_kill_and_to_prove() -> None:
    assert V2 is not None
    with group(V2) as folder, lurker(folder=folder) as process:
        target = Target(cgroups=(str(folder),))
        assert cgroup.members(str(folder)) == {process.pid}
        assert not verify_empty(target)
        assert kill_tree(target).verified
        assert process.wait() == -9


@needs_v2
def test_a_frozen_group_is_killed_without_being_thawed_first() -> None:
    assert V2 is not None
    with group(V2) as folder, lurker(folder=folder) as process:
        target = Target(cgroups=(str(folder),))
        found = freeze(target, PATIENCE_S)
        assert (found.frozen, found.method) == (True, "cgroup")
        assert kill_tree(target).verified
        assert process.wait() == -9


@needs_v1
def test_a_group_of_version_one_is_thawed_because_the_frozen_cannot_die() -> None:
    assert V1_FREEZER is not None
    with group(V1_FREEZER) as folder, lurker(folder=folder) as process:
        target = Target(cgroups=(str(folder),))
        assert freeze(target, PATIENCE_S).frozen
        process.kill()
        time.sleep(0.02)
        assert process.poll() is None, "the kernel killed a frozen process: this test is vacuous"
        assert kill_tree(target).verified
        assert (folder / "freezer.state").read_text().strip() == "THAWED"
        assert process.wait() == -9


def test_without_a_namespace_or_a_group_nothing_is_ever_verified() -> None:
    with lurker(mark="OFFSWITCH_TEST=unproven") as process:
        target = Target(outer_pidfd=os.pidfd_open(process.pid), marks=("OFFSWITCH_TEST=unproven",))
        result = kill_tree(target, 0.5)
        assert process.wait() == -9, "best effort still kills"
        assert not result.verified
        assert "nothing to prove it by" in next(
            step.detail for step in result.steps if step.name == "tree empty"
        )


def test_a_marked_stray_outside_the_namespace_is_shot_before_anything_is_verified() -> None:
    with jailed(*hostile("calm", 0)) as target, lurker(mark=target.marks[0]) as stray:
        # Started by us, so it must be reaped here before the scan can call it gone.
        result = kill_tree(target)
        assert "strays shot" in [step.name for step in result.steps]
        assert stray.wait() == -9
        assert result.verified


def test_a_bystander_and_an_older_process_with_the_mark_are_left_alone() -> None:
    with lurker(mark="OFFSWITCH_TEST=older") as older, lurker() as bystander:
        with jailed(*hostile("calm", 0)) as target:
            mine = read_process(older.pid)
            assert mine is not None
            newer = target._replace(
                marks=(*target.marks, "OFFSWITCH_TEST=older"), since=mine.started + 1
            )
            assert kill_tree(newer).verified
        assert older.poll() is None
        assert bystander.poll() is None
        older.kill()
        bystander.kill()


def test_a_tree_that_will_not_die_is_reported_with_its_survivors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with jailed(*hostile("calm", 0)) as target:
        monkeypatch.setattr(kill, "kill_all", lambda pidfds: None)
        monkeypatch.setattr(kill, "kill_strays", lambda found: None)
        result = kill_tree(target, 0.15)
        assert not result.verified
        assert {one.pid for one in members(target)} <= set(result.survivors)
        assert 0.15 <= result.seconds < 15


def test_a_proxy_that_will_not_die_is_a_survivor_although_the_tree_is_dead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with jailed(*hostile("calm", 0)) as target, lurker() as proxy:
        assert kill_tree(target).verified
        monkeypatch.setattr(kill, "kill_all", lambda pidfds: None)
        with_proxy = target._replace(egress=(os.pidfd_open(proxy.pid),))
        result = kill_tree(with_proxy, 0.1)
        assert (result.verified, result.survivors) == (False, (proxy.pid,))
        assert not verify_empty(with_proxy)
        proxy.kill()


def test_a_run_is_not_proven_empty_without_a_handle_or_beside_a_stray() -> None:
    assert not verify_empty(Target()), "nothing to ask is no proof"
    with jailed(*hostile("calm", 0)) as target:
        assert kill_tree(target).verified
        assert verify_empty(target)
        with lurker(mark=target.marks[0]) as stray:
            assert not verify_empty(target)
            stray.kill()


def test_a_wait_that_lies_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    with jailed(*hostile("calm", 0)) as target:
        monkeypatch.setattr(kill, "kill_all", lambda pidfds: None)
        monkeypatch.setattr(kill, "_wait_empty", lambda target, seconds: True)
        monkeypatch.setattr(kill, "strays", lambda target: ())
        result = kill_tree(target, 0.1)
        assert not result.verified
        assert result.survivors


def test_a_stray_is_known_by_its_namespace_and_by_a_user_of_its_own() -> None:
    with jailed(*hostile("calm", 0)) as target:
        inside = {one.pid for one in members(target)}
        plain = Target(pid_namespace=target.pid_namespace, since=target.since)
        assert {one.pid for one in strays(plain)} & inside
        assert strays(Target(since=target.since)) == ()
        mine = Target(uids=(54321, os.getuid()), since=target.since)
        assert {one.pid for one in strays(mine)} & inside
        assert strays(Target(uids=(54321,), since=target.since)) == ()
        kill_tree(target)


def test_the_proxies_die_first_and_a_broken_one_cannot_save_the_agent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken() -> None:
        raise OSError("proxy is gone")

    shot: list[tuple[int | None, ...]] = []

    def noted(pidfds: Iterable[int | None]) -> None:
        shot.append(tuple(pidfds))
        kill_all(shot[-1])

    monkeypatch.setattr(kill, "kill_all", noted)
    with jailed(*hostile("calm", 0)) as target, lurker() as proxy:
        handle = os.pidfd_open(proxy.pid)
        result = kill_tree(target._replace(egress=(handle,)), close_egress=broken)
        assert shot[0] == (handle,)
        assert result.verified
        assert result.steps[0][:2] == ("egress closed", False)
        assert "proxy is gone" in result.steps[0].detail
        assert has_ended(handle)
        assert proxy.wait() == -9


def test_a_tree_stopped_by_signals_stands_still_until_it_is_thawed() -> None:
    beat = "import os,time\nos.write(1,b'ready\\n')\nwhile 1: time.sleep(.001)"
    with jailed(PYTHON, "-I", "-S", "-c", beat) as target:
        found = freeze(target, PATIENCE_S)
        assert (found.frozen, found.method) == (True, "signals")
        assert {one.state for one in members(target)} == {"T"}
        assert alive(target) == 2
        thaw(target)
        wait_until(lambda: "T" not in {one.state for one in members(target)})
        assert freeze(target, PATIENCE_S).frozen
        assert kill_tree(target).verified, "the stopped die too"


def test_a_group_of_version_one_stands_still_while_its_list_is_walked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "freezer.state").write_text("THAWED")
    seen: list[str] = []

    def walk(path: str) -> None:
        seen.append(Path(path, "freezer.state").read_text())
        raise OSError("in the middle of the list")

    monkeypatch.setattr(cgroup, "_signal_members", walk)
    with pytest.raises(OSError, match="middle"):
        cgroup.kill_group(str(tmp_path))
    assert seen == ["FROZEN"], "a member could fork past a list that is read while it runs"
    assert (tmp_path / "freezer.state").read_text() == "THAWED", "the frozen cannot die"


def test_a_tree_that_cannot_be_stopped_in_time_is_not_called_frozen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with jailed(*hostile("calm", 0)) as target:
        monkeypatch.setattr("offswitch.guard.stop.freeze._signal", lambda *one: None)
        assert not freeze(target, 0.02).frozen
        kill_tree(target)


def test_a_group_that_cannot_be_read_is_not_called_empty(tmp_path: Path) -> None:
    assert not cgroup.is_empty(str(tmp_path))
    (tmp_path / "cgroup.procs").write_text("")
    assert cgroup.is_empty(str(tmp_path))
    (tmp_path / "cgroup.events").write_text("populated 1\nfrozen 0\n")
    assert not cgroup.is_empty(str(tmp_path))
    assert cgroup.is_empty(str(tmp_path / "removed"))
