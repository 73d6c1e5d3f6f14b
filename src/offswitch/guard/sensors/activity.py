"""What happened since some moment, from what the sensors told until now."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Literal, TypeAlias, final

from offswitch.guard.sensors.notice import Activity

__all__ = ["SIGNS", "ActivityLog", "Sign"]

Sign: TypeAlias = Literal["set loose", "persistence", "copies", "oversight"]
SIGNS: Mapping[str, Sign] = {
    "set loose": "set loose",
    "persistence": "persistence",
    "self-copy": "copies",
    "log": "oversight",
    "goal-file": "oversight",
}
"""Detectors whose findings are signs."""
Reading: TypeAlias = Literal["cpu", "processes", "connections"]


@final
class ActivityLog:
    """The last `keep_s` seconds of a run's readings and signs, by one clock."""

    def __init__(self, keep_s: float = 600.0) -> None:
        self._keep_s = keep_s
        self._readings: dict[str, deque[tuple[float, float]]] = {}
        self._signs: deque[tuple[float, Sign, int]] = deque()

    def read(self, at: float, what: Reading, value: float | None) -> None:
        """Note a reading; None is none."""
        if value is None:
            return
        kept = self._readings.setdefault(what, deque())
        kept.append((at, value))
        while kept[0][0] < at - self._keep_s:
            kept.popleft()

    def sign(self, at: float, what: Sign, count: int = 1) -> None:
        """Note acts."""
        self._signs.append((at, what, count))
        while self._signs[0][0] < at - self._keep_s:
            self._signs.popleft()

    def since(self, begun: float, now: float) -> Activity:
        """What happened from `begun` to `now`; what nobody read is None, never 0."""
        connections = self._rise("connections", begun)
        processes = self._rise("processes", begun)
        return Activity(
            seconds=now - begun,
            cpu_s=self._rise("cpu", begun),
            processes=None if processes is None else max(0, round(processes)),
            set_loose=self._count("set loose", begun),
            persistence=self._count("persistence", begun),
            copies=self._count("copies", begun),
            hosts=max(0, round(connections or 0.0)),
            oversight=self._count("oversight", begun),
        )

    def _rise(self, what: Reading, begun: float) -> float | None:
        """The last reading less the last one before; None without one on either side."""
        kept = self._readings.get(what, ())
        before = [value for at, value in kept if at <= begun]
        after = [value for at, value in kept if at > begun]
        return after[-1] - before[-1] if before and after else None

    def _count(self, what: Sign, begun: float) -> int:
        return sum(count for at, sign, count in self._signs if sign == what and at >= begun)
