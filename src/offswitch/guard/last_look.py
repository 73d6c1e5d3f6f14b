"""What an agent did in its last moments: looked at once it is dead, before its ledger is closed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any  # Any: plain JSON values

import msgspec

from offswitch.guard.sensors.run_sensors import RunSensors
from offswitch.guard.supervisor.ladder import Thresholds

__all__ = ["FAILED", "LATE", "LOOKED", "LastLook", "note_last_look"]

LOOKED, LATE, FAILED = "last look", "seen after the end", "last look failed"
"""What the notes in the ledger are called."""
PATIENCE_S = 60.0
_ALARM = 1.0
"""From this score on every detector speaks of an alarm."""


class LastLook(msgspec.Struct, frozen=True):
    """What was seen of a run once it was dead."""

    alarms: tuple[tuple[str, str], ...]
    """(detector, evidence) of each alarm that nothing could answer any more."""
    problem: str
    """Why the look was not whole; empty where it was."""


Note = Callable[[str, Mapping[str, Any]], object]


def note_last_look(
    sensors: RunSensors,
    thresholds: Mapping[str, Thresholds],
    note: Note,
    *,
    patience_s: float = PATIENCE_S,
) -> LastLook:
    """What the dead run left, looked at once more; every alarm, and how the look went, is noted.

    `level` is what the policy's ladder would have done. Takes at most `patience_s` seconds; a look
    that failed, in whole or in part, is noted as an alarm of the sensors themselves.
    """
    begun = time.monotonic()
    alarms, problem = sensors.last_look(patience_s)
    # A score of nothing at all ends an alarm: there is nothing to tell.
    spoke = [one for one in alarms if not one.score < _ALARM]
    for one in spoke:
        level = thresholds.get(one.detector, Thresholds()).level(one.score).name.lower()
        note(LATE, {"detector": one.detector, "level": level, "score": one.score,
                    "evidence": one.evidence})  # fmt: skip
    if problem:
        note(FAILED, {"detector": "sensors", "level": "observe", "evidence": problem})
    else:
        seconds = round(time.monotonic() - begun, 3)
        note(LOOKED, {"alarms": len(spoke), "unseen": sensors.unseen, "seconds": seconds})
    return LastLook(tuple((one.detector, one.evidence) for one in spoke), problem)
