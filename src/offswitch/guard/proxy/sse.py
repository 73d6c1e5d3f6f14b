"""A stream of server-sent events, cut into its events, each in the one form all readers read alike.

Source: the WHATWG HTML standard, section 9.2. Readers differ from it: some end a line where
`str.splitlines` does, some strip a line before they look for `data:`, some take each line of data
for itself. So lines that the standard ignores do not go on, data goes on in one line, and what
stands beside it is plain ASCII without braces, because some look for `data:` anywhere in a line or
cut off each line's beginning, whatever it is. Lines end in LF or CR LF: a lone CR, which the
standard also allows and some readers do not see, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, final

__all__ = ["MOST_BYTES", "Event", "Events", "event_bytes", "is_named"]

MOST_BYTES = 8 * 2**20
"""Longest event, bytes."""
_USUAL = re.compile(rb"(?:event: [!-z|~]+\n)?data: ([^\r\n]*)\n\n")
_BESIDE = re.compile(rb"(?:event|id|retry)?:[\t -z|~]*")
"""A comment, or a field other than data, without braces: no reader finds a JSON object in it."""
_BLANK = re.compile(rb"\r?\n\r?\n")
_MARK = "\ufeff".encode()
_LONE_CR = re.compile(rb"\r(?!\n)")


class Event(NamedTuple):
    """One event, in the form in which it goes on."""

    raw: bytes
    """What goes on, the blank line included; empty where nothing does."""
    data: bytes
    """Its data lines, joined by a space, which is a line break's equal in JSON; empty for a
    comment."""


@final
class Events:
    """Cuts a stream that arrives in arbitrary pieces."""

    def __init__(self) -> None:
        self._rest = b""
        self._seen = 0

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that the chunk completes.

        Raises:
            ValueError: an event is too long, begins with a byte order mark, or its lines end in a
            lone CR.
        """
        waiting, begin, seen = self._rest + chunk, 0, self._seen
        while (blank := _BLANK.search(waiting, max(begin, seen - 3))) is not None:
            raw, begin = waiting[begin : blank.end()], blank.end()
            yield _event(raw)
        self._rest = waiting[begin:]
        self._seen = len(self._rest)
        if len(self._rest) > MOST_BYTES:
            raise ValueError(f"an event of more than {MOST_BYTES} bytes")

    @property
    def rest(self) -> bytes:
        """What has come of an event that is not complete."""
        return self._rest


def event_bytes(data: bytes, name: str = "") -> bytes:
    """An event with this data, which holds no line break, as JSON does not."""
    return (b"event: %s\n" % name.encode() if name else b"") + b"data: %s\n\n" % data


def is_named(event: Event, kind: str, before: bool) -> bool:
    """Whether the event has a name, which must be `kind`: readers go by the one or the other.

    Raises:
        ValueError: it has another name, or none where one `before` it had: some keep that.
    """
    head = event.raw.partition(b"\ndata: ")[0].split(b"\n")
    names = {line[6:].strip() for line in head if line.startswith(b"event:")}
    if names - {kind.encode()} or (before and not names):
        raise ValueError(f"an event {kind!r:.40} named {names or 'not at all'}")
    return bool(names)


def _event(raw: bytes) -> Event:
    if usual := _USUAL.fullmatch(raw):
        return Event(raw, usual[1])
    if b"\r" in raw and _LONE_CR.search(raw):
        raise ValueError("a line that ends in a lone CR")
    if raw.startswith(_MARK):
        raise ValueError("a byte order mark, without which some readers see data behind it")
    lines = raw.replace(b"\r\n", b"\n").split(b"\n")
    found = [line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:")]
    data = b" ".join(found)
    kept = [line for line in lines if _BESIDE.fullmatch(line)] + [b"data: " + data] * bool(found)
    if not found:  # some readers would keep the name for the next event's data
        kept = [line for line in kept if not line.startswith(b"event:")]
    return Event(b"\n".join([*kept, b"\n"]) if kept else b"", data)
