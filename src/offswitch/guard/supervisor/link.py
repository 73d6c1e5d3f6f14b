"""The supervisor's end of its watchdog: started, fed with heartbeats, listened to, ended."""

from __future__ import annotations

import contextlib
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import final

from offswitch.errors import GuardError
from offswitch.guard import stop
from offswitch.guard.stop import wire
from offswitch.guard.stop.heartbeat import EARLY, Beat, Limits, Pulse
from offswitch.guard.stop.launch import LaunchOrder, order_fields
from offswitch.guard.stop.pidfd import kill_all, open_child, wait_ended
from offswitch.guard.supervisor.runs import Run
from offswitch.guard.supervisor.settings import Settings

__all__ = ["WatchdogLink"]

LOG = "watchdog.log"


@final
class WatchdogLink:
    """One watchdog process, a session of its own, and the spawner it forked."""

    def __init__(self, run: Run, settings: Settings) -> None:
        """Start it. Raises: GuardError when the program cannot be started."""
        self.socket, theirs = wire.pair()
        log = os.open(run.folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with theirs, os.fdopen(log, "ab") as errors:
            try:
                self.process = subprocess.Popen(
                    self._command(run, settings, theirs.fileno()),
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    env={},
                    start_new_session=True,
                )
            except OSError as error:
                self.socket.close()
                raise GuardError(f"the watchdog cannot be started: {error}") from error
        self.socket.setblocking(False)
        self.pidfd = os.pidfd_open(self.process.pid)
        self.spawner_pid: int | None = None
        self.spawner_pidfd: int | None = None
        self.pulse: Pulse | None = None
        self._limits = Limits(settings.timeout_s, settings.head_timeout_s)
        self._every_s = settings.heartbeat_s
        self._counter, self._beat_at = 0, -math.inf

    @staticmethod
    def _command(run: Run, settings: Settings, fd: int) -> list[str]:
        told = {"fd": fd, "folder": str(run.folder.resolve())} | {
            name: getattr(settings, name)
            for name in ("heartbeat_s", "timeout_s", "head_timeout_s", "lease_s")
        }
        program = Path(stop.__file__).with_name("__main__.py")
        return [sys.executable, "-I", "-S", str(program), json.dumps(told)]

    def greeted(self, spawner: int) -> None:
        """Note its first message: from now on its silence counts, and the spawner has a handle."""
        self.pulse = Pulse(self._limits, time.monotonic())
        self.spawner_pid = spawner
        self.spawner_pidfd = open_child(spawner, self.process.pid)

    def due_s(self) -> float:
        """Seconds until the next heartbeat is due."""
        return max(0.0, self._beat_at + self._every_s - time.monotonic())

    def beat(self, head: str, pending: int) -> None:
        """Send a heartbeat if one is nearly due. Called once a round of real work, by nobody else.

        The watchdog's own wakes a round each, and so brings the two into step.
        """
        now = time.monotonic()
        if now - self._beat_at < EARLY * self._every_s:
            return
        self._counter, self._beat_at = self._counter + 1, now
        beat = Beat(self._counter, head, pending)
        wire.send(self.socket, {"type": "beat", **beat._asdict()})

    def launch(self, order: LaunchOrder) -> bool:
        """Whether the order has been sent. Raises: GuardError when it is too long."""
        fields = {"type": "launch", "order": order_fields(order)}
        try:
            return wire.send(self.socket, fields, tuple(order.fds.values()))
        except wire.WireError as error:
            raise GuardError(f"the launch order does not fit: {error}") from error

    def egress(self, pidfds: tuple[int, ...]) -> bool:
        """Whether the handles of the ways out have been sent: it kills them before the tree."""
        return wire.send(self.socket, {"type": "egress"}, pidfds)

    def order(self, word: str, reason: str) -> bool:
        """Whether `stop` (kill now) or `done` (check and end) has been sent."""
        return wire.send(self.socket, {"type": word, "reason": reason})

    def renew(self, seconds: float) -> bool:
        """Whether the lease's new length has been sent."""
        return wire.send(self.socket, {"type": "renew", "seconds": seconds})

    def messages(self) -> tuple[list[wire.Message], bool]:
        """Everything that waits, and whether the watchdog is still there."""
        found: list[wire.Message] = []
        with contextlib.suppress(BlockingIOError):
            while (message := wire.receive(self.socket)) is not None:
                found.append(message)
            return found, False
        return found, True

    def end(self, seconds: float) -> None:
        """Wait for it to end, then end it: with it the spawner, and what hangs on the spawner."""
        if not wait_ended(self.pidfd, seconds):
            kill_all((self.pidfd,))
        kill_all((self.spawner_pidfd,))
        self.process.wait()

    def close(self) -> None:
        """Give back every handle. The watchdog, if it lives, sees the end of the file and kills."""
        self.socket.close()
        for pidfd in (self.pidfd, self.spawner_pidfd):
            if pidfd is not None:
                os.close(pidfd)
