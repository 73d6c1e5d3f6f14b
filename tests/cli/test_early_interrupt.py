"""Ctrl-C while the program is still being imported, and errors that nobody hears."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# The signal comes as the named module is looked for: a moment that no busy machine can shift.
SCRIPT = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
moment, how = sys.argv.pop(1), int(sys.argv.pop(1))
interrupt = lambda: os.kill(os.getpid(), signal.SIGINT)
class Called:
    def __del__(self):
        interrupt()  # what is raised here is printed, and gone
class Moment:
    def find_spec(self, name, path=None, target=None):
        if name == moment:
            [interrupt, Called][how]()
sys.meta_path.insert(0, Moment())
from offswitch.cli import main
main()
"""
MOMENTS = (
    "offswitch.cli.program",
    "click.parser",
    "offswitch.errors",
    "offswitch.cli.lazy_group",
    "offswitch.cli.guard",
    "offswitch.cli.guard.status",
    "offswitch.guard.supervisor.runs",
)


def interrupted(folder: Path, moment: str, how: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, moment, how, "guard", "status"],
        env={**os.environ, "XDG_STATE_HOME": str(folder)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_while_modules_are_imported_is_an_interruption_and_no_traceback(
    tmp_path: Path, moment: str
) -> None:
    done = interrupted(tmp_path, moment, "0")
    assert (done.returncode, done.stdout, done.stderr.strip()) == (130, "", "Interrupted.")


def test_ctrl_c_in_what_python_calls_back_is_not_lost_while_modules_are_imported(
    tmp_path: Path,
) -> None:
    done = interrupted(tmp_path, "offswitch.errors", "1")
    assert (done.returncode, done.stdout, done.stderr.strip()) == (130, "", "Interrupted.")


@pytest.mark.parametrize("arguments", [["stpo"], ["guard", "stop", "none"], ["list", "wolds"]])
def test_a_mistake_that_nobody_hears_keeps_its_exit_code(
    tmp_path: Path, arguments: list[str]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone, Path("/dev/full").open("wb") as full:
        for stderr in (gone, full):
            done = subprocess.run(
                [sys.executable, "-c", "from offswitch.cli import main; main()", *arguments],
                env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
                stdout=subprocess.PIPE, stderr=stderr, timeout=60, check=False,
            )  # fmt: skip
            assert (done.returncode, done.stdout) == (2, b"")
