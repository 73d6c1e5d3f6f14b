"""Watches the supervisor and kills the run when it dies, hangs, asks, or the lease ends.

It needs nothing from the supervisor to kill: it holds its own pidfd of the jail's init, its own
sight of the groups, its own socket for the operator. It runs under `python -I -S` from this
folder alone. Every message that it does not understand is a broken supervisor, and kills.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import time
from typing import Any, final  # Any: JSON

from . import wire
from .harden import harden
from .heartbeat import EARLY, Limits, Pulse, beat_from
from .kill import KillResult, kill_tree
from .launch import Target, order_from, with_handles, with_order
from .peer import admit, request_of
from .pidfd import kill_all
from .spawner import start_spawner
from .stopped import say_unproven, write_stopped

__all__ = ["SOCKET", "main"]

SOCKET = "watchdog.sock"
KILL_TRY_S, LAUNCH_WAIT_S, MAX_LEASE_S = 2.0, 1.0, 30 * 86400.0


def main(text: str) -> int:
    """0 once the run is dead; `text` is JSON with fd, folder, heartbeat_s, timeout_s, ..."""
    settings = json.loads(text)
    os.set_inheritable(settings["fd"], False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)  # dying is safe: the kernel and S then kill
    os.umask(0o077)
    folder_fd = os.open(settings["folder"], os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    os.chdir("/")
    hardened = harden()
    spawner_pid, spawner = start_spawner()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # orphans come here and are reaped unseen
    with socket.socket(fileno=settings["fd"]) as supervisor, spawner:
        supervisor.setblocking(False)
        spawner.setblocking(False)
        wire.send(supervisor, {"type": "hello", "spawner": spawner_pid, "hardened": hardened})
        return _Watchdog(settings, supervisor, spawner, spawner_pid, folder_fd).watch()


@final
class _Watchdog:
    def __init__(
        self,
        settings: dict[str, Any],
        supervisor: socket.socket,
        spawner: socket.socket,
        spawner_pid: int,
        folder_fd: int,
    ) -> None:
        now = time.monotonic()
        self.settings, self.supervisor, self.spawner = settings, supervisor, spawner
        self.folder_fd, self.sent_at = folder_fd, now
        self.spawner_pidfd = os.pidfd_open(spawner_pid)
        self.pulse = Pulse(Limits(settings["timeout_s"], settings["head_timeout_s"]), now)
        self.lease_end = now + settings["lease_s"]
        self.target = Target(ancestor=os.getpid(), spared=(spawner_pid,))
        self.launching, self.counter, self.reason = False, 0, ""
        self.listener, self.asking = wire.listen(folder_fd, SOCKET), list[socket.socket]()

    def watch(self) -> int:
        try:
            while not self.reason:
                self.round()
        except Exception as error:  # noqa: BLE001 - told in the reason; a broken watchdog kills
            self.reason = f"watchdog failed: {type(error).__name__}: {error}"
        return self.end(self.reason)

    def round(self) -> None:
        """Wait at most one heartbeat, take everything that has arrived, then judge."""
        begun = time.monotonic()
        every = self.settings["heartbeat_s"]
        wait = min(self.sent_at + every, self.pulse.ends(), self.lease_end) - begun
        sockets = [self.supervisor, self.spawner, self.listener, *self.asking]
        ready, _, _ = select.select(sockets, [], [], max(0.0, wait))
        for sock in ready:
            self.take(sock)
        now = time.monotonic()
        # Not having run is this process's own silence, not the supervisor's.
        overslept = now - begun - max(0.0, wait)
        if overslept > every:
            self.pulse.forgive(overslept)
        if now - self.sent_at >= EARLY * every:
            self.counter, self.sent_at = self.counter + 1, now
            self.tell({"type": "beat", "counter": self.counter, "head": "", "pending": 0})
        if (problem := self.pulse.problem(now)) is not None:
            self.reason = self.reason or f"supervisor hung: {problem}"
        if now >= self.lease_end:
            self.reason = self.reason or "lease ended"

    def take(self, sock: socket.socket) -> None:
        if sock is self.listener:
            if (connection := admit(self.listener)) is not None:
                self.asking = [*self.asking, connection][-8:]
        elif sock is self.supervisor:
            self.drain()
        elif sock is self.spawner:
            self.from_spawner(wire.receive(sock))
        else:
            self.asking.remove(sock)
            self.answer(sock)

    def drain(self) -> None:
        """All that waits, so that a heartbeat sent in time counts even when this ran late."""
        try:
            while (message := wire.receive(self.supervisor)) is not None:
                self.from_supervisor(message)
            self.reason = self.reason or "supervisor died"
        except BlockingIOError:
            return
        except (ValueError, KeyError, TypeError) as error:
            self.reason = self.reason or f"supervisor sent {type(error).__name__}: {error}"

    def from_supervisor(self, message: wire.Message) -> None:
        fields, fds = message
        match fields["type"]:
            case "beat":
                self.pulse.take(beat_from(fields), time.monotonic())
            case "launch":
                self.target = with_order(self.target, order_from(fields["order"], fds))
                self.launching = wire.send(self.spawner, fields, fds)
                for fd in fds:
                    os.close(fd)
            case "egress":
                self.target = self.target._replace(egress=self.target.egress + fds)
            case "renew":
                self.lease_end = time.monotonic() + float(fields["seconds"])
            case "stop" | "done":
                self.reason = self.reason or str(fields["reason"])
            case other:
                raise ValueError(f"an unknown message {other!r}")

    def from_spawner(self, message: wire.Message | None) -> None:
        self.launching = False
        if message is None:
            self.reason = self.reason or "spawner died"
            return
        fields, fds = message
        if fields["type"] == "launched":
            self.target = with_handles(self.target, fields, fds)
        self.tell(fields, fds)

    def answer(self, sock: socket.socket) -> None:
        """One request of the operator; strangers were turned away at the door."""
        with sock:
            if (fields := request_of(sock)) is not None:
                reply = self.ordered(fields)
                wire.send(sock, {**reply, "lease_s": self.lease_end - time.monotonic()})

    def ordered(self, fields: dict[str, Any]) -> dict[str, Any]:
        match fields:
            case {"request": "stop"}:
                self.reason = self.reason or "operator"
                return {"ok": True, "kill": self.kill()._asdict()}
            case {"request": "renew", "seconds": float() | int() as seconds} if (
                type(seconds) is not bool and 0 < seconds <= MAX_LEASE_S
            ):
                self.lease_end = time.monotonic() + seconds
                return {"ok": True}
            case {"request": "status"}:
                now = time.monotonic()
                found = {"reason": self.reason, "silence_s": self.pulse.silence(now)}
                return {"ok": True, **found, "supervisor": self.pulse.problem(now) or "beating"}
        return {"ok": False, "problem": "expected request: status, stop, or renew with seconds"}

    def tell(self, fields: dict[str, Any], fds: tuple[int, ...] = ()) -> None:
        wire.send(self.supervisor, fields, fds)  # a full queue is a hung supervisor; never wait

    def kill(self) -> KillResult:
        """Kill what is known, then the spawner, whose death takes along what is half started."""
        if self.launching and select.select([self.spawner], [], [], LAUNCH_WAIT_S)[0]:
            self.from_spawner(wire.receive(self.spawner))
        kill_all((*self.target.egress, self.spawner_pidfd))
        return kill_tree(self.target, KILL_TRY_S)

    def end(self, reason: str) -> int:
        """Kill until nothing is left, for ever if need be; 1 where even then nothing proves it."""
        said = ""
        while True:
            result = self.kill()
            fields = {"by": "watchdog", "reason": reason, "kill": result._asdict()}
            self.tell({"type": "killed", **fields})
            write_stopped(self.folder_fd, fields)
            begun = self.launching or self.target.outer_pidfd is not None
            if result.survivors or (begun and not result.verified):
                said = say_unproven(result.survivors, said)
            if not result.survivors:
                return 1 if said and not result.verified else 0
