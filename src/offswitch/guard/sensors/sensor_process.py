"""The sensor process as the supervisor holds it: told what to look at, read without waiting."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from types import TracebackType
from typing import Self, final

import msgspec

from offswitch.errors import GuardError
from offswitch.guard.free_uid import free_uid, is_alone
from offswitch.guard.jail.host import filters_calls
from offswitch.guard.sensors.call_filter import call_filter
from offswitch.guard.sensors.reports import Report, WatchOrder

__all__ = ["SensorProcess"]

READY_S = 60.0
SILENT_S = 30.0
_CHUNK = 256 * 1024
_MOST_WAITING = 8 * 1024 * 1024


@final
class SensorProcess:
    """A running sensor process; its first look is done when `ready` says so, and inside `with`.

    Started by root it runs as a user that nobody has, and that is none of `others`.

    Raises:
        GuardError: it could not give up its rights or look, or not within `ready_s` seconds.
    """

    def __init__(
        self,
        order: WatchOrder,
        *,
        others: Collection[int | None] = (),
        ready_s: float = READY_S,
        silent_s: float = SILENT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-m", "offswitch.guard.sensors"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/", bufsize=0,
            start_new_session=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        self._out = self._process.stdout.fileno()
        os.set_blocking(self._out, False)
        self._rest, self._clock, self._silent_s = b"", clock, silent_s
        self._heard = clock()
        self._ready_s, self._ready_by = ready_s, time.monotonic() + ready_s
        self._looked, self._early = False, list[Report]()
        try:
            self.tell(_with_rights(order, others))  # made while Python starts there
        except BaseException:
            self.close()
            raise

    def tell(self, order: WatchOrder) -> None:
        """Send one more order. A process that has ended is found by `reports`."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        except BrokenPipeError:
            return

    def ready(self, wait_s: float) -> bool:
        """Whether its first look is done, now or within `wait_s` seconds.

        Raises:
            GuardError: it could not look, or not within `ready_s` seconds of its start.
        """
        if not self._looked and select.select([self._out], [], [], wait_s)[0]:
            found = self.reports()
            self._looked = any(report.ready for report in found)
            self._early += [report for report in found if not report.ready]
        if not self._looked and time.monotonic() >= self._ready_by:
            raise GuardError(f"the sensors' first look took longer than {self._ready_s:g} s")
        return self._looked

    def reports(self) -> tuple[Report, ...]:
        """Whatever it has said since; never waits.

        Raises:
            GuardError: it has ended, failed, or been silent for too long. Nobody is looking then.
        """
        *lines, self._rest = (self._rest + self._read()).split(b"\n")
        try:
            found = tuple(msgspec.json.decode(line, type=Report) for line in lines)
        except ValueError as problem:
            raise GuardError(f"the sensor process said something malformed: {problem}") from problem
        if found:
            self._heard = self._clock()
        problem_text = next((one.problem for one in found if one.problem), "")
        if problem_text:
            raise GuardError(f"the sensor process cannot look: {problem_text}")
        if not found and self._process.poll() is not None:
            raise GuardError(f"the sensor process ended with status {self._process.returncode}")
        if self._clock() - self._heard > self._silent_s:
            raise GuardError(f"the sensor process has been silent for {self._silent_s:g} s")
        early, self._early = self._early, []
        return (*early, *found)

    def last(self, patience_s: float) -> Iterator[Report]:
        """What it has said since, and what one more look finds; then it ends.

        Raises:
            GuardError: it has ended, failed, or took longer than `patience_s` seconds.
        """
        end = time.monotonic() + patience_s
        self.tell(WatchOrder(last=True))
        while True:
            for report in self.reports():
                yield report
                if report.last:
                    return
            if time.monotonic() >= end:
                raise GuardError(f"the sensors' last look took longer than {patience_s:g} s")
            select.select([self._out], [], [], max(0.0, end - time.monotonic()))

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _read(self) -> bytes:
        try:
            data = os.read(self._out, _CHUNK)
        except BlockingIOError:
            return b""
        if len(self._rest) + len(data) > _MOST_WAITING:
            raise GuardError("the sensor process said more than can be read")
        return data

    def __enter__(self) -> Self:
        try:
            while not self.ready(self._ready_s):
                pass
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _with_rights(order: WatchOrder, others: Collection[int | None]) -> WatchOrder:
    """The first order, with whom to be and what to be able to ask of the kernel."""
    uid = free_uid(others) if os.geteuid() == 0 and not is_alone() else None
    calls = call_filter() if filters_calls() else b""
    return msgspec.structs.replace(order, uid=uid, calls=calls)
