"""Whether the other process still works: a counter that moves, and a ledger head that moves.

A thread that goes on sending while the work is stuck sends the same counter, or the same head
with records waiting; neither counts. Times are of the monotonic clock, in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, final  # Any: values of a JSON object

__all__ = ["EARLY", "Beat", "Limits", "Pulse", "beat_from"]

EARLY = 0.8
"""Share of the time between two heartbeats after which one may be sent, if there is a wake."""


class Beat(NamedTuple):
    """One heartbeat."""

    counter: int
    """Rounds of real work done; only a larger one counts."""
    head: str = ""
    """Digest of the ledger's last record."""
    pending: int = 0
    """Records handed in and not yet in the ledger."""


class Limits(NamedTuple):
    """How long silence may last."""

    timeout_s: float = 0.25
    """Without a larger counter."""
    head_timeout_s: float = 1.0
    """With records waiting and the same head: a disk may stall longer than a loop."""


def beat_from(fields: Mapping[str, Any]) -> Beat:
    """The heartbeat of a message. Raises: ValueError when a field is not of its type."""
    counter, head, pending = (fields.get(name) for name in Beat._fields)
    if type(counter) is not int or not isinstance(head, str) or type(pending) is not int:
        raise ValueError(f"a heartbeat of {counter!r}, {head!r}, {pending!r}")
    return Beat(counter, head, pending)


@final
class Pulse:
    """The last signs of life of one process."""

    def __init__(self, limits: Limits, now: float) -> None:
        self.limits = limits
        self._last = Beat(-1)
        self._counted = self._headed = now

    def take(self, beat: Beat, now: float) -> None:
        """Note a heartbeat that arrived."""
        if beat.counter > self._last.counter:
            self._counted = now
        if beat.pending == 0 or beat.head != self._last.head:
            self._headed = now
        self._last = Beat(max(beat.counter, self._last.counter), beat.head, beat.pending)

    def forgive(self, seconds: float) -> None:
        """Leave out time in which the listener itself did not run and could have heard nothing."""
        self._counted += seconds
        self._headed += seconds

    def problem(self, now: float) -> str | None:
        """What has stopped, with how long ago; None while all is well."""
        if now - self._counted > self.limits.timeout_s:
            return f"no heartbeat for {now - self._counted:.3f} s"
        if now - self._headed > self.limits.head_timeout_s:
            still = f"{now - self._headed:.3f} s"
            return f"{self._last.pending} records waiting, ledger head the same for {still}"
        return None

    def silence(self, now: float) -> float:
        """Seconds since the last sign of life that counted."""
        return max(0.0, now - self._counted)

    def ends(self) -> float:
        """The time at which `problem` speaks up if nothing more arrives."""
        return min(self._counted + self.limits.timeout_s, self._headed + self.limits.head_timeout_s)
