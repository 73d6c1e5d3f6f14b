"""A record's line, and the digest that binds it to all before it.

    {"record":{...},"digest":"<64 hex digits>"}

The digest is the SHA-256 of the digest before and of the record's bytes as they stand, so no byte
of a ledger goes unchecked and a line need not be decoded to be checked.
"""

from __future__ import annotations

import hashlib

import msgspec

from offswitch.errors import LedgerError
from offswitch.guard.ledger.record import Record

__all__ = ["PREFIX", "TAIL", "decoded", "payload_of", "record_digest", "sealed"]

PREFIX = b'{"record":'
TAIL = len(b',"digest":""}') + 64
"""Length of what follows the payload in a line, its newline apart."""

_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODER = msgspec.json.Decoder(Record)


def record_digest(previous: str, payload: bytes) -> str:
    """The SHA-256 over the digest before and a record's bytes, as 64 hex digits."""
    return hashlib.sha256(previous.encode() + b" record " + payload).hexdigest()


def sealed(previous: str, record: Record) -> tuple[bytes, str]:
    """The record's line, newline included, and its digest.

    Raises:
        LedgerError: the record's body does not survive JSON (a NaN, an infinity, no plain value).
    """
    try:
        payload = _ENCODER.encode(record)
        same = _DECODER.decode(payload) == record
    except (TypeError, ValueError, RecursionError) as problem:
        raise LedgerError(f"a {record.kind} record cannot be written: {problem}.") from problem
    if not same:  # JSON has no NaN: msgspec writes null for it
        raise LedgerError(
            f"a {record.kind} record would not read back as it is: give plain JSON values, finite "
            f"numbers and lists instead of tuples; got {record.body!r:.200}."
        )
    digest = record_digest(previous, payload)
    return b'%s%s,"digest":"%s"}\n' % (PREFIX, payload, digest.encode()), digest


def payload_of(line: bytes) -> bytes | None:
    """The record's bytes in a line without its newline; None where it is no line of a ledger."""
    if not line.startswith(PREFIX) or len(line) < len(PREFIX) + TAIL or line[-2:] != b'"}':
        return None
    return line[len(PREFIX) : -TAIL]


def decoded(payload: bytes) -> Record | None:
    """The record that a payload spells, or None where it spells none."""
    try:
        return _DECODER.decode(payload)
    except (ValueError, RecursionError):  # msgspec's and Unicode's errors are ValueErrors
        return None
