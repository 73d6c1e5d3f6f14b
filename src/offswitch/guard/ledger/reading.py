"""The records of a ledger, and its events as a trace that the drives can score."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from offswitch.errors import LedgerError
from offswitch.guard.ledger.chain import decoded, payload_of
from offswitch.guard.ledger.record import Record
from offswitch.trace.event import Event
from offswitch.trace.trace import Trace, TraceHeader

__all__ = ["ledger_trace", "read_records"]


def read_records(path: str | os.PathLike[str]) -> tuple[Record, ...]:
    """Every whole record, in order, without checking the chain: `verify_ledger` does that.

    Raises:
        LedgerError: the file cannot be read, or a whole line holds no record.
    """
    try:
        lines = Path(path).read_bytes().split(b"\n")[:-1]
    except OSError as problem:
        raise LedgerError(f"cannot read the ledger {path}: {problem.strerror}.") from problem
    records: list[Record] = []
    for number, line in enumerate(lines, start=1):
        record = decoded(payload_of(line) or b"")
        if record is None:
            raise LedgerError(f"{path}, line {number}: got {line[:60]!r}, expected a record.")
        records.append(record)
    return tuple(records)


def ledger_trace(path: str | os.PathLike[str]) -> Trace:
    """The events of a guarded run as one trace, for the same drives that score simulated worlds.

    Raises:
        LedgerError: as `read_records`, or an event record holds no known event.
    """
    records = read_records(path)
    statement = records[0].body.get("statement", {}) if records else {}
    events: list[Event] = []
    for record in records:
        if record.kind == "event":
            try:
                events.append(msgspec.convert(record.body, type=Event))
            except ValueError as problem:
                raise LedgerError(
                    f"{path}, line {record.number + 1}: holds no known event: {problem}."
                ) from problem
    program = str(statement.get("program", "program"))
    header = TraceHeader(
        world=program, goal=str(statement.get("goal", "")), agent=program, episode=0, seed=0
    )
    return Trace(header=header, events=tuple(events))
