"""A test in the supervisor's place: a real watchdog and spawner, fed by hand."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from offswitch.guard import stop
from offswitch.guard.stop import wire
from offswitch.guard.stop.launch import LaunchOrder, order_fields
from offswitch.guard.stop.pidfd import kill_all, open_child

PROGRAM = Path(stop.__file__).with_name("__main__.py")
TIMES = {"heartbeat_s": 0.02, "timeout_s": 60.0, "head_timeout_s": 60.0, "lease_s": 300.0}
PATIENCE_S = 30.0


class Watched:
    """One watchdog; `beat` by hand or by `beating`."""

    def __init__(
        self, folder: Path, options: list[str], times: dict[str, float], program: Path = PROGRAM
    ) -> None:
        self.socket, theirs = wire.pair()
        told = json.dumps({"fd": theirs.fileno(), "folder": str(folder), **TIMES, **times})
        self.folder, self.counter = folder, 0
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", *options, str(program), told],
            pass_fds=[theirs.fileno()],
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={},
        )
        theirs.close()
        self.socket.settimeout(PATIENCE_S)
        self.handles: list[int] = []
        self.hello: dict[str, Any] = {}

    def beat(self, *, counter: int | None = None, head: str = "", pending: int = 0) -> None:
        self.counter += 1
        told = self.counter if counter is None else counter
        wire.send(self.socket, {"type": "beat", "counter": told, "head": head, "pending": pending})

    @contextlib.contextmanager
    def beating(self, **frozen: Any) -> Iterator[None]:
        done = threading.Event()

        def work() -> None:
            while not done.wait(0.02):
                self.beat(**frozen)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def said(self, kind: str) -> wire.Message:
        """The next message of that type; everything else is let by."""
        end = time.monotonic() + PATIENCE_S
        while True:
            assert time.monotonic() < end, f"no {kind} in time"
            message = wire.receive(self.socket)
            assert message is not None, f"ended without {kind}: {self._last_words()}"
            if message.fields["type"] == kind:
                self.handles += message.fds
                return message

    def _last_words(self) -> str:
        assert self.process.stderr is not None
        return f"{self.process.wait(PATIENCE_S)} {self.process.stderr.read().decode()}"

    def launch(self, order: LaunchOrder) -> wire.Message:
        wire.send(
            self.socket,
            {"type": "launch", "order": order_fields(order)},
            tuple(order.fds.values()),
        )
        return self.said("launched")

    def asked(self, request: dict[str, Any]) -> dict[str, Any]:
        with wire.connect(str(self.folder), "watchdog.sock", PATIENCE_S) as sock:
            wire.send(sock, request)
            message = wire.receive(sock)
            assert message is not None
            return message.fields


@contextlib.contextmanager
def watched(
    folder: Path, *options: str, program: Path = PROGRAM, **times: float
) -> Iterator[Watched]:
    one = Watched(folder, list(options), times, program)
    try:
        one.hello = one.said("hello").fields
        spawner = open_child(one.hello["spawner"], one.process.pid)
        one.handles += [] if spawner is None else [spawner]
        yield one
    finally:
        one.socket.close()
        try:
            one.process.wait(PATIENCE_S)
        finally:
            one.process.kill()
            kill_all(one.handles)
            for fd in one.handles:
                os.close(fd)
            one.process.communicate()
