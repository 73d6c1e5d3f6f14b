"""What a started jail takes over from the guard, and what the guard believes of its report."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from jails import ORDINARY, entering, output, planned
from msgspec.structs import replace

from offswitch.errors import GuardError
from offswitch.guard.jail import launch as launching
from offswitch.guard.jail.cgroups import run_group
from offswitch.guard.jail.descriptors import JailFds
from offswitch.guard.jail.host import inspect_host
from offswitch.guard.jail.launch import launch, read_report, require_started
from offswitch.guard.jail.plan import MARK

TIER_1 = replace(inspect_host(), bubblewrap=None)


def status(text: str, name: str) -> list[str]:
    return text.split(f"{name}:")[1].splitlines()[0].split()


@pytest.mark.skipif(os.getuid() != 0, reason="only root runs an agent as another user")
def test_an_agent_of_roots_guard_keeps_no_user_and_no_group_of_roots() -> None:
    before = os.getgroups()
    os.setgroups([*before, 7])
    try:
        with planned(("cat", "/proc/self/status"), host=TIER_1, tier=1) as plan:
            text, _ = output(plan)
    finally:
        os.setgroups(before)
    assert status(text, "Uid") == [str(ORDINARY)] * 4
    assert status(text, "Gid") == [str(ORDINARY)] * 4
    assert status(text, "Groups") == []


@pytest.mark.parametrize("level", [1, 2])
def test_an_agent_begins_with_the_signals_that_python_ignores_as_any_program_has_them(
    level: int,
) -> None:
    host = inspect_host() if level == 2 else TIER_1
    with planned(("cat", "/proc/self/status"), host=host, tier=level) as plan:
        text, _ = output(plan)
    ignored = int(status(text, "SigIgn")[0], 16)
    assert not [one for one in (signal.SIGPIPE, signal.SIGXFSZ) if ignored >> one - 1 & 1]
    assert int(status(text, "SigCgt")[0], 16) == 0


def test_what_builds_the_jail_is_told_nothing_but_the_runs_mark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SECRET_KEY", "hunter2")
    with planned() as plan, run_group(plan.group), launch(plan, None) as jail:
        assert jail.init is not None
        for pid in (jail.pid, jail.init):
            told = Path(f"/proc/{pid}/environ").read_bytes().rstrip(b"\0").split(b"\0")
            assert {one.partition(b"=")[0].decode() for one in told} <= {MARK, "PWD"}


def test_what_is_handed_on_by_mistake_is_closed_whatever_its_number() -> None:
    with planned(host=TIER_1, tier=1) as plan, Path("/etc/hostname").open("rb") as leak:
        numbers = (10, 22, 30, 63, 64, 500)
        leaked = [fcntl.fcntl(leak.fileno(), fcntl.F_DUPFD_CLOEXEC, one) for one in numbers]
        bare, lowest = replace(plan, group=None), {3: leak.fileno()}
        with launch(bare, None, stdio=lowest, leaked=tuple(leaked)) as jail:
            opened = {int(one.name) for one in Path(f"/proc/{jail.pid}/fd").iterdir()}
        for fd in leaked:
            os.close(fd)
    assert opened == {0, 1, 2, JailFds.REPORT, JailFds.GO}


def ended(pid: int) -> int:
    handle = os.pidfd_open(pid)
    assert select.select([handle], [], [], 20.0)[0], "it goes on"
    os.close(handle)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_supervisor_that_is_gone_gives_no_leave() -> None:
    with planned(("touch", "/work/started")) as plan:
        with run_group(plan.group), launch(plan, None) as jail:
            other = os.open("/dev/null", os.O_RDONLY)
            os.dup2(other, jail.go)  # the only end that leave could come from is closed
            os.close(other)
            assert ended(jail.pid) == 125
        assert not Path(plan.policy.workspace, "started").exists()


def test_an_entry_program_that_failed_in_one_step_takes_no_other() -> None:
    with planned() as plan, run_group(plan.group):
        assert plan.entry.landlock is not None
        Path(plan.policy.workspace, "loop").symlink_to("loop")
        rules = replace(plan.entry.landlock, write=("/work/loop",))
        with launch(entering(plan, landlock=rules), None) as jail:
            assert (jail.report.ready, jail.report.outcomes) == (False, ())
            assert jail.report.failed is not None
            assert jail.report.failed.startswith("apply Landlock: ELOOP")
            assert ended(jail.pid) == 125


def test_a_program_that_may_not_be_executed_is_told_of_as_that() -> None:
    with planned(("/work/data",)) as plan, run_group(plan.group):
        Path(plan.policy.workspace, "data").write_text("no program")
        with launch(plan, None) as jail, pytest.raises(GuardError, match="EACCES"):
            jail.start_agent(60.0)


def said(text: bytes) -> Any:
    read, write = os.pipe()
    os.write(write, text)
    os.close(write)
    try:
        return read_report(read, time.monotonic() + 20)
    finally:
        os.close(read)


def test_a_report_is_what_was_said_and_an_end_without_a_word_is_no_leave() -> None:
    probe = b'{"probe":"mount","word":"allowed","detail":"done"}\n'
    whole = said(probe + b'{"ready":7}\n')
    assert (whole.ready, whole.died, whole.failed) == (True, None, None)
    assert [(one.name, one.word, one.detail) for one in whole.outcomes] == [
        ("mount", "allowed", "done")
    ]
    assert said(probe + b'{"died":-14}\n{"ready":7}\n').died == -14
    assert said(b'{"died":1}\n').died == 1
    assert not said(probe).ready
    assert not said(b"").ready
    assert not said(b'{"ready":7}').ready, "a torn line"
    failed = said(b'{"failed":"apply Landlock","detail":"EPERM"}\n{"ready":7}\n')
    assert (failed.ready, failed.failed) == (False, "apply Landlock: EPERM")


def test_who_says_nothing_is_not_waited_for_for_ever() -> None:
    read, write = os.pipe()
    for wait in (read_report, require_started):
        with pytest.raises(GuardError, match="in time"):
            wait(read, time.monotonic() + 0.01)
    os.close(read)
    os.close(write)


def test_what_a_jail_is_told_cannot_be_changed_on_its_way() -> None:
    fd = launching._readable(b"settings")
    assert os.read(fd, 100) == b"settings"
    for act in (lambda: os.pwrite(fd, b"x", 0), lambda: os.ftruncate(fd, 1),
                lambda: os.ftruncate(fd, 100)):  # fmt: skip
        with pytest.raises(PermissionError):
            act()
    os.close(fd)


def test_a_jail_that_does_not_end_by_itself_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "_BURIAL_S", 0.01)
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    launching._end(pid)
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, 0)


def children() -> set[str]:
    found = (path.read_text().split() for path in Path("/proc/self/task").glob("*/children"))
    return set().union(*found)


def test_a_jail_that_reports_nothing_in_time_is_none_and_leaves_no_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(launching, "_BURIAL_S", 0.01)
    before = children()  # of earlier tests
    with planned(host=TIER_1, tier=1) as plan:
        silent = replace(plan, argv=("/usr/bin/sleep", "300"), group=None)
        with pytest.raises(GuardError, match="in time"), launch(silent, None, patience_s=0.05):
            pass
        with launch(replace(plan, group=None), None) as jail:
            assert jail.report.ready
    assert children() <= before
