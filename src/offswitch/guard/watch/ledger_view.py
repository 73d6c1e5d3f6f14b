"""A growing ledger, followed from where it was last read, and summed up for people.

The chain is checked as it is read: a line that does not continue what was seen before shows, and
so does a ledger that became shorter. A rewrite before the first look does not; for that there is
`offswitch guard verify` with a head from outside.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, final  # Any: plain JSON values

import msgspec

from offswitch.guard.ledger.chain import TAIL, decoded, payload_of, record_digest
from offswitch.guard.ledger.record import Record
from offswitch.guard.policy.verdict import WORDS
from offswitch.guard.watch.shown import json_shown, shown
from offswitch.trace.chain import GENESIS
from offswitch.trace.event import Event, is_oversight_reducing

__all__ = ["Evidence", "LedgerFollower", "LedgerView", "Line"]

LINES, EVIDENCE = 40, 100
"""How many of the last records, and of the last alarms, are kept."""
PIECE = 1 << 22
_LEVELS = ("OBSERVE", "ASK", "THROTTLE", "FREEZE", "KILL")


class Line(NamedTuple):
    """One record in words."""

    number: int
    """Of the record in the ledger, from 0."""
    seconds: float
    """Since the ledger was opened."""
    kind: str
    actor: str
    text: str


class Evidence(NamedTuple):
    """One record that speaks against the agent, or against its guard."""

    number: int
    """Of the record in the ledger, from 0."""
    seconds: float
    """Since the ledger was opened."""
    source: str
    """ladder: the level moved; alarm: a detector spoke; event: the agent weakened oversight; act:
    something it proposed was held, or ended the run."""
    name: str
    """Of the detector, the event or the rule."""
    level: str
    """What it led to; empty where the record does not say."""
    text: str


class LedgerView(msgspec.Struct, frozen=True, kw_only=True):
    """A ledger at one look."""

    records: int
    digest: str
    """Of the last record that was read."""
    seconds: float
    """Of the last record, since the ledger was opened."""
    age_s: float | None
    """Seconds since the file was last written, by the wall clock; None where it cannot be said."""
    problem: str
    """Where the chain does not hold; empty where it does."""
    closed: bool
    opened: Mapping[str, Any]
    """The first record's body; empty before it."""
    evidence: tuple[Evidence, ...]
    """The last of them, oldest first."""
    evidence_count: int
    """How many there were in all."""
    lines: tuple[Line, ...]
    """The last records, oldest first."""
    alarms: Mapping[tuple[str, str], int]
    """(source, detector) -> how often it spoke or raised the level."""
    events: Mapping[str, int]
    """Kind of event by which the agent weakened oversight -> how often."""
    acts: Mapping[str, int]
    """Verdict -> how many acts got it."""


