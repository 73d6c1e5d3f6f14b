from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offswitch.errors import TraceError
from offswitch.trace.chain import GENESIS, canonical_bytes, next_digest, trace_digest
from offswitch.trace.event import Ended, Event, ResourceAcquired, Resumed, StopOrdered
from offswitch.trace.files import read_traces, write_traces
from offswitch.trace.lines import sealed_line
from offswitch.trace.trace import Trace, TraceHeader

finite = st.floats(allow_nan=False, allow_infinity=False)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
whole = st.integers(-(2**70), 2**70)
EVENT_TYPES = Event.__args__


def _values(annotation: object) -> st.SearchStrategy[object]:
    return st.from_type(annotation) if annotation not in (str, float, int) else SIMPLE[annotation]


SIMPLE: dict[object, st.SearchStrategy[object]] = {str: names, float: finite, int: whole}
times = st.none() | finite


@st.composite
def events(draw: st.DrawFn) -> Event:
    kind = draw(st.sampled_from(EVENT_TYPES))
    hints = msgspec.structs.fields(kind)
    return kind(**{f.name: draw(times if f.name == "time" else _values(f.type)) for f in hints})


headers = st.builds(TraceHeader, world=names, goal=names, agent=names, episode=whole, seed=whole)
traces = st.builds(Trace, header=headers, events=st.lists(events(), max_size=5).map(tuple))


def episode(number: int, *happened: Event) -> Trace:
    header = TraceHeader(world="star-v1", goal="g0", agent="planner", episode=number, seed=7)
    return Trace(header=header, events=happened or (Ended(reason="terminated"),))


TWO = (
    episode(0, StopOrdered(intervention="shutdown"), Ended(reason="interrupted", step=3)),
    episode(1, ResourceAcquired(resource="gpu", amount=2.5), Ended(reason="out_of_time")),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("traces")


@pytest.fixture(scope="module")
def written(folder: Path) -> bytes:
    write_traces(folder / "two.jsonl", TWO)
    return (folder / "two.jsonl").read_bytes()


def put(folder: Path, content: bytes) -> Path:
    path = folder / "changed.jsonl"
    path.write_bytes(content)
    return path


@settings(max_examples=60, deadline=None)
@given(written=st.lists(traces, max_size=4))
def test_what_is_written_is_read_back(folder: Path, written: list[Trace]) -> None:
    write_traces(folder / "any.jsonl", written)
    assert read_traces(folder / "any.jsonl") == tuple(written)


@settings(max_examples=30, deadline=None)
@given(written=st.lists(traces, max_size=3))
def test_writing_what_was_read_gives_the_same_bytes(folder: Path, written: list[Trace]) -> None:
    write_traces(folder / "first.jsonl", written)
    write_traces(folder / "second.jsonl", read_traces(folder / "first.jsonl"))
    assert (folder / "first.jsonl").read_bytes() == (folder / "second.jsonl").read_bytes()


@pytest.mark.slow
def test_every_single_byte_of_a_file_is_checked(folder: Path, written: bytes) -> None:
    for at in range(len(written)):
        for mask in (0x01, 0x20, 0x80):
            flipped = written[:at] + bytes([written[at] ^ mask]) + written[at + 1 :]
            with pytest.raises(TraceError):
                read_traces(put(folder, flipped))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_flipped_byte_is_detected(folder: Path, written: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(written) - 1))
    mask = data.draw(st.integers(1, 255))
    flipped = written[:at] + bytes([written[at] ^ mask]) + written[at + 1 :]
    with pytest.raises(TraceError):
        read_traces(put(folder, flipped))


@settings(max_examples=60, deadline=None)
@given(size=st.integers(0, 10_000))
def test_a_file_cut_short_anywhere_is_detected(folder: Path, written: bytes, size: int) -> None:
    with pytest.raises(TraceError):
        read_traces(put(folder, written[: size % len(written)]))


def test_a_dropped_line_is_detected_wherever_it_was(folder: Path, written: bytes) -> None:
    lines = written.splitlines(keepends=True)
    for at in range(len(lines)):
        with pytest.raises(TraceError):
            read_traces(put(folder, b"".join(lines[:at] + lines[at + 1 :])))


