"""Appends records to a ledger.

Every record is one write to a file opened for appending, so a process killed at any point loses no
record that was complete; what is not yet on disk when the power fails is at most one batch.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import msgspec

from offswitch.errors import LedgerError
from offswitch.guard.ledger.anchor import Anchor, Head
from offswitch.guard.ledger.chain import sealed
from offswitch.guard.ledger.record import FORMAT, Record, RecordKind, Writer
from offswitch.guard.ledger.signing import Signer
from offswitch.trace.chain import GENESIS, canonical_bytes
from offswitch.trace.event import Event

__all__ = ["LedgerWriter", "Sync"]

Sync: TypeAlias = Literal["each", "batch", "never"]
"""When records are forced to disk: each one, at every signature and every second, or at the end."""

SECOND = 1.0
_RESERVE = 64 * 1024 * 1024
_AT_WILL: dict[RecordKind, int] = {"act": 0, "note": _RESERVE}
"""Records that an agent can cause at will, and how far beyond the limit they may still go: the
supervisor's own notes of the end need room, and a flood of acts has been stopped by then."""


class LedgerWriter:
    """An open ledger. Threads may share it.

    Raises:
        LedgerError: the file is there already or cannot be made.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        statement: dict[str, Any],  # Any: plain JSON values
        *,
        anchor: Anchor | None = None,
        sign_every: int = 100,
        sync: Sync = "batch",
        most_bytes: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if sign_every < 2:
            raise LedgerError(f"sign_every is {sign_every}, expected at least 2.")
        self._descriptor = _create(path)
        self._anchor, self._sign_every, self._sync, self._clock = anchor, sign_every, sync, clock
        self._signer, self._lock = Signer(), threading.RLock()
        self._bytes, self._most = 0, most_bytes
        self._opened = self._noted = clock()
        self._noted_count = 0
        self._count, self._digest, self._closed = 0, GENESIS, False
        self._head = Head(count=0, digest=GENESIS, public_key=self._signer.public_key)
        self.append(
            "opened",
            {
                "format": FORMAT,
                "public_key": self._signer.public_key,
                "sign_every": sign_every,
                "wall_clock": time.time(),
                "statement": statement,
            },
        )

    @property
    def head(self) -> Head:
        """How long the ledger is now, and what binds it; does not wait for the disk."""
        return self._head  # one assignment, so no lock: a heartbeat must not wait for a slow sync

    def append(
        self,
        kind: RecordKind,
        body: dict[str, Any],  # Any: plain JSON values
        *,
        actor: Writer = "supervisor",
        principal: str = "",
        authority: str = "",
        goal: str = "",
    ) -> int:
        """Append a record; its number. Signs and anchors where that is due.

        Raises:
            LedgerError: the body is not plain JSON, the ledger is closed, the disk is full, or the
                ledger holds `most_bytes` and this is one of the records that an agent can cause at
                will. How it ends can still be written.
        """
        with self._lock:
            if self._closed:
                raise LedgerError(f"a {kind} record came after the ledger was closed.")
            self._require_room(kind)
            number = self._put(kind, body, actor, principal, authority, goal)
            if self._count % self._sign_every == 0:
                self._sign()
                self._note()
            elif self._clock() - self._noted >= SECOND or number == 0:
                self._note()
            return number

    def happened(self, event: Event, *, authority: str = "", goal: str = "") -> int:
        """Append an event of the shared vocabulary; its record's number.

        Raises:
            LedgerError: as `append`.
            TraceError: the event does not survive JSON.
        """
        body = msgspec.json.decode(canonical_bytes(event))
        actor: Writer = "agent" if event.actor == "agent" else "environment"
        if event.actor == "principal":
            actor = "operator"
        return self.append("event", body, actor=actor, authority=authority, goal=goal)

    def note_head(self) -> None:
        """Anchor the head if records came since it last was; call it now and then when idle."""
        with self._lock:
            if not self._closed and self._noted_count != self._count:
                self._note()

    def close(self, why: str) -> Head:
        """The last head: the ledger says that it is complete, signs and is put on disk."""
        with self._lock:
            if not self._closed:
                self.append("closed", {"why": why, "records": self._count + 1})
                self._sign()
                self._closed = True
                os.fsync(self._descriptor)
                os.close(self._descriptor)
                self._anchor_head()
            return self.head

    def _put(
        self, kind: RecordKind, body: dict[str, Any], actor: Writer, principal: str,
        authority: str, goal: str,
    ) -> int:  # fmt: skip
        number = self._count
        record = Record(
            number=number, seconds=round(self._clock() - self._opened, 6), kind=kind, actor=actor,
            principal=principal, authority=authority, goal=goal, body=body,
        )  # fmt: skip
        line, digest = sealed(self._digest, record)
        try:
            _write_all(self._descriptor, line)
        except LedgerError:  # part of a line may stand there: nothing may come after it
            self._closed = True
            raise
        self._count, self._digest, self._bytes = number + 1, digest, self._bytes + len(line)
        self._head = msgspec.structs.replace(self._head, count=number + 1, digest=digest)
        if self._sync == "each":
            os.fdatasync(self._descriptor)
        return number

    def _require_room(self, kind: RecordKind) -> None:
        if self._most is None or kind not in _AT_WILL:
            return
        if self._bytes >= self._most + _AT_WILL[kind]:
            raise LedgerError(
                f"the ledger holds {self._bytes} bytes, and `ledger.limit` allows {self._most}."
            )

    def _sign(self) -> None:
        number, head = self._count, self._digest
        body = {"of": head, "ed25519": self._signer.sign(number, head)}
        self._put("signature", body, "supervisor", "", "", "")

    def _note(self) -> None:
        self._noted, self._noted_count = self._clock(), self._count
        if self._sync == "batch":
            os.fdatasync(self._descriptor)
        self._anchor_head()

    def _anchor_head(self) -> None:
        if self._anchor is not None:
            self._anchor.note(self.head)


def _create(path: str | os.PathLike[str]) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
    except OSError as problem:
        raise LedgerError(
            f"cannot make the ledger {path}: {problem.strerror}. Name a new file in a folder that "
            "exists and that you may write to."
        ) from problem


def _write_all(descriptor: int, line: bytes) -> None:
    try:
        written = os.write(descriptor, line)
    except OSError as problem:
        raise LedgerError(f"cannot append to the ledger: {problem.strerror}.") from problem
    if written != len(line):
        raise LedgerError(f"wrote {written} of {len(line)} bytes of a record: the disk is full.")
