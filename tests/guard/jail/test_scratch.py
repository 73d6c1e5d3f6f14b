"""`offswitch guard selftest` leaves nothing among the temporary files, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from offswitch.guard.jail.scratch import scratch_folder

STUCK = """
import time
from offswitch.guard.jail import launch
launch.launch = lambda *given: (print("up", flush=True), time.sleep(300))
from offswitch.cli import main
main(["guard", "selftest"])
"""


@contextmanager
def stuck(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A self-test that has made all its files and never ends by itself."""
    with subprocess.Popen(
        [sys.executable, "-c", STUCK], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "TMPDIR": str(folder)},
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            (made,) = folder.iterdir()
            assert {one.name for one in made.iterdir()} == {"bait", "run", "work"}
            yield process
        finally:
            process.kill()


def segments() -> set[tuple[int, int]]:
    """The host's System V memory segments: the number of each, and the process that made it."""
    head, *rows = Path("/proc/sysvipc/shm").read_text(encoding="ascii").splitlines()
    number, maker = (head.split().index(name) for name in ("shmid", "cpid"))
    return {(int(row.split()[number]), int(row.split()[maker])) for row in rows}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_self_test_that_is_stopped_leaves_nothing(
    open_folder: Path, number: signal.Signals
) -> None:
    with stuck(open_folder) as process:
        process.send_signal(number)
        assert process.wait(20) == 130
    assert [*open_folder.iterdir()] == []


@pytest.mark.slow
def test_what_a_killed_self_test_left_goes_with_the_next_and_a_living_ones_stays(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(open_folder))
    before = segments()
    with stuck(open_folder) as process:
        (bait,) = [one for one in segments() - before if one[1] == process.pid]
        (left,) = open_folder.iterdir()
        with scratch_folder() as other:
            assert {*open_folder.iterdir()} == {left, other}
        process.kill()
        process.wait()
        assert bait not in segments(), "the kernel takes it with its maker"
        assert [*open_folder.iterdir()] == [left]
        with scratch_folder() as other:
            assert [*open_folder.iterdir()] == [other]


def test_what_is_not_this_users_own_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kept, linked, others = (tmp_path / f"offswitch-{one}" for one in ("run-1", "selftest-a", "b"))
    kept.mkdir()
    others.mkdir()
    linked.symlink_to(others)
    (tmp_path / "offswitch-selftest-b").touch()
    with scratch_folder():
        pass
    assert len([*tmp_path.iterdir()]) == 4
    mine = os.geteuid()
    stale = tmp_path / "offswitch-selftest-c"
    stale.mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    with scratch_folder():
        assert stale.exists()
    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with scratch_folder():
        assert not stale.exists()
