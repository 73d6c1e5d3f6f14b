from __future__ import annotations

import contextlib
import json
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offswitch.guard.stop import wire
from offswitch.guard.stop.launch import LaunchOrder, order_fields, order_from, order_problems
from offswitch.guard.stop.peer import is_operator

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
orders = st.builds(
    LaunchOrder,
    argv=st.lists(text, max_size=3).map(tuple),
    environment=st.dictionaries(text, text, max_size=3),
    cwd=text,
    fds=st.dictionaries(st.integers(0, 99), st.integers(0, 99), max_size=3),
    rlimits=st.dictionaries(text, st.tuples(st.integers(), st.integers()), max_size=2),
    cgroup_procs=st.lists(text, max_size=2).map(tuple),
    info_fd=st.none() | st.integers(0, 9),
    marks=st.lists(text, max_size=2).map(tuple),
)


@given(st.binary(min_size=1, max_size=64))
def test_arbitrary_bytes_are_one_object_or_refused(data: bytes) -> None:
    ours, theirs = wire.pair()
    with ours, theirs:
        theirs.send(data)
        try:
            found = wire.receive(ours)
        except wire.WireError:
            return
        assert found is not None
        assert found.fields == json.loads(data)


@given(orders)
def test_an_order_arrives_as_it_was_sent(order: LaunchOrder) -> None:
    fields = json.loads(json.dumps(order_fields(order)))
    assert order_from(fields, tuple(order.fds.values())) == order


def test_descriptors_travel_beside_the_message_and_the_end_is_seen() -> None:
    ours, theirs = wire.pair()
    with ours, theirs:
        read_end, write_end = os.pipe()
        assert wire.send(theirs, {"a": 1}, (write_end,))
        os.close(write_end)
        message = wire.receive(ours)
        assert message is not None
        os.write(message.fds[0], b"x")
        assert os.read(read_end, 1) == b"x"
        os.close(read_end)
        os.close(message.fds[0])
        theirs.close()
        assert wire.receive(ours) is None
        assert not wire.send(ours, {"a": 1})


@pytest.mark.parametrize("data", [b"", b"no JSON"])
def test_descriptors_beside_what_is_no_message_are_not_kept(data: bytes) -> None:
    one, other = wire.pair()
    inside, outside = os.pipe()
    with one, other:
        socket.send_fds(one, [data], [outside])
        os.close(outside)
        with contextlib.suppress(wire.WireError):
            assert wire.receive(other) is None
        os.set_blocking(inside, False)  # it would wait for ever for an end that is held
        assert os.read(inside, 1) == b"", "nobody holds the pipe's other end any more"
    os.close(inside)


def test_the_last_words_of_an_end_that_closed_on_unread_messages_are_heard() -> None:
    ours, theirs = wire.pair()
    with ours, theirs:
        wire.send(ours, {"never": "read"})
        wire.send(theirs, {"last": "words"})
        theirs.close()
        message = wire.receive(ours)
        assert message is not None
        assert message.fields == {"last": "words"}
        assert wire.receive(ours) is None


@pytest.mark.parametrize("data", [b"[" * 60_000, b'{"a": NaN}', b"{}" * 70_000, b"\xff"])
def test_deep_endless_long_and_undecodable_messages_are_refused(data: bytes) -> None:
    ours, theirs = wire.pair()
    with ours, theirs:
        theirs.send(data)
        with pytest.raises(wire.WireError):
            wire.receive(ours)


def test_a_message_too_long_is_refused_where_it_is_written() -> None:
    ours, theirs = wire.pair()
    with ours, theirs, pytest.raises(wire.WireError, match="the most is 131072"):
        wire.send(ours, {"a": "x" * wire.MAX_BYTES})


def test_a_socket_below_a_long_path_is_reached_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    folder_fd = os.open(folder, os.O_PATH)
    with wire.listen(folder_fd, "a.sock") as listener:
        os.close(folder_fd)
        assert (folder / "a.sock").stat().st_mode & 0o777 == 0o600
        with wire.connect(str(folder), "a.sock", 1.0), listener.accept()[0] as inside:
            assert is_operator(inside)


def test_every_problem_of_an_order_is_told_at_once(tmp_path: Path) -> None:
    procs = tmp_path / "cgroup.procs"
    procs.write_text(f"1\n{os.getpid()}\n")
    order = LaunchOrder(
        ("bwrap",), {}, cwd="/nowhere", fds={-1: 0, 9: 0}, info_fd=9, marks=("A=1",)
    )
    order = order._replace(cgroup_procs=(str(procs), "/nowhere/cgroup.procs"))
    told = "\n".join(order_problems(order))
    for part in ("absolute path", "not a folder", "both info_fd", "negative", "mark 'A=1'"):
        assert part in told
    assert "the guard itself" in told
    assert "/nowhere/cgroup.procs cannot be written" in told
    assert order_problems(LaunchOrder(("/bin/true",), {})) == ()
