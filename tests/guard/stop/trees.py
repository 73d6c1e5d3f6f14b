"""Real trees in real jails for the tests of the kill path; each ends by itself within a minute."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from offswitch.guard.stop.freeze import members
from offswitch.guard.stop.launch import Target
from offswitch.guard.stop.pidfd import kill_all, open_child
from offswitch.guard.stop.processes import read_process

HOSTILE = Path(__file__).parents[1] / "hostile.py"
PYTHON = os.path.realpath(sys.executable)
BWRAP = shutil.which("bwrap") or "/usr/bin/bwrap"
UNIFIED = [Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")]


def hostile(kind: str, count: int, seconds: float = 60.0) -> list[str]:
    # By its text: the jail hides /tmp, and whatever lies there.
    return [PYTHON, "-I", "-S", "-c", HOSTILE.read_text(), kind, str(count), str(seconds)]


def jail(info_fd: int, *command: str, see: str = "/tmp/nothing") -> list[str]:
    mounts = ["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
    if Path(see).is_dir():
        mounts += ["--bind", see, see]
    flags = ["--unshare-all", "--die-with-parent", "--new-session"]
    return [BWRAP, *flags, *mounts, "--info-fd", str(info_fd), "--", *command]


@contextlib.contextmanager
def jailed(*command: str) -> Iterator[Target]:
    """A tree in a pid namespace, with a mark, its first line of output awaited."""
    mark = f"OFFSWITCH_TEST={secrets.token_hex(8)}"
    info_in, info_out = os.pipe()
    with subprocess.Popen(
        jail(info_out, *command),
        pass_fds=[info_out],
        stdout=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", **dict([mark.split("=")])},
    ) as outer:
        os.close(info_out)
        with os.fdopen(info_in, "rb") as file:
            info = json.load(file)
        init = open_child(info["child-pid"], outer.pid)
        assert init is not None
        target = Target(
            init_pidfd=init,
            outer_pidfd=os.pidfd_open(outer.pid),
            marks=(mark,),
            pid_namespace=info["pid-namespace"],
            since=read_process(outer.pid).started,  # type: ignore[union-attr]
        )
        try:
            assert outer.stdout is not None
            assert outer.stdout.readline() == b"ready\n"
            yield target
        finally:
            kill_all((init, target.outer_pidfd))
            os.close(init)
            os.close(target.outer_pidfd or -1)


def in_namespace(inode: int | None) -> int:
    """Living processes of the namespace, counted without any of the code under test."""
    found = 0
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            if int(entry.name) and (entry / "ns/pid").stat().st_ino == inode:
                found += (entry / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return found


def wait_until(true: Callable[[], object], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.005)


def alive(target: Target) -> int:
    return len(members(target))


@contextlib.contextmanager
def group(root: Path, *needed: str) -> Iterator[Path]:
    """A fresh group below `root` with the control files needed; None of it stays."""
    path = root / f"offswitch-test-{secrets.token_hex(4)}"
    path.mkdir()
    try:
        assert all((path / name).exists() for name in needed)
        yield path
    finally:
        wait_until(lambda: not (path / "cgroup.procs").read_text())
        path.rmdir()


def writable_root(file: str, roots: list[Path]) -> Path | None:
    """A cgroup root where a group with this control file can be made."""
    for root in roots:
        with contextlib.suppress(OSError), group(root) as path:
            if (path / file).exists():
                return root
    return None
