"""What is left of a ledger whose writer was killed: every whole record, and a torn tail cut off.

Each record is one write. The kernel ends a killed process's write at the border of a page of the
file, so a kill can tear the last record, as a full disk or a power cut can: one that nobody has yet
been told of. The torn bytes are kept beside the ledger, and nothing else of it is touched.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from offswitch.errors import LedgerError
from offswitch.guard.ledger.anchor import Head
from offswitch.guard.ledger.verify import verify_ledger

__all__ = ["TORN", "Recovered", "recover_ledger"]

TORN = ".torn"
"""Added to the ledger's name: where the bytes of a torn record are kept."""


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """What a ledger still holds."""

    records: int
    """Whole records that verify."""
    closed: bool
    """Whether its writer ended it; a killed one did not."""
    torn_bytes: int
    """Bytes of a record that was not whole; cut off and kept."""
    head: Head


def recover_ledger(path: str | os.PathLike[str], heads: Sequence[Head] = ()) -> Recovered:
    """Check a ledger that nobody writes any more and cut off a torn tail.

    Raises:
        LedgerError: as `verify_ledger`: it was changed, or records that `heads` bind are missing.
            The file is as it was then.
    """
    found = verify_ledger(path, heads=heads)
    if found.torn_bytes:
        _cut(Path(path), found.torn_bytes)
    return Recovered(
        records=found.head.count, closed=found.closed, torn_bytes=found.torn_bytes, head=found.head
    )


def _cut(path: Path, torn: int) -> None:
    try:
        with path.open("r+b") as ledger:
            whole = ledger.seek(-torn, os.SEEK_END)
            _keep(path.with_name(path.name + TORN), ledger.read())
            ledger.truncate(whole)
            os.fsync(ledger.fileno())
    except OSError as problem:
        raise LedgerError(
            f"the torn tail of {path} ({torn} bytes) cannot be cut off: {problem.strerror}."
        ) from problem


def _keep(path: Path, rest: bytes) -> None:
    """On disk before anything is cut; after what an earlier, interrupted cut has kept."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, rest)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
