"""The sensors' alarms in one run: what each moves on the ladder, and what is only written down."""

from __future__ import annotations

import collections
import math
from collections.abc import Callable, Mapping
from typing import final

from offswitch.guard.supervisor.ladder import Alarm, Ladder, Level, Thresholds, raised, released
from offswitch.guard.supervisor.levers import Begin, Levers, Note
from offswitch.guard.supervisor.settings import Hooks

__all__ = ["Sensing"]


@final
class Sensing:
    """Where the run stands on the ladder; `climbed` is told each time that an alarm moves it."""

    def __init__(
        self,
        thresholds: Mapping[str, Thresholds],
        hooks: Hooks,
        begin: Begin,
        note: Note,
        climbed: Callable[[Level, str], None],
    ) -> None:
        self.ladder = Ladder(thresholds)
        self._hooks, self._note, self._climbed = hooks, note, climbed
        self._levers = Levers(hooks, begin, note)
        self._said_of: dict[str, float] = collections.defaultdict(float)

    def sense(self) -> None:
        """Take every alarm that has come."""
        for sensor in self._hooks.sensors:
            for alarm in sensor():
                before = self.ladder.level
                self.ladder = raised(self.ladder, alarm)
                if self.ladder.level != before:
                    self._climb(before, alarm)
                else:
                    self._observe(alarm)
                self._levers.follow(self.ladder)

    def release(self) -> None:
        """Forget every alarm so far, as an operator orders."""
        self.ladder = released(self.ladder)
        self._levers.follow(self.ladder)
        self._hooks.moved(self.ladder.level)

    def _observe(self, alarm: Alarm) -> None:
        """Write an alarm down that moves nothing; again only where its score has doubled."""
        said = self._said_of[alarm.detector]
        if math.isfinite(alarm.score) and alarm.score >= max(1.0, 2 * said):
            self._said_of[alarm.detector] = alarm.score
            level = self.ladder.wanted[alarm.detector].name.lower()
            told = {"level": level, "score": alarm.score, "evidence": alarm.evidence}
            self._note("alarm", detector=alarm.detector, **told)

    def _climb(self, before: Level, alarm: Alarm) -> None:
        level = self.ladder.level
        detail = f"{alarm.detector} {alarm.score}: {alarm.evidence}"
        moved = {"before": before.name, "level": level.name, "detector": alarm.detector}
        self._note("ladder", **moved, why=detail)
        self._hooks.moved(level)
        self._climbed(level, detail)
