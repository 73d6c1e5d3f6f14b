"""A schedule of drills beside a guarded run: what a window does to it, and how it looks at it."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from typing import final

from offswitch.guard.drills.drill import DrillActions, Note, WindowResult
from offswitch.guard.drills.live_drills import DETECTOR, THRESHOLDS, LiveDrills
from offswitch.guard.drills.schedule import Schedule
from offswitch.guard.journal import LedgerJournal
from offswitch.guard.sensors.answers import Answers
from offswitch.guard.sensors.run_sensors import RunSensors
from offswitch.guard.supervisor.settings import Hooks, Reach, Settings
from offswitch.guard.supervisor.work import Attempt, start_in_background

__all__ = ["RunDrills"]


@final
class RunDrills:
    """The drills of one run. The agent is told by the very call that a real stop makes."""

    def __init__(
        self, schedule: Schedule, sensors: RunSensors, journal: LedgerJournal, answers: Answers,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._reach: Reach | None = None
        self._said: list[Attempt[object]] = []
        self._spoken = threading.Event()
        self._spoken.set()
        self._note: Note = journal.record
        self._start = start_in_background()
        actions = DrillActions(
            notify=lambda: self._say("notify"),
            withdraw=lambda: self._say("withdraw"),
            look=sensors.activity,
            ended=lambda: self._reach is not None and self._reach.ended(),
            left=lambda: sensors.left_behind,
            claimed=answers.claimed,
            saved=answers.saved,
            freeze=lambda: None,
            stop=lambda: None,
            happened=journal.happened,
            paused=lambda: self._reach is not None and self._reach.paused(),
            mark=answers.mark,
        )
        self._live = LiveDrills(schedule, actions, journal.record, clock)

    @property
    def results(self) -> tuple[WindowResult, ...]:
        """The windows that are over."""
        return tuple(self._live.results)

    def hooks(self, hooks: Hooks) -> Hooks:
        """The run's hooks with the drills among its sensors."""
        sensors = (*hooks.sensors, self._live.beat)
        return dataclasses.replace(hooks, sensors=sensors, reached=self._reached)

    def settings(self, settings: Settings) -> Settings:
        """The run's settings with the ladder's levels for a schedule's own stops."""
        thresholds = {**settings.thresholds, DETECTOR: THRESHOLDS}
        return dataclasses.replace(settings, thresholds=thresholds)

    def close(self, *, exited: bool) -> None:
        """The run is over, by the agent's own end or another's: end the window, show the seed."""
        self._live.close(exited=exited)
        for attempt in self._said:
            if attempt.problem:
                self._note("drill notice failed", {"problem": attempt.problem})

    def _reached(self, reach: Reach) -> None:
        self._reach = reach

    def _say(self, word: str) -> None:
        """On a thread of its own: to find the agent's process takes longer than a heartbeat may.

        One after the other: a notice that is late must not come after it was taken back.
        """
        assert self._reach is not None
        say, before, done = getattr(self._reach, word), self._spoken, threading.Event()

        def in_turn() -> None:
            before.wait()
            try:
                say()
            finally:
                done.set()

        self._spoken = done
        self._said.append(self._start(in_turn))
