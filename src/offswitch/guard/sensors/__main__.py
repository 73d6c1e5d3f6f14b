"""The sensor process: `python -I -m offswitch.guard.sensors`, orders on stdin, reports on stdout.

It ends when its stdin does: with the supervisor.
"""

from __future__ import annotations

import os
import select
import sys
import time
from typing import final

import msgspec

from offswitch.errors import OffswitchError
from offswitch.guard.sensors.counters import Counters, ProcCounters, next_pause
from offswitch.guard.sensors.population import (
    Loose,
    Population,
    advance_loose,
    left_behind,
    loose_events,
)
from offswitch.guard.sensors.process_table import look_at_population, look_at_program
from offswitch.guard.sensors.programs import Known, Start, advance_programs
from offswitch.guard.sensors.reports import Report, WatchOrder
from offswitch.guard.sensors.rights import drop_rights
from offswitch.guard.sensors.tree_look import Finding, TreeMemory, look_at_tree, start_tree

_PEOPLE_S = 0.5
_ALIVE_S = 1.0
"""Seconds between two signs of life in one look."""


@final
class _Watch:
    def __init__(self, order: WatchOrder) -> None:
        assert order.tree is not None
        self.every_s = order.every_s
        self.begun = time.monotonic()
        self.memory: TreeMemory = start_tree(order.tree)
        self.init, self.count = order.init, order.count
        self.loose, self.left = Loose(), frozenset[tuple[int, int]]()
        self.root: tuple[int, int] | None = None
        self.people: Population | None = None
        self.known: dict[tuple[int, int], Known] = {}
        self.starts: tuple[Start, ...] = ()
        self.tree_due = self.people_due = self.begun + self.every_s
        self.alive_due = self.begun
        self.last = False

    def take(self, order: WatchOrder) -> None:
        if order.last:  # whoever has the init's number by now is not of the run
            self.last, self.init, self.tree_due = True, None, self.begun
            return
        self.init = self.init if order.init is None else order.init
        self.count = self.count or order.count

    def wait_s(self) -> float:
        due = min(self.tree_due, self.people_due) if self.init is not None else self.tree_due
        return max(0.0, due - time.monotonic())

    def look(self) -> Report:
        """Whatever is due, and what it found."""
        findings: tuple[Finding, ...] = ()
        self.starts = ()
        if time.monotonic() >= self.tree_due:
            spent = time.process_time()
            at = time.monotonic() - self.begun
            self.memory, findings = look_at_tree(self.memory, time=at, alive=self.alive)
            # At most a tenth of a core, however large the tree is.
            pause = max(self.every_s, (time.process_time() - spent) / 0.1)
            self.tree_due = time.monotonic() + pause
        counters: Counters | None = None
        if self.init is not None and time.monotonic() >= self.people_due:
            spent = time.process_time()
            findings += self.look_at_people(self.init)
            counters = ProcCounters(self.init).look() if self.count else None
            pause = next_pause(time.process_time() - spent, least_s=_PEOPLE_S)
            self.people_due = time.monotonic() + pause
        people = self.people
        return Report(
            findings=findings,
            counters=counters,
            starts=self.starts,
            processes=None if people is None else len(people.processes),
            connections=_connections(people),
            unseen=self.memory.unseen,
            last=self.last,
        )

    def alive(self) -> None:
        if time.monotonic() >= self.alive_due:
            _say(Report(alive=True))
            self.alive_due = time.monotonic() + _ALIVE_S

    def look_at_people(self, init: int) -> tuple[Finding, ...]:
        at = time.monotonic() - self.begun
        people = look_at_population(init, self.root)
        # Until the agent's first process was seen the run has not begun; afterwards it may end.
        self.root, self.people = self.root or people.root, people
        clocks = time.time(), time.clock_gettime(time.CLOCK_BOOTTIME)
        self.known, self.starts = advance_programs(
            self.known, people, self.root, look_at_program, *clocks
        )
        self.loose, fresh, ended = advance_loose(self.loose, people, at)
        found = []
        if fresh or ended:
            events = loose_events(fresh, ended, time=at)
            score = float(len(self.loose.said))
            text = f"{len(self.loose.said)} go on without their parent"
            found.append(Finding(detector="set loose", score=score, evidence=text, events=events))
        left = {one.key: one for one in left_behind(people)} if self.root else {}
        new = left.keys() - self.left
        if new:
            names = ", ".join(sorted(left[key].name for key in new))[:500]
            self.left |= new
            events = loose_events(len(new), 0, time=at)
            found.append(
                Finding(detector="left behind", score=float(len(self.left)), evidence=names,
                        events=events)
            )  # fmt: skip
        return tuple(found)


def _connections(people: Population | None) -> int | None:
    if people is None or people.connections is None:
        return None
    return len(people.connections)


def main() -> int:
    """Look until the supervisor ends; the exit status."""
    orders = msgspec.json.Decoder(WatchOrder)
    first = sys.stdin.buffer.readline()
    if not first:
        return 0
    try:
        order = orders.decode(first)
        drop_rights(order.uid, order.calls)
        watch = _Watch(order)
        _say(Report(ready=True))
        rest = b""
        while True:
            if select.select([0], [], [], watch.wait_s())[0]:
                data = os.read(0, 65536)
                if not data:
                    return 0
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    watch.take(orders.decode(line))
                if not watch.last:
                    continue
            _say(watch.look())
            if watch.last:
                return 0
    except BrokenPipeError:
        return 0
    except OffswitchError as problem:
        _say(Report(problem=str(problem)))
    except (OSError, ValueError) as problem:
        _say(Report(problem=f"{type(problem).__name__}: {problem}"))
    return 1


def _say(report: Report) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
