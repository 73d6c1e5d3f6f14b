"""Whatever the agent writes, looking into it ends, stays small, and breaks nothing."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import resource
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offswitch.guard.sensors.fingerprint import fingerprints, known_files
from offswitch.guard.sensors.opaque import entropy, is_noise, opaque_bytes
from offswitch.guard.sensors.unpack import unpack

SECRET = random.Random(2).randbytes(4000)


def zip_of(method: int, data: bytes = SECRET) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("first", b"x")
        archive.writestr("second", data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(SECRET),
        gzip.compress(b"") + gzip.compress(SECRET),
        bz2.compress(SECRET),
        lzma.compress(SECRET),
        zlib.compress(SECRET),
        gzip.compress(bz2.compress(lzma.compress(SECRET))),
        *(zip_of(method) for method in (0, 8, 12, 14)),
        zip_of(8)[:-60],
        b"#!/bin/sh\nexit 0\n" + zip_of(8),
    ],
)
def test_a_container_shows_what_is_in_it(packed: bytes) -> None:
    assert any(SECRET in view for view in unpack(packed).views)
    assert unpack(packed).opened


def test_a_torn_stream_gives_what_it_had() -> None:
    text = b"".join(b"%d\n" % n for n in range(20_000))
    views = unpack(gzip.compress(text)[:20_000]).views
    assert any(text.startswith(view) and len(view) > 10_000 for view in views[1:])


def test_a_bomb_is_cut_and_said_to_be() -> None:
    bomb = gzip.compress(gzip.compress(bytes(80_000_000)))
    found = unpack(bomb, most=1_000_000)
    assert found.bounded
    assert sum(map(len, found.views)) <= 2_000_000 + len(bomb)


MAGIC = [
    b"",
    b"PK\x03\x04",
    b"\x1f\x8b\x08",
    b"BZh9",
    b"\xfd7zXZ\x00",
    b"\x5d\x00\x00",
    b"\x78\x9c",
]


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(MAGIC))
def test_no_bytes_make_it_fail(data: bytes, magic: bytes) -> None:
    found = unpack(magic + data)
    assert found.views[0] == magic + data


def test_a_window_larger_than_memory_ends_the_look_into_it_and_nothing_else() -> None:
    asks = b"\x5d\x00\x00\x00\xc0" + b"\xff" * 8 + b"\x00" + SECRET
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (mapped + 2**30, hard))
    try:
        assert unpack(asks).views == (asks,)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert opaque_bytes(asks) > len(SECRET) / 2, "nobody looked into it"


@given(st.integers(0, 200), st.integers(0, 200))
def test_a_copy_has_the_same_fingerprints_wherever_it_stands(before: int, after: int) -> None:
    own = SECRET[:2000]
    around = os.urandom(before) + own + os.urandom(after)
    assert len(fingerprints(own) & fingerprints(around)) >= 0.9 * len(fingerprints(own))


def test_what_common_texts_have_too_proves_nothing() -> None:
    assert known_files({"a": SECRET}, common=[b"..." + SECRET]).files == {}


def test_noise_is_told_from_text_and_programs() -> None:
    program = Path("/bin/sh").resolve().read_bytes()
    assert opaque_bytes(os.urandom(50_000)) == 50_000
    assert opaque_bytes(b"plain words, nothing else. " * 2000) == 0
    assert opaque_bytes(program) < 0.1 * len(program)
    assert opaque_bytes(gzip.compress(os.urandom(50_000))) == 0, "it opens: look inside instead"
    assert all(is_noise(os.urandom(size)) for size in (512, 1000, 4096))
    assert entropy(b"") is None
