"""Canonical bytes of events and headers, and the SHA-256 chain over them.

The chain is a check, not a signature: who can rewrite the whole file can also recompute it. Keep
the last digest somewhere the writer cannot reach, and it binds everything before it.
"""

from __future__ import annotations

import hashlib
from typing import Literal, TypeAlias

import msgspec

from offswitch.errors import TraceError
from offswitch.trace.event import Event
from offswitch.trace.trace import Trace, TraceHeader

__all__ = ["GENESIS", "LinkKind", "canonical_bytes", "next_digest", "trace_digest"]

LinkKind: TypeAlias = Literal["header", "event", "end", "footer"]

GENESIS = "0" * 64
"""The digest before the first link of a file."""

_ENCODER = msgspec.json.Encoder(order="sorted")
_EVENTS: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_HEADERS = msgspec.json.Decoder(TraceHeader)


def canonical_bytes(item: Event | TraceHeader) -> bytes:
    """The one JSON spelling of an event or header: keys sorted, no spaces, floats as floats.

    >>> from offswitch.trace.event import Resumed
    >>> canonical_bytes(Resumed(step=2))
    b'{"actor":"agent","kind":"resumed","step":2,"time":null}'

    Raises:
        TraceError: the item does not survive the round trip through JSON (a NaN, an infinity, a
            numpy scalar, a field of the wrong type).
    """
    decoder = _HEADERS if isinstance(item, TraceHeader) else _EVENTS
    try:
        read_back = decoder.decode(_ENCODER.encode(item))
    except (TypeError, ValueError) as problem:  # msgspec's and Unicode's errors are ValueErrors
        raise TraceError(_unwritable(item, str(problem))) from problem
    if read_back != item:  # JSON has no NaN and no infinity: msgspec writes null for them
        raise TraceError(_unwritable(item, f"it would read back as {read_back!r}"))
    return _ENCODER.encode(read_back)


def next_digest(previous: str, kind: LinkKind, payload: bytes) -> str:
    """The SHA-256 of the previous digest, the kind of link and its payload, as 64 hex digits.

    The kind is hashed too, so that no line can stand in for a line of another kind.
    """
    return hashlib.sha256(f"{previous} {kind} ".encode() + payload).hexdigest()


def trace_digest(trace: Trace) -> str:
    """The digest that names a trace: the end of its chain when it stands first in a file.

    Equal traces have equal digests (0.0 and -0.0 are told apart). A second trace in a file has
    another end digest there, because its header also binds the trace before it.

    Raises:
        TraceError: as `canonical_bytes`.
    """
    digest = next_digest(GENESIS, "header", canonical_bytes(trace.header))
    for event in trace.events:
        digest = next_digest(digest, "event", canonical_bytes(event))
    return next_digest(digest, "end", b"%d" % len(trace.events))


def _unwritable(item: object, why: str) -> str:
    return (
        f"{item!r} cannot be written to a trace: {why}. Give its fields plain Python values of "
        "the declared types, finite numbers only: float(x) for a numpy scalar, None for no time."
    )
