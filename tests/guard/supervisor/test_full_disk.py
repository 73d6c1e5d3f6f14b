"""A disk that is full when a run ends: its result is written all the same, and no kill is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from fronts import BWRAP, PYTHON, SOURCES

FILLED = """
import errno, json, os
from pathlib import Path
from offswitch.guard.supervisor.runs import RESULT, create_run, entry_of, read_state, write_state
def refused(run, name):
    try:
        write_state(run, {"steps": "x" * 20_000}, name)
    except OSError as problem:
        return errno.errorcode[problem.errno]
run = create_run("one", Path("/mnt/runs"))
with open("/mnt/hoard", "wb", buffering=0) as hoard:
    try:
        while hoard.write(bytes(4096)):
            pass
    except OSError:
        pass
print(json.dumps({
    "other": refused(run, "other.json"), "result": refused(run, RESULT),
    "mode": (run.folder / RESULT).stat().st_mode & 0o777,
    "read": len(read_state(run, RESULT)["steps"]), "condition": entry_of(run).condition,
}))
"""


def test_the_result_of_a_run_is_written_to_a_disk_that_is_full() -> None:
    small = ["--dev-bind", "/", "/", "--size", str(512 * 1024), "--tmpfs", "/mnt"]
    done = subprocess.run(
        [BWRAP, *small, "--", PYTHON, "-c", FILLED],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(SOURCES)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "other": "ENOSPC", "result": None, "mode": 0o600, "read": 20_000, "condition": "ended",
    }  # fmt: skip


def test_a_watchdog_that_can_write_neither_note_nor_log_goes_on(tmp_path: Path) -> None:
    script = (
        "import os, sys; sys.path.insert(0, sys.argv[1]); from stop.stopped import write_stopped; "
        "fd = os.open(sys.argv[2], os.O_PATH); os.rmdir(sys.argv[2]); "
        "print(write_stopped(fd, {'by': 'watchdog'}))"
    )
    (tmp_path / "gone").mkdir()
    guard = SOURCES / "offswitch" / "guard"
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", script, str(guard), str(tmp_path / "gone")],
            stdout=subprocess.PIPE, stderr=full, timeout=60, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, b"False\n")
