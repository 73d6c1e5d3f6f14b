from __future__ import annotations

import functools
import subprocess
import sys

import pytest
from studies import made_in

from offswitch.cli import main

# As at a terminal, even where the tests run in the background with Ctrl-C ignored.
SCRIPT = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from offswitch.cli import main; main()"
)
COMMAND = [sys.executable, "-c", SCRIPT]


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Runs the command line in this process, in an empty folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        capsys.readouterr()
        code = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def command(tmp_path):
    """Starts the command line as a real process in an empty folder."""

    def start(*arguments, **options):
        return subprocess.Popen(
            [*COMMAND, *map(str, arguments)], cwd=tmp_path, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
        )  # fmt: skip

    return start


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """`made("map")`: the small study of that name, made once for all tests."""

    @functools.cache
    def call(name):
        return made_in(tmp_path_factory.mktemp(name), name)

    return call
