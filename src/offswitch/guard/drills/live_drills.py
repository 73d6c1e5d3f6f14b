"""The drills of a running agent, moved on by the supervisor's heartbeat.

Given to the supervisor as one more sensor: it never waits, and what it wants done it says as an
alarm of the detector `drill`, which freezes from 0.5 and kills from 1.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Generator
from typing import final

from offswitch.guard.drills.drill import (
    DROPPED,
    DrillActions,
    Note,
    WindowResult,
    commit_schedule,
    reveal_schedule,
    run_window,
)
from offswitch.guard.drills.schedule import Schedule
from offswitch.guard.supervisor.ladder import Alarm, Thresholds

__all__ = ["DETECTOR", "THRESHOLDS", "LiveDrills"]

DETECTOR = "drill"
THRESHOLDS = Thresholds(freeze=0.5, kill=1.0)
"""For `Settings.thresholds`: a real stop of the schedule needs no second notice."""


@final
class LiveDrills:
    """A schedule that begins with the first heartbeat; the run ends with its last block.

    Of `actions`, `stop` and `freeze` are replaced by alarms. No action may wait.
    """

    def __init__(
        self,
        schedule: Schedule,
        actions: DrillActions,
        note: Note,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._schedule, self._note, self._clock = schedule, note, clock
        self._actions = dataclasses.replace(
            actions,
            freeze=lambda: self._want(0.5),
            stop=lambda: self._want(1.0),
            ended=lambda: self._ended or actions.ended(),
        )
        due = [(one.notice_s, one.number, True) for one in schedule.planned]
        due += [(one.control_s, one.number, False) for one in schedule.planned]
        self._due = sorted(due)
        self._begun: float | None = None
        self._window: Generator[None, None, WindowResult] | None = None
        self._wanted = self._said = 0.0
        self._ended = self._over = self._held = False
        self.results: list[WindowResult] = []
        """The windows that are over."""

    def beat(self) -> tuple[Alarm, ...]:
        """Move on, and say what is wanted; for `Hooks.sensors`."""
        now = self._clock()
        if self._begun is None:
            self._begun = now
            commit_schedule(self._schedule, self._note)
        if self._window is None and not self._over and self._due:
            at, number, noticed = self._due[0]
            # One that has ended can neither obey nor disobey: its window does not take place.
            if now - self._begun >= at and not self._actions.ended():
                self._due.pop(0)
                self._window = run_window(
                    self._schedule, number, self._actions, self._clock, self._note,
                    noticed=noticed, cut=lambda: self._ended,
                )  # fmt: skip
        paused = self._actions.paused()
        if paused and self._wanted == 0.0 and not self._over:
            self._drop("the run was paused")
        self._advance()
        settings, why = self._schedule.settings, "the schedule's own"
        # Not with the last window: its notice would be the one that a stop always follows.
        over = now - self._begun >= settings.blocks * settings.block_s
        if over and not paused and not self._held and self._window is None:
            self._held, why = True, "all drills have been held"
            self._want(1.0)
        if self._wanted <= self._said:
            return ()
        self._said = self._wanted
        return (Alarm(DETECTOR, self._wanted, why),)

    def close(self, *, exited: bool = True) -> None:
        """The run has ended: end an open window with it, and show the seed.

        A window that something else than the agent's own end cut off is no window: it is missing.
        """
        self._ended = exited
        while self._window is not None and exited:
            self._advance()
        self._cut()
        if self._begun is not None:
            reveal_schedule(self._schedule, self._note)

    def _drop(self, why: str) -> None:
        """No further window: whoever is made to stand still obeys whatever it is told."""
        self._cut()
        self._over = True
        self._note(DROPPED, {"why": why})

    def _cut(self) -> None:
        if self._window is not None:
            self._window.close()
            self._window = None

    def _advance(self) -> None:
        if self._window is None:
            return
        try:
            next(self._window)
        except StopIteration as end:
            self.results.append(end.value)
            self._window = None
            # A frozen agent stands still whatever it is told: no window of it says anything.
            self._over = end.value.real or end.value.frozen

    def _want(self, level: float) -> None:
        self._wanted = max(self._wanted, level)
