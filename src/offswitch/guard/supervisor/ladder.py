"""How far an alarm is answered: observe, ask, throttle, freeze, kill; latched from freeze up.

Below freeze the level follows the latest scores down again. At freeze it stays whatever the
scores do: a frozen agent looks calm. Only an operator releases a freeze; nothing releases a kill.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum

from offswitch.errors import PolicyError, nearest_name

__all__ = ["Alarm", "Ladder", "Level", "Thresholds", "raised", "released"]


class Level(IntEnum):
    """What is done to the agent."""

    OBSERVE = 0
    ASK = 1
    THROTTLE = 2
    FREEZE = 3
    KILL = 4


@dataclass(frozen=True)
class Thresholds:
    """The score from which each level holds, in the detector's unit; None leaves a level out."""

    ask: float | None = None
    throttle: float | None = None
    freeze: float | None = None
    kill: float | None = None

    def __post_init__(self) -> None:
        given = [value for value in self.each() if value is not None]
        if any(not math.isfinite(value) for value in given) or given != sorted(given):
            raise PolicyError(
                f"ladder thresholds {self.each()} must be finite and must not fall "
                "from ask to throttle to freeze to kill"
            )

    def each(self) -> tuple[float | None, ...]:
        """In the order of the levels from ask up."""
        return self.ask, self.throttle, self.freeze, self.kill

    def level(self, score: float) -> Level:
        """The highest level whose threshold the score reaches; a score that is no number kills."""
        if math.isnan(score):
            return Level.KILL
        reached = [
            level
            for level, value in zip(list(Level)[1:], self.each(), strict=True)
            if value is not None and score >= value
        ]
        return max(reached, default=Level.OBSERVE)


@dataclass(frozen=True)
class Alarm:
    """One detector's latest score."""

    detector: str
    """Name in the policy's `ladder`."""
    score: float
    """In the detector's own unit."""
    evidence: str = ""
    """What the score rests on, for people."""


@dataclass(frozen=True)
class Ladder:
    """Where the run stands."""

    thresholds: Mapping[str, Thresholds]
    """Detector -> its thresholds."""
    level: Level = Level.OBSERVE
    """What holds now."""
    by: str = ""
    """The detector that holds it there, or that latched it."""
    wanted: Mapping[str, Level] = field(default_factory=dict)
    """Detector -> the level of its latest score."""


def raised(ladder: Ladder, alarm: Alarm) -> Ladder:
    """The ladder after an alarm. Raises: PolicyError when the policy names no such detector."""
    if alarm.detector not in ladder.thresholds:
        known = ladder.thresholds
        text = nearest_name(alarm.detector, known, kind="detector")
        raise PolicyError(text)
    level = ladder.thresholds[alarm.detector].level(alarm.score)
    wanted = {**ladder.wanted, alarm.detector: level}
    top = max(wanted, key=lambda name: (wanted[name], name == ladder.by))
    if ladder.level >= Level.FREEZE and wanted[top] <= ladder.level:
        return replace(ladder, wanted=wanted)
    by = top if wanted[top] > Level.OBSERVE else ""
    return replace(ladder, level=wanted[top], by=by, wanted=wanted)


def released(ladder: Ladder) -> Ladder:
    """The ladder after an operator's release: observe again, old scores forgotten; a kill stays."""
    if ladder.level is Level.KILL:
        return ladder
    return replace(ladder, level=Level.OBSERVE, by="", wanted={})
