"""What lies inside a file: base64 and hex text, gzip, bzip2, xz and zlib streams, zip members.

The bytes are the agent's, so everything is bounded: how deep, how many views, how many bytes. A
bound that is reached is said, because a bomb hides what it holds. Tar needs nothing: its members
stand in it as they are.
"""

from __future__ import annotations

import base64
import binascii
import bz2
import lzma
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

__all__ = ["Unpacked", "unpack"]

DEPTH = 4
MOST_VIEWS = 2000
MOST_BYTES = 64 * 1024 * 1024
_MOST_STREAMS = 50
_CHUNK = 16 * 1024
_HEADER = 4096
"""A zip may stand behind so many other bytes (a self-extracting one does)."""
_LEAST = 96
# Whole runs first, their length judged afterwards: a bound inside the pattern is quadratic.
_LETTERS = re.compile(rb"[A-Za-z0-9+/_\-\s]+")
_DIGITS = re.compile(rb"[0-9a-fA-F\s]+")
_LOCAL = b"PK\x03\x04"
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


class Unpacked(NamedTuple):
    """The bytes themselves and everything found inside them."""

    views: tuple[bytes, ...]
    """The bytes as they are come first."""
    bounded: bool
    """Whether something was left out: too deep, too many, too large."""
    opened: bool
    """Whether a container was recognised, so that its own bytes need not be looked into."""


class _Stream(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, length: int, /) -> bytes: ...


def unpack(data: bytes, *, depth: int = DEPTH, most: int = MOST_BYTES) -> Unpacked:
    """Every view of the bytes. A stream that breaks off gives what it had until then."""
    views, waiting = [data], [(data, 0)]
    left, bounded, opened = most, False, False
    while waiting:
        inside, level = waiting.pop()
        if level >= depth:
            continue
        for view, is_container in _inside(inside, left):
            opened = opened or (is_container and level == 0)
            left -= len(view)
            if left <= 0 or len(views) >= MOST_VIEWS:
                return Unpacked(tuple(views), True, opened)
            if view:
                views.append(view)
                waiting.append((view, level + 1))
                bounded = bounded or level + 1 == depth
    return Unpacked(tuple(views), bounded, opened)


def _inside(data: bytes, most: int) -> Iterator[tuple[bytes, bool]]:
    """What one layer holds, and whether it was a container or a stretch of text."""
    for magic, start in _STREAMS:
        if data.startswith(magic):
            yield _inflated(start, data, 0, most), True
    if data[:1] == b"\x78" and len(data) > 2 and (data[0] << 8 | data[1]) % 31 == 0:
        yield _inflated(zlib.decompressobj, data, 0, most), True
    if _LOCAL in data[:_HEADER]:
        yield from ((member, True) for member in _zip_members(data, most))
    for text in _LETTERS.findall(data):
        if len(text) >= _LEAST:
            yield from ((view, False) for view in _base64(text))
    for text in _DIGITS.findall(data):
        digits = b"".join(text.split())
        if len(digits) >= _LEAST:
            yield binascii.unhexlify(digits[: len(digits) & ~1]), False


def _base64(text: bytes) -> Iterator[bytes]:
    """The text decoded from each of its four phases: a part of a text may begin at any."""
    letters = b"".join(text.split()).translate(_URL_SAFE)
    for phase in range(4):
        whole = letters[phase : phase + (len(letters) - phase) // 4 * 4]
        yield base64.b64decode(whole)


def _inflated(start: Callable[[], _Stream], data: bytes, at: int, most: int) -> bytes:
    """What the streams from `at` on give, until one breaks, the data ends or `most` is reached."""
    found: list[bytes] = []
    for _ in range(_MOST_STREAMS):
        if most <= 0 or at >= len(data):
            break
        stream = start()
        while not stream.eof and most > 0 and at < len(data):
            try:
                piece = stream.decompress(data[at : at + _CHUNK], most)
            except (zlib.error, OSError, EOFError, lzma.LZMAError, MemoryError):
                # 13 bytes of xz's older format ask for a window of 4 GiB: not every machine has it.
                return b"".join(found)
            found.append(piece)
            most -= len(piece)
            at += _CHUNK
        at = min(at, len(data)) - len(stream.unused_data)
        if not stream.eof:
            break
    return b"".join(found)


def _gzip() -> _Stream:
    return zlib.decompressobj(31)


def _deflate() -> _Stream:
    return zlib.decompressobj(-15)


def _zip_members(data: bytes, most: int) -> Iterator[bytes]:
    """Members by their local headers: the directory at the end may be missing or lie."""
    at = data.find(_LOCAL)
    while 0 <= at <= len(data) - 30 and most > 0:
        method, packed = struct.unpack_from("<H8xI", data, at + 8)
        name, extra = struct.unpack_from("<HH", data, at + 26)
        begin = at + 30 + name + extra
        if method in _METHODS:
            member = _inflated(_METHODS[method], data, begin, most)
        elif method == 14:
            member = _zip_lzma(data, begin, most)
        else:
            member = data[begin : begin + (packed or most)][:most]
        yield member
        most -= len(member)
        at = data.find(_LOCAL, begin)


def _zip_lzma(data: bytes, at: int, most: int) -> bytes:
    """PKZIP's LZMA: four bytes of header, then the properties of a raw stream."""
    if len(data) < at + 9:
        return b""
    size, properties, dictionary = struct.unpack_from("<HBI", data, at + 2)
    rest, lc = divmod(properties, 9)
    pb, lp = divmod(rest, 5)
    chosen = {"id": lzma.FILTER_LZMA1, "dict_size": min(dictionary, 1 << 26), "lc": lc, "lp": lp}
    try:
        stream = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[{**chosen, "pb": pb}])
    except (lzma.LZMAError, ValueError):
        return b""
    return _inflated(lambda: stream, data, at + 4 + size, most)


_STREAMS: tuple[tuple[bytes, Callable[[], _Stream]], ...] = (
    (b"\x1f\x8b", _gzip),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\x00", lzma.LZMADecompressor),
    (b"\x5d\x00\x00", lzma.LZMADecompressor),
)
_METHODS: dict[int, Callable[[], _Stream]] = {8: _deflate, 12: bz2.BZ2Decompressor}
