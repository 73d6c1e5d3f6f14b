from __future__ import annotations

import json
import os
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offswitch.guard.proxy import packets
from offswitch.guard.stop import wire

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(text, plain, max_size=4))
def test_a_message_arrives_as_it_was_sent_and_reads_the_same_to_the_standard_library(
    fields: dict[str, Any],
) -> None:
    one, other = wire.pair()
    with one, other:
        assert packets.send(one, fields)
        assert packets.send(one, fields)
        assert packets.receive(other) == fields
        assert json.loads(other.recv(wire.MAX_BYTES)) == fields


written = st.dictionaries(text, plain, max_size=3).map(lambda one: json.dumps(one).encode())


@given(st.binary(min_size=1, max_size=64) | written)
def test_arbitrary_bytes_are_the_object_that_the_standard_library_reads_or_refused(
    data: bytes,
) -> None:
    one, other = wire.pair()
    with one, other:
        one.send(data)
        try:
            found = packets.receive(other)
        except wire.WireError:
            return
        assert isinstance(found, dict)
        assert found == json.loads(data)


@pytest.mark.parametrize("data", [b"[1]", b'{"a":NaN}', b'{"a":1}{"b":2}', b'{"a":"\xff"}',
                                  b'{"a":' + b"[" * 60_000])  # fmt: skip
def test_what_is_no_whole_object_is_refused(data: bytes) -> None:
    one, other = wire.pair()
    with one, other:
        one.send(data)
        with pytest.raises(wire.WireError, match="not a JSON object"):
            packets.receive(other)


def test_a_message_that_is_too_long_is_neither_sent_nor_taken() -> None:
    one, other = wire.pair()
    with one, other:
        with pytest.raises(wire.WireError, match="the most is"):
            packets.send(one, {"a": "x" * wire.MAX_BYTES})
        one.send(b'{"a":"' + b"x" * wire.MAX_BYTES + b'"}')
        with pytest.raises(wire.WireError, match="longer than"):
            packets.receive(other)


def test_descriptors_that_are_sent_along_are_closed() -> None:
    one, other = wire.pair()
    inside, outside = os.pipe()
    with one, other:
        socket.send_fds(one, [b'{"a":1}'], [outside])
        os.close(outside)
        assert packets.receive(other) == {"a": 1}
        os.set_blocking(inside, False)  # it would wait for ever for an end that is held
        assert os.read(inside, 1) == b""
    os.close(inside)


def test_last_words_are_heard_of_one_that_left_messages_unread() -> None:
    one, other = wire.pair()
    with other:
        with one:
            assert packets.send(other, {"never": "read"})
            assert packets.send(one, {"last": "words"})
        assert packets.receive(other) == {"last": "words"}
        assert packets.receive(other) is None
        assert not packets.send(other, {"a": 1})
