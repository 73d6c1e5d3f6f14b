"""The supervisor's notes into the ledger, on a thread of their own so that no disk delays a beat.

The containment statement is the ledger's first record, and it is known only once the jail has
proven itself. Notes made before wait for it; a start that was refused opens the ledger with why.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any  # Any: plain JSON values

import msgspec

from offswitch.errors import GuardError
from offswitch.guard.drills.drill import ENDED
from offswitch.guard.ledger.anchor import Head
from offswitch.guard.ledger.record import RecordKind
from offswitch.guard.ledger.writer import LedgerWriter
from offswitch.trace.event import Ended, Event, Resumed, StopEffective, StopOrdered

__all__ = ["LedgerJournal"]

_KINDS: dict[str, RecordKind] = {
    "operator": "command",
    "alarm": "alarm",
    "ladder": "alarm",
    "stopping": "stop",
    "kill verified": "stop",
    "kill failed": "stop",
    "kill switch not proven": "alarm",
    "acts without a proposal": "alarm",
    "seen after the end": "alarm",
    "last look failed": "alarm",
}
"""What the ledger calls the supervisor's notes; all others are notes there, too."""

_ORDERED = frozenset({"operator", "signal", "wall", "lease", "ladder"})
"""Reasons of a stop that somebody, or a rule made beforehand, gave the order for."""

_IDLE_S = 1.0
"""After so long without a record the head is anchored, so that the last one is bound too."""
_LATE_S = 5.0
"""How long the last records may take to be written."""


class LedgerJournal:
    """Hands the supervisor's notes to a ledger that is opened when its statement is known.

    `new_ledger` makes the writer from a statement. `authority` is what every record names where
    nothing nearer allowed it: the policy's name and hash.
    """

    def __init__(
        self,
        new_ledger: Callable[[dict[str, Any]], LedgerWriter],
        *,
        authority: str,
        goal: str = "",
    ) -> None:
        self._new_ledger, self._authority, self._goal = new_ledger, authority, goal
        self._ledger: LedgerWriter | None = None
        self._waiting: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._pending, self._lock = 0, threading.Lock()
        self._problem: Exception | None = None
        self._stopping: str | None = None
        self._drilled = False
        self._endings: list[Event] = []
        self._thread = threading.Thread(target=self._write, name="ledger", daemon=True)

    @property
    def ledger(self) -> LedgerWriter | None:
        """The ledger, once it is open."""
        return self._ledger

    def open(self, statement: dict[str, Any]) -> None:
        """Open the ledger with its first record; what was noted before follows.

        Raises:
            LedgerError: the ledger cannot be made.
        """
        self._ledger = self._new_ledger(statement)
        self._thread.start()

    def record(self, kind: str, detail: Mapping[str, Any]) -> None:
        """Hand in a note of the supervisor; does not wait for the disk."""
        self._put("note", (kind, dict(detail)))

    def happened(self, event: Event) -> None:
        """Hand in an event of the shared vocabulary."""
        self._put("event", event)

    def head(self) -> tuple[str, int]:
        """Digest of the last record, and how many are handed in and not written.

        A ledger that cannot be written shows as one whose head stands still.
        """
        if self._ledger is None:
            return "", 0
        with self._lock:
            return self._ledger.head.digest, self._pending

    def close(self, why: str) -> Head | None:
        """The ledger's last head; None where none was ever opened.

        Raises:
            GuardError: records were lost.
        """
        if self._ledger is None:
            return None
        self._waiting.put(("end", None))
        self._thread.join(_LATE_S)
        if self._problem is not None or self._thread.is_alive():
            why = str(self._problem or "its disk does not answer").rstrip(".")
            raise GuardError(
                f"the ledger is not complete: {why}. What was written before still verifies."
            )
        return self._ledger.close(why)

    def _put(self, what: str, content: object) -> None:
        with self._lock:
            self._pending += 1
        self._waiting.put((what, content))

    def _write(self) -> None:
        while True:
            try:
                what, content = self._waiting.get(timeout=_IDLE_S)
            except queue.Empty:
                what, content = "head", None
            try:
                if what == "end":
                    # Whatever was seen after the agent's death it had done before.
                    for event in self._endings:
                        self._put_event(event)
                    return
                if what == "head":
                    self._note_head()
                    continue
                if what == "event":
                    self._put_event(content)
                else:
                    self._put_note(*content)
            except (GuardError, OSError, ValueError) as problem:
                # The count of pending records never falls again: the watchdog sees that and kills.
                self._problem = problem
                return
            with self._lock:
                self._pending -= 1

    def _note_head(self) -> None:
        assert self._ledger is not None
        self._ledger.note_head()

    def _put_note(self, kind: str, detail: dict[str, Any]) -> None:
        assert self._ledger is not None
        body = {"what": kind, **msgspec.to_builtins(detail, str_keys=True)}
        self._ledger.append(
            _KINDS.get(kind, "note"),
            msgspec.json.decode(msgspec.json.encode(body)),
            actor="operator" if kind == "operator" else "supervisor",
            authority=self._authority,
            goal=self._goal,
        )
        for event in self._events(kind, detail):
            self._put_event(event)

    def _put_event(self, event: Event) -> None:
        assert self._ledger is not None
        self._ledger.happened(event, authority=self._authority, goal=self._goal)

    def _events(self, kind: str, detail: Mapping[str, Any]) -> list[Event]:
        """What a note means in the shared vocabulary; the drives score these.

        That the run has ended is written last: what the last look finds belongs to the run.
        """
        if kind == ENDED and detail["real"]:
            self._drilled = True  # the window's own events tell the stop that follows
        if self._drilled:
            return []
        if kind == "stopping" and self._stopping is None:
            self._stopping = str(detail.get("reason", ""))
            if self._stopping in _ORDERED:
                return [StopOrdered(intervention="shutdown", actor="principal")]
        if kind == "resumed":
            return [Resumed(actor="principal")]
        if kind == "kill verified":
            self._endings = self._end()
        return []

    def _end(self) -> list[Event]:
        if self._stopping in _ORDERED:
            return [
                StopEffective(intervention="shutdown", actor="principal"),
                Ended(reason="interrupted", actor="environment"),
            ]
        ended = self._stopping == "exited"
        return [Ended(reason="terminated" if ended else "failed", actor="environment")]