def test_a_line_repeated_anywhere_is_detected(folder: Path, written: bytes) -> None:
    lines = written.splitlines(keepends=True)
    for source in range(len(lines)):
        for at in range(len(lines) + 1):
            with pytest.raises(TraceError):
                read_traces(put(folder, b"".join([*lines[:at], lines[source], *lines[at:]])))


def test_two_lines_that_change_places_are_detected(folder: Path, written: bytes) -> None:
    lines = written.splitlines(keepends=True)
    for left in range(len(lines)):
        for right in range(left + 1, len(lines)):
            moved = list(lines)
            moved[left], moved[right] = moved[right], moved[left]
            with pytest.raises(TraceError):
                read_traces(put(folder, b"".join(moved)))


def test_a_whole_trace_cannot_be_removed_or_moved(folder: Path, written: bytes) -> None:
    lines = written.splitlines(keepends=True)
    first, second, footer = lines[:4], lines[4:8], lines[8:]
    for changed in (second + footer, first + footer, second + first + footer, first + second):
        with pytest.raises(TraceError):
            read_traces(put(folder, b"".join(changed)))


def test_a_trace_from_another_file_does_not_fit(folder: Path, written: bytes) -> None:
    write_traces(folder / "other.jsonl", (TWO[1], TWO[0]))
    other = (folder / "other.jsonl").read_bytes().splitlines(keepends=True)
    lines = written.splitlines(keepends=True)
    with pytest.raises(TraceError, match="line 5"):
        read_traces(put(folder, b"".join([*lines[:4], *other[:4], *lines[8:]])))


def test_the_error_names_file_line_and_remedy(folder: Path, written: bytes) -> None:
    path = put(folder, written.replace(b"2.5", b"2.6"))
    with pytest.raises(TraceError) as caught:
        read_traces(path)
    message = str(caught.value)
    assert f"{path}, line 6" in message
    assert "restore it" in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"hello\n", "write_traces made"),
        (b"\n", "write_traces made"),
        (b"\xff\xfe\x00\n", "write_traces made"),
        (b'{"format":"offswitch-trace-2","header":{}}\n', "another version"),
        (b'{"event":{},"digest":""}\n', "digest"),
        (b'{"event":', "no newline"),
    ],
)
def test_what_is_no_trace_file_is_refused(folder: Path, content: bytes, said: str) -> None:
    with pytest.raises(TraceError, match=said):
        read_traces(put(folder, content))


@pytest.mark.parametrize("place", ["missing.jsonl", "."])
def test_a_file_that_cannot_be_read_is_a_trace_error(folder: Path, place: str) -> None:
    with pytest.raises(TraceError, match="cannot read"):
        read_traces(folder / place)


def sealed(*links: tuple[str, bytes]) -> bytes:
    digest, lines = GENESIS, b""
    for kind, payload in links:
        line, digest = sealed_line(digest, kind, payload)  # type: ignore[arg-type]
        lines += line
    return lines


HEADER = ("header", canonical_bytes(TWO[0].header))
EVENT = ("event", canonical_bytes(Resumed()))


@pytest.mark.parametrize(
    "links",
    [
        (HEADER, EVENT, ("end", b"2"), ("footer", b"1")),
        (HEADER, EVENT, ("end", b"1"), ("footer", b"2")),
        (HEADER, HEADER, ("end", b"0"), ("footer", b"1")),
        (EVENT, ("end", b"1"), ("footer", b"1")),
        (HEADER, EVENT, ("footer", b"1")),
        (HEADER, EVENT, ("end", b"1")),
        (HEADER, EVENT, ("end", b"1"), ("footer", b"1"), ("footer", b"1")),
        (HEADER, ("event", b'{"kind":"teleported"}'), ("end", b"1"), ("footer", b"1")),
        (HEADER, ("event", b'{"kind":"resumed","mood":1}'), ("end", b"1"), ("footer", b"1")),
        (HEADER, ("event", b'{"kind":"resumed\xff"}'), ("end", b"1"), ("footer", b"1")),
        (HEADER, ("event", b'{"kind":"noticed","intervention":"\xff"}'), ("end", b"1")),
        (HEADER, ("event", b"nonsense"), ("end", b"1"), ("footer", b"1")),
        (("header", b'{"world":3}'), ("end", b"0"), ("footer", b"1")),
        (("footer", b'"0"'),),
    ],
)
def test_a_file_that_breaks_the_format_is_refused_even_where_its_digests_fit(
    folder: Path, links: tuple[tuple[str, bytes], ...]
) -> None:
    with pytest.raises(TraceError, match=r"line|footer"):
        read_traces(put(folder, sealed(*links)))