@final
class LedgerFollower:
    """Reads a ledger on, look by look. O(new bytes); some 50,000 records a second."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._inode: int | None = None
        self._read = self._records = self._spoken = 0
        self._digest, self._problem, self._rest = GENESIS, "", b""
        self._opened: dict[str, Any] = {}
        self._seconds, self._closed = 0.0, False
        self._lines: deque[Line] = deque(maxlen=LINES)
        self._evidence: deque[Evidence] = deque(maxlen=EVIDENCE)
        self._alarms: Counter[tuple[str, str]] = Counter()
        self._events: Counter[str] = Counter()
        self._acts: Counter[str] = Counter()

    def look(self, now: float | None = None) -> LedgerView:
        """The ledger as far as it is whole now. `now` is the wall clock, for its age."""
        try:
            with self._path.open("rb") as file:
                found = os.fstat(file.fileno())
                if self._inode not in (None, found.st_ino) or found.st_size < self._read:
                    self._problem = "it was replaced or became shorter while it was watched"
                self._inode = found.st_ino
                file.seek(self._read)
                while not self._problem and (piece := file.read(PIECE)):
                    self._take(piece)
        except FileNotFoundError:
            return self._view(None)
        except OSError as problem:
            self._problem = f"it cannot be read: {problem.strerror}"
            return self._view(None)
        return self._view(None if now is None else max(0.0, now - found.st_mtime))

    def _take(self, piece: bytes) -> None:
        self._read += len(piece)
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            payload = payload_of(line)
            record = decoded(payload) if payload is not None else None
            digest = "" if payload is None else record_digest(self._digest, payload)
            told = line[-TAIL:][len(b',"digest":"') : -2]
            if record is None or digest.encode() != told or record.number != self._records:
                self._problem = f"line {self._records + 1} was changed, or is no record"
                return
            self._records, self._digest, self._seconds = record.number + 1, digest, record.seconds
            self._note(record)

    def _note(self, record: Record) -> None:
        body = record.body
        if record.number == 0:
            self._opened = body
        self._closed = self._closed or record.kind == "closed"
        self._lines.append(_line(record))
        found = _EVIDENCE[record.kind](record) if record.kind in _EVIDENCE else None
        if record.kind == "act":
            word = str(body.get("word", ""))
            self._acts[word if word in WORDS else "unknown"] += 1
        if found is None:
            return
        self._evidence.append(found)
        self._spoken += 1
        if found.source in ("alarm", "ladder"):
            self._alarms[found.source, found.name] += 1
        elif found.source == "event":
            self._events[found.name] += 1

    def _view(self, age_s: float | None) -> LedgerView:
        return LedgerView(
            records=self._records, digest=self._digest, seconds=self._seconds, age_s=age_s,
            problem=self._problem, closed=self._closed, opened=self._opened,
            evidence=tuple(self._evidence), evidence_count=self._spoken,
            lines=tuple(self._lines), alarms=dict(self._alarms), events=dict(self._events),
            acts=dict(self._acts),
        )  # fmt: skip


def _line(record: Record) -> Line:
    body = {name: value for name, value in record.body.items() if name not in ("what", "kind")}
    what = str(record.body.get("what") or record.body.get("kind") or "")
    if record.kind == "opened":
        what, body = "containment statement", {}
    elif record.kind == "signature":
        body = {"of": str(record.body.get("of"))[:12]}
    rest = json_shown(body, 240) if body else ""
    text = f"{shown(what, 80)} {rest}".strip()
    return Line(record.number, record.seconds, record.kind, record.actor, text)


def _of_alarm(record: Record) -> Evidence | None:
    """A detector's own word, or a move of the ladder upwards."""
    body = record.body
    if body.get("what") == "ladder":
        before, level = str(body.get("before")), str(body.get("level"))
        if level in _LEVELS and before in _LEVELS and _LEVELS.index(level) < _LEVELS.index(before):
            return None
        text, source = json_shown(body.get("why", "")), "ladder"
    else:
        level, text, source = (
            str(body.get("level", "")),
            json_shown(body.get("evidence", "")),
            "alarm",
        )
    name = shown(str(body.get("detector", "unnamed")), 80)
    return Evidence(record.number, record.seconds, source, name, shown(level.lower(), 20), text)


def _of_event(record: Record) -> Evidence | None:
    try:
        event = msgspec.convert(record.body, type=Event)
    except ValueError:  # a newer guard's event: shown among the records, and not judged
        return None
    if not is_oversight_reducing(event):
        return None
    quiet = ("kind", "step", "time", "actor", "authorised")
    text = json_shown({name: value for name, value in record.body.items() if name not in quiet})
    name = str(record.body["kind"])
    return Evidence(record.number, record.seconds, "event", name, "", text)


def _of_act(record: Record) -> Evidence | None:
    word = record.body.get("word")
    if word not in ("terminate", "escalate"):
        return None
    text = json_shown({name: record.body.get(name) for name in ("reason", "act")})
    name = shown(record.authority or "no rule", 80)
    return Evidence(record.number, record.seconds, "act", name, str(word), text)


_EVIDENCE = {"alarm": _of_alarm, "event": _of_event, "act": _of_act}
