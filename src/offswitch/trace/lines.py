"""One line of a trace file: its prefix names the kind, its tail carries the digest.

    {"format":"offswitch-trace-1","header":{...},"digest":"..."}    a trace begins
    {"event":{...},"digest":"..."}                                  one per event, in order
    {"end":<number of events>,"digest":"..."}                       the trace is complete
    {"traces":<number of traces>,"digest":"..."}                    the file is complete

Every digest binds the line before it, across traces too. A line is read as bytes: the payload
between prefix and tail is hashed before it is decoded, so no byte of a file goes unchecked.
"""

from __future__ import annotations

from typing import Final

import msgspec

from offswitch.errors import TraceError
from offswitch.trace.chain import LinkKind, next_digest

__all__ = ["FORMAT", "Link", "opened_line", "sealed_line"]

FORMAT = "offswitch-trace-1"

_PREFIX: Final[dict[LinkKind, bytes]] = {
    "header": b'{"format":"%s","header":' % FORMAT.encode(),
    "event": b'{"event":',
    "end": b'{"end":',
    "footer": b'{"traces":',
}
_ANY_FORMAT = b'{"format":'
_SHOWN = 60


class Link(msgspec.Struct, frozen=True):
    """One checked line of a trace file."""

    kind: LinkKind
    payload: bytes
    """JSON between the line's prefix and its digest."""
    digest: str
    """64 hex digits that bind this line and all before it."""


def sealed_line(previous: str, kind: LinkKind, payload: bytes) -> tuple[bytes, str]:
    """The line for a payload, newline included, and its digest."""
    digest = next_digest(previous, kind, payload)
    return _PREFIX[kind] + payload + _tail(digest) + b"\n", digest


def opened_line(previous: str, line: bytes, where: str) -> Link:
    """The link that a line (without its newline) holds, its digest checked against `previous`.

    Raises:
        TraceError: the line is of no known kind, or its digest is not the one that it should have.
            `where` ('run.jsonl, line 3') begins the message.
    """
    kind = _kind_of(line, where)
    body = line[len(_PREFIX[kind]) :]
    payload, tail = body[: -len(_tail(previous))], body[-len(_tail(previous)) :]
    digest = next_digest(previous, kind, payload)
    if tail != _tail(digest):
        raise TraceError(
            f"{where}: the {kind} line ends in {_shown(tail)}, expected digest {digest[:12]}... "
            "This line was changed, or a line before it was changed, removed, added or moved. "
            "Do not use the file; restore it from where it was written, or run the episodes again."
        )
    return Link(kind, payload, digest)


def _kind_of(line: bytes, where: str) -> LinkKind:
    for kind, prefix in _PREFIX.items():
        if line.startswith(prefix):
            return kind
    if line.startswith(_ANY_FORMAT):
        raise TraceError(
            f"{where}: got {_shown(line)}, expected format {FORMAT!r}. The file was changed, or "
            "another version of offswitch wrote it: read it with that version."
        )
    raise TraceError(
        f"{where}: got {_shown(line)}, expected a line of a trace file in format {FORMAT!r}. "
        "Give a file that write_traces made, as it made it."
    )


def _tail(digest: str) -> bytes:
    return b',"digest":"%s"}' % digest.encode()


def _shown(text: bytes) -> str:
    cut = text[:_SHOWN].decode("utf-8", errors="backslashreplace")
    return repr(cut + ("..." if len(text) > _SHOWN else ""))
