"""Traces to a file, all or nothing, and back, checked to the last byte."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn, TypeVar

import msgspec

from offswitch.errors import TraceError
from offswitch.trace.chain import GENESIS, LinkKind, canonical_bytes
from offswitch.trace.event import Event
from offswitch.trace.lines import FORMAT, Link, opened_line, sealed_line
from offswitch.trace.trace import Trace, TraceHeader

__all__ = ["read_traces", "write_traces"]

_EVENTS: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_HEADERS = msgspec.json.Decoder(TraceHeader)
_COUNTS = msgspec.json.Decoder(int)

_T = TypeVar("_T")


class _Place(msgspec.Struct, frozen=True):
    link: Link
    where: str
    """'run.jsonl, line 3'."""


def write_traces(path: str | os.PathLike[str], traces: Iterable[Trace]) -> str:
    """The digest in the footer of the file that now holds these traces, one after another.

    Readers see the old file or the whole new one: the lines go to a temporary file beside it,
    which replaces it once it is on disk. Traces are drawn one at a time, so a generator will do.
    Keep the returned digest elsewhere to prove later that the file is the one written now.

    Raises:
        TraceError: an event cannot be written (see `canonical_bytes`) or the folder is not there
            or not writable; `path` is then as it was.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    try:
        with partial.open("xb") as file:
            digest = _put_file(file, traces)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except OSError as problem:
        raise TraceError(
            f"cannot write {target}: {problem.strerror}. Give a path in a folder that exists and "
            "that you may write to."
        ) from problem
    finally:
        if partial.exists():
            partial.unlink()
    return digest


def read_traces(path: str | os.PathLike[str]) -> tuple[Trace, ...]:
    """Every trace of a file, in the order written; the whole chain is checked before any is given.

    Reads the file into memory.

    Raises:
        TraceError: names file and line of the first byte that is not as `write_traces` left it:
            a line changed, removed, added or moved, a file cut short, an event of an unknown
            kind, or a file that holds no traces at all.
    """
    places = _places(Path(path))
    traces: list[Trace] = []
    for place in places:  # the generator stops with an error where the footer is missing
        if place.link.kind == "footer":
            _check_footer(place, len(traces))
        else:
            traces.append(_trace(place, places))
    return tuple(traces)


def _put_file(file: BinaryIO, traces: Iterable[Trace]) -> str:
    digest, count = GENESIS, 0
    for trace in traces:
        digest = _put_trace(file, digest, trace)
        count += 1
    return _put(file, digest, "footer", b"%d" % count)


def _put_trace(file: BinaryIO, digest: str, trace: Trace) -> str:
    digest = _put(file, digest, "header", canonical_bytes(trace.header))
    for event in trace.events:
        digest = _put(file, digest, "event", canonical_bytes(event))
    return _put(file, digest, "end", b"%d" % len(trace.events))


def _put(file: BinaryIO, previous: str, kind: LinkKind, payload: bytes) -> str:
    line, digest = sealed_line(previous, kind, payload)
    file.write(line)
    return digest


def _trace(first: _Place, places: Iterator[_Place]) -> Trace:
    if first.link.kind != "header":
        _refuse(first, "a header or the footer")
    header = _decoded(first, _HEADERS)
    events: list[Event] = []
    for place in places:
        if place.link.kind == "event":
            events.append(_decoded(place, _EVENTS))
        elif place.link.kind == "end" and _decoded(place, _COUNTS) == len(events):
            return Trace(header=header, events=tuple(events))
        else:
            _refuse(place, f"an event, or the end of a trace of {len(events)} events")
    raise AssertionError("_places ends with the footer or an error")


def _places(path: Path) -> Iterator[_Place]:
    """Every line, opened in order; an error in place of the end where no footer came last."""
    digest, kind, number = GENESIS, "", 0
    for number, line in enumerate(_lines(path), start=1):
        where = f"{path}, line {number}"
        if kind == "footer":
            raise TraceError(f"{where}: got a line after the footer, expected the end of the file.")
        link = opened_line(digest, line, where)
        yield _Place(link, where)
        digest, kind = link.digest, link.kind
    if kind != "footer":
        raise TraceError(
            f"{path}: ends after line {number} without a footer: it was cut short, or its writer "
            "was stopped. Restore it, or run the episodes again."
        )


def _lines(path: Path) -> list[bytes]:
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise TraceError(f"cannot read {path}: {problem.strerror}. Give a trace file.") from problem
    if not content:
        raise TraceError(f"{path} is empty, expected format {FORMAT!r}. Write it again.")
    *lines, rest = content.split(b"\n")
    if rest:
        raise TraceError(
            f"{path}, line {len(lines) + 1}: the last line has no newline: the file was cut short "
            f"or is no trace file in format {FORMAT!r}. Restore it, or run the episodes again."
        )
    return lines


def _decoded(place: _Place, decoder: msgspec.json.Decoder[_T]) -> _T:
    try:
        return decoder.decode(place.link.payload)
    except ValueError as problem:  # also what msgspec raises, and a payload that is not UTF-8
        raise TraceError(
            f"{place.where}: the {place.link.kind} line has the digest it should have, but not "
            f"the content: {problem}. Another version of offswitch wrote it: read it with that one."
        ) from problem


def _check_footer(place: _Place, count: int) -> None:
    if _decoded(place, _COUNTS) != count:
        _refuse(place, f"the footer of {count} traces")


def _refuse(place: _Place, expected: str) -> NoReturn:
    raise TraceError(
        f"{place.where}: got a {place.link.kind} line with {place.link.payload[:60]!r}, expected "
        f"{expected}. Its digest fits, so whoever wrote it did not follow format {FORMAT!r}: "
        "write the file with write_traces."
    )
