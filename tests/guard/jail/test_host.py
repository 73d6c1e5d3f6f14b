"""What a machine offers is found by trying: a program that refuses or is too old is none."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from offswitch.guard.jail import host as hosts
from offswitch.guard.jail.host import CgroupRoom, bubblewrap_needed, find_cgroups, inspect_host


def program(folder: Path, text: str, code: int = 0) -> str:
    path = folder / "bwrap"
    path.write_text(f"#!/bin/sh\n{text}\nexit {code}\n")
    path.chmod(0o755)
    return str(path)


def test_a_bubblewrap_that_refuses_is_asked_for_all_that_a_jail_takes(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    for code in (0, 1, 2, 127):
        path = program(tmp_path, f'echo "$@" >{asked}; echo one >&2; echo why >&2', code)
        assert hosts._refusal(path, (0, 8, 0)) == ("why" if code else None)
    assert {"--unshare-all", "--unshare-user", "--disable-userns"} <= {*asked.read_text().split()}
    assert hosts._refusal(program(tmp_path, ":", 3), (0, 11)) == "exit code 3"


@pytest.mark.parametrize(
    ("said", "version", "fine"),
    [("bubblewrap 0.8.0", (0, 8, 0), True), ("bubblewrap 0.11", (0, 11), True),
     ("bubblewrap 1.0.0", (1, 0, 0), True), ("bubblewrap 0.7.9", (0, 7, 9), False),
     ("bubblewrap", None, False)],
)  # fmt: skip
def test_a_version_is_at_least_the_first_that_can_do_it_and_none_is_too_old(
    said: str, version: tuple[int, ...] | None, fine: bool, tmp_path: Path
) -> None:
    path = program(tmp_path, f"echo {said}")
    assert hosts._bubblewrap_version(path) == version
    assert (hosts._refusal(path, version) is None) is fine


def test_what_refuses_or_is_not_there_jails_nobody() -> None:
    able = replace(inspect_host(), bubblewrap="/usr/bin/bwrap", bubblewrap_refused=None)
    assert able.jails
    assert bubblewrap_needed(able) is None
    for other in (replace(able, bubblewrap_refused="no"), replace(able, bubblewrap=None)):
        assert not other.jails
        assert bubblewrap_needed(other) is not None


@pytest.mark.parametrize(("answer", "abi", "filters"), [(-1, 0, False), (0, 0, True), (7, 7, True)])
def test_a_kernel_that_says_no_has_neither_landlock_nor_filters(
    answer: int, abi: int, filters: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = SimpleNamespace(syscall=lambda *given: answer, prctl=lambda *given: answer)
    monkeypatch.setattr(hosts, "_libc", lambda: kernel)
    found = inspect_host()
    assert (found.landlock_abi, found.seccomp) == (abi, filters)
    assert found.uid == os.getuid()


MOUNTS = """\
29 23 0:25 / /proc rw - proc proc rw
31 30 0:27 / {root}/unified rw - cgroup2 cgroup2 rw
32 30 0:28 / {root}/memory rw - cgroup cgroup rw,memory
33 30 0:29 / {root}/pids rw - cgroup cgroup rw,pids
34 30 0:30 / {root}/pids rw - tmpfs pids rw,memory
"""


def test_a_group_that_this_user_may_not_write_is_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("unified", "memory", "pids"):
        (tmp_path / name).mkdir()
    (tmp_path / "mounts").write_text(MOUNTS.format(root=tmp_path))
    (tmp_path / "own").write_text("4:memory:/\n3:pids:/\n0::/\n")
    monkeypatch.setattr(os, "access", lambda folder, mode: mode == 3 and "pids" in folder)
    room = find_cgroups(str(tmp_path / "mounts"), str(tmp_path / "own"))
    assert (room.unified, room.legacy) == (None, {"pids": f"{tmp_path}/pids"})
    assert room.counts == {"pids"}
    assert CgroupRoom("/x", ("cpu", "memory"), {"freezer": "/y"}).counts == {"memory"}