@pytest.mark.parametrize(
    "event",
    [
        ResourceAcquired(resource="gpu", amount=math.nan),
        ResourceAcquired(resource="gpu", amount=math.inf),
        ResourceAcquired(resource="gpu", amount="2"),  # type: ignore[arg-type]
        ResourceAcquired(resource="\ud800", amount=1.0),
        Resumed(time=math.nan),
    ],
)
def test_an_event_that_would_not_read_back_is_not_written(folder: Path, event: Event) -> None:
    path = folder / "kept.jsonl"
    write_traces(path, TWO)
    with pytest.raises(TraceError, match="cannot be written"):
        write_traces(path, (TWO[0], episode(2, event)))
    assert read_traces(path) == TWO
    assert not list(folder.glob(".*partial"))


def test_a_numpy_scalar_is_refused_with_the_remedy() -> None:
    np = pytest.importorskip("numpy")
    with pytest.raises(TraceError, match=r"float\(x\)"):
        canonical_bytes(ResourceAcquired(resource="gpu", amount=np.float64(2)))


@pytest.mark.parametrize("place", ["no-folder/x.jsonl", "kept-file/x.jsonl"])
def test_a_path_that_cannot_be_written_is_a_trace_error(tmp_path: Path, place: str) -> None:
    (tmp_path / "kept-file").write_text("a file, not a folder")
    with pytest.raises(TraceError, match="cannot write"):
        write_traces(tmp_path / place, TWO)


def test_a_reader_of_the_old_file_keeps_it_while_a_new_one_takes_its_place(tmp_path: Path) -> None:
    path, old = tmp_path / "run.jsonl", tmp_path / "old.jsonl"
    write_traces(path, TWO)
    old.hardlink_to(path)
    write_traces(path, TWO[:1])
    assert read_traces(old) == TWO
    assert read_traces(path) == TWO[:1]


def test_an_interrupted_writer_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    def interrupted() -> object:
        yield TWO[0]
        raise KeyboardInterrupt

    path = tmp_path / "run.jsonl"
    write_traces(path, TWO)
    with pytest.raises(KeyboardInterrupt):
        write_traces(path, interrupted())  # type: ignore[arg-type]
    assert read_traces(path) == TWO
    assert list(tmp_path.iterdir()) == [path]


def test_a_whole_number_in_a_float_field_has_the_bytes_of_the_float() -> None:
    assert canonical_bytes(ResourceAcquired(resource="gpu", amount=3)) == canonical_bytes(
        ResourceAcquired(resource="gpu", amount=3.0)
    )


@settings(max_examples=30, deadline=None)
@given(left=traces, right=traces)
def test_traces_have_equal_digests_exactly_when_they_are_equal(left: Trace, right: Trace) -> None:
    copy = msgspec.json.decode(msgspec.json.encode(left), type=Trace)
    assert trace_digest(left) == trace_digest(copy)
    assert (trace_digest(left) == trace_digest(right)) == (repr(left) == repr(right))


def test_the_digest_of_a_trace_is_the_one_on_its_end_line(folder: Path, written: bytes) -> None:
    assert trace_digest(TWO[0]).encode() in written.splitlines()[3]
    assert trace_digest(TWO[1]).encode() not in written


def test_write_traces_returns_the_digest_in_the_footer(folder: Path) -> None:
    digest = write_traces(folder / "footer.jsonl", TWO)
    assert digest.encode() in (folder / "footer.jsonl").read_bytes().splitlines()[-1]


def test_a_link_of_one_kind_cannot_stand_in_for_another() -> None:
    assert next_digest(GENESIS, "end", b"1") != next_digest(GENESIS, "footer", b"1")


def test_the_digest_of_a_known_trace_stays_what_it_was() -> None:
    assert (
        trace_digest(TWO[0]) == "f8244e48353f50d050e0212329b5cee8f6a5b243c79bb49b6a026162fc6ae4da"
    )
