"""A run under a real front, seen from outside: its processes by handles of our own."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from offswitch.guard.stop.pidfd import kill_all, open_process, wait_ended
from offswitch.guard.supervisor.operator import ask
from offswitch.guard.supervisor.runs import Run, read_state

HERE = Path(__file__).parent
HOSTILE = (HERE.parent / "hostile.py").read_text()
PYTHON = os.path.realpath(sys.executable)
BWRAP = shutil.which("bwrap") or "/usr/bin/bwrap"
SOURCES = Path(__file__).parents[3] / "src"
FLAGS = ["--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/", "/"]
FLAGS += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]


def hostile(kind: str, count: int = 0, seconds: float = 60.0) -> list[str]:
    return [PYTHON, "-I", "-S", "-c", HOSTILE, kind, str(count), str(seconds)]


def jail(*command: str, flags: list[str] = FLAGS) -> list[str]:
    return [BWRAP, *flags, "--info-fd", "9", "--", *command]


def in_namespace(inode: int) -> int:
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


class Front:
    """A front with its agent alive."""

    def __init__(self, run: Run, process: subprocess.Popen[bytes]) -> None:
        self.run, self.process = run, process
        self.state: dict[str, Any] = {}
        self.handles: dict[str, int] = {}

    def await_agent(self, least: int) -> None:
        wait_until(lambda: self.process.poll() is not None or read_state(self.run))
        self.state = read_state(self.run)
        for name in ("supervisor", "watchdog", "spawner", "outer", "init"):
            note = self.state[name]
            pidfd = open_process(note["pid"], note["started"])
            assert pidfd is not None, name
            self.handles[name] = pidfd
        wait_until(lambda: self.alive() >= least)

    def ask(self, request: str, **more: Any) -> dict[str, Any]:
        return ask(self.run, {"request": request, **more}, timeout_s=20.0)

    def alive(self) -> int:
        return in_namespace(self.state["pid_namespace"])

    def signal(self, name: str, number: int) -> float:
        """Send it, and the time at which it was sent."""
        begun = time.monotonic()
        signal.pidfd_send_signal(self.handles[name], number)
        return begun

    def seconds_to_death(self, begun: float, limit: float) -> float:
        """Until the namespace's init was gone, and with it everything in it."""
        assert wait_ended(self.handles["init"], limit), "the agent survives"
        took = time.monotonic() - begun
        assert self.alive() == 0
        return took

    def result(self) -> dict[str, Any]:
        self.process.wait(60)
        return read_state(self.run, "result.json")


@contextlib.contextmanager
def front(folder: Path, *argv: str, least: int = 2, **settings: Any) -> Iterator[Front]:
    # A machine full of other tests may hold up a healthy guard, and then nothing is to be seen.
    settings = {"timeout_s": 30.0, "head_timeout_s": 30.0, **settings}
    name = secrets.token_hex(6)
    process = subprocess.Popen(
        [sys.executable, str(HERE / "front.py"), str(folder), name, json.dumps(settings), *argv],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(SOURCES)},
    )
    one = Front(Run(name, folder / name), process)
    try:
        one.await_agent(least)
        yield one
    finally:
        # The tree first: whatever a test left behind must not outlive it.
        kill_all([one.handles.get(key) for key in ("init", "outer", "watchdog", "supervisor")])
        for pidfd in one.handles.values():
            os.close(pidfd)
        process.kill()
        process.wait()
