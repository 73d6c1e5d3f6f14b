"""A ledger holds what was written, and shows whatever was changed since."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offswitch.errors import LedgerError
from offswitch.guard.journal import LedgerJournal
from offswitch.guard.ledger.anchor import Head, open_anchor, read_anchor
from offswitch.guard.ledger.chain import record_digest, sealed
from offswitch.guard.ledger.reading import ledger_trace, read_records
from offswitch.guard.ledger.record import Record
from offswitch.guard.ledger.recover import TORN, recover_ledger
from offswitch.guard.ledger.verify import verify_ledger
from offswitch.guard.ledger.writer import LedgerWriter
from offswitch.trace.chain import GENESIS
from offswitch.trace.event import ResourceAcquired, StopEffective, StopOrdered

EVENTS = [ResourceAcquired(step=step, resource="memory", amount=float(step)) for step in range(24)]


def ledger(folder: Path, *, closed: bool = True, every: int = 10) -> tuple[Path, Path]:
    anchor = open_anchor(folder / "anchor")
    ticks = itertools.count()
    writer = LedgerWriter(
        folder / "ledger", {"program": "agent.py"}, anchor=anchor, sign_every=every,
        clock=lambda: next(ticks) / 1000,
    )  # fmt: skip
    for event in EVENTS:
        writer.happened(event, authority="rule 1", goal="0123456789ab")
    if closed:
        writer.close("done")
    anchor.close()
    return folder / "ledger", folder / "anchor"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return ledger(tmp_path_factory.mktemp("ledger"))


def refused(tmp: Path, content: bytes, **known: object) -> str:
    path = tmp / "changed"
    path.write_bytes(content)
    with pytest.raises(LedgerError) as raised:
        verify_ledger(path, **known)  # type: ignore[arg-type]
    return str(raised.value)


def test_an_untouched_ledger_is_proven_to_its_last_record(written: tuple[Path, Path]) -> None:
    found = verify_ledger(written[0], heads=read_anchor(written[1]))
    assert found.closed
    assert found.torn_bytes == 0
    assert found.signed == found.anchored == found.proven == found.head.count == 29


@pytest.mark.parametrize("sign_every", [10, 28, 27, 2])
def test_a_record_added_behind_the_end_is_found_even_with_the_head_known(
    tmp_path: Path, sign_every: int
) -> None:
    path = tmp_path / "ledger.jsonl"
    writer = LedgerWriter(path, {"program": "x"}, sign_every=sign_every)
    for number in range(24):
        writer.append("note", {"n": number})
    head = writer.close("exited").digest
    assert verify_ledger(path, head=head).closed
    count, digest = len(path.read_bytes().splitlines()), head
    for number in (count, count + 1, count + 2):
        record = Record(number=number, seconds=9.0, kind="command", body={"request": "renew"})
        payload = msgspec.json.encode(record)
        digest = record_digest(digest, payload)
        with path.open("ab") as file:
            file.write(b'{"record":%s,"digest":"%s"}\n' % (payload, digest.encode()))
        with pytest.raises(LedgerError, match=f"line {count + 1}: stands behind"):
            verify_ledger(path, head=head)


def test_without_anything_from_outside_nothing_is_proven(written: tuple[Path, Path]) -> None:
    found = verify_ledger(written[0])
    assert (found.signed, found.anchored, found.proven) == (0, 0, 0)


def test_signatures_stand_at_multiples_of_their_interval_and_at_the_end(
    written: tuple[Path, Path],
) -> None:
    kinds = [record.kind for record in read_records(written[0])]
    assert [number for number, kind in enumerate(kinds) if kind == "signature"] == [10, 20, 28]


def test_every_record_says_whose_authority_and_which_goal_it_was(
    written: tuple[Path, Path],
) -> None:
    events = [record for record in read_records(written[0]) if record.kind == "event"]
    assert {(one.actor, one.authority, one.goal) for one in events} == {
        ("agent", "rule 1", "0123456789ab")
    }


def test_the_events_come_back_as_a_trace(written: tuple[Path, Path]) -> None:
    assert ledger_trace(written[0]).events == tuple(EVENTS)


@pytest.mark.slow
def test_any_byte_changed_shows(written: tuple[Path, Path]) -> None:
    whole, heads = written[0].read_bytes(), read_anchor(written[1])
    chance = random.Random(0)
    for _ in range(1000):
        content = bytearray(whole)
        content[chance.randrange(len(content))] ^= chance.randrange(1, 256)
        refused(written[0].parent, bytes(content), heads=heads)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_record_left_out_doubled_or_moved_shows_without_an_anchor(
    written: tuple[Path, Path], data: st.DataObject
) -> None:
    lines = written[0].read_bytes().splitlines(keepends=True)
    one = data.draw(st.integers(0, len(lines) - 2))
    other = data.draw(st.integers(0, len(lines) - 1).filter(lambda number: number != one))
    how = data.draw(st.sampled_from(["left out", "doubled", "moved"]))
    if how == "left out":
        del lines[one]
    elif how == "doubled":
        lines.insert(one, lines[one])
    else:
        lines[one], lines[other] = lines[other], lines[one]
    refused(written[0].parent, b"".join(lines))


@pytest.mark.parametrize("kept", range(1, 29))
def test_a_cut_tail_shows_by_the_anchor_and_by_the_head(
    written: tuple[Path, Path], kept: int
) -> None:
    lines = written[0].read_bytes().splitlines(keepends=True)
    heads = read_anchor(written[1])
    content = b"".join(lines[:kept])
    assert "its tail was cut off" in refused(written[0].parent, content, heads=heads)
    assert "no record has the digest" in refused(written[0].parent, content, head=heads[-1].digest)


def rewritten(path: Path, signatures: str) -> bytes:
    """The same ledger with another amount, its chain computed anew, as an intruder would."""
    digest, lines = GENESIS, []
    kept = [one for one in read_records(path) if signatures != "none" or one.kind != "signature"]
    for number, record in enumerate(kept):
        body = dict(record.body)
        if number == 5:
            body["amount"] = 0.0
        if record.kind == "signature" and signatures == "of the new heads":
            body["of"] = digest  # all that an intruder can do without the private key
        line, digest = sealed(digest, msgspec.structs.replace(record, number=number, body=body))
        lines.append(line)
    return b"".join(lines)


@pytest.mark.parametrize("signatures", ["as they were", "of the new heads"])
def test_a_whole_rewrite_shows_by_its_signatures(
    written: tuple[Path, Path], signatures: str
) -> None:
    text = refused(written[0].parent, rewritten(written[0], signatures))
    for line in (11, 21, 29):
        assert f"line {line}: the signature is false" in text


def test_a_last_signature_with_more_in_it_than_it_covers_shows(written: tuple[Path, Path]) -> None:
    *before, last = read_records(written[0])
    lines = written[0].read_bytes().splitlines(keepends=True)
    more = msgspec.structs.replace(last, body={**last.body, "reason": "an operator's order"})
    line, _ = sealed(msgspec.json.decode(lines[-2])["digest"], more)
    assert last.kind == "signature" and len(before) == len(lines) - 1
    text = refused(written[0].parent, b"".join([*lines[:-1], line]))
    assert "line 29: the signature is false" in text


def test_a_whole_rewrite_without_signatures_misses_them(written: tuple[Path, Path]) -> None:
    text = refused(written[0].parent, rewritten(written[0], "none"))
    assert "line 11: a signature is due here and is missing" in text


def test_a_rewrite_signed_by_another_key_shows_by_the_anchor(
    written: tuple[Path, Path], tmp_path: Path
) -> None:
    forged, _ = ledger(tmp_path)
    text = refused(tmp_path, forged.read_bytes(), heads=read_anchor(written[1]))
    assert "names the key" in text
    assert "is not the record that the anchor knows" in text
    verify_ledger(forged)  # its own chain and signatures hold: only what lies outside tells


def test_every_problem_is_listed_at_once(written: tuple[Path, Path]) -> None:
    lines = written[0].read_bytes().splitlines(keepends=True)
    for number in (3, 17):
        lines[number] = lines[number].replace(b'"memory"', b'"money"')
    text = refused(written[0].parent, b"".join(lines))
    assert "line 4:" in text
    assert "line 18:" in text
    assert "line 5:" not in text


def test_a_closed_ledger_with_bytes_after_its_end_is_not_called_closed(
    written: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "ledger").write_bytes(written[0].read_bytes() + b"{")
    assert not verify_ledger(tmp_path / "ledger").closed


def test_a_writer_that_was_killed_leaves_an_open_ledger_that_holds(tmp_path: Path) -> None:
    path, anchor = ledger(tmp_path, closed=False)
    found = verify_ledger(path, heads=read_anchor(anchor))
    assert not found.closed
    path.write_bytes(path.read_bytes() + b'{"record":{"numb')
    torn = verify_ledger(path, heads=read_anchor(anchor))
    assert (torn.torn_bytes, torn.head) == (16, found.head)


def test_a_torn_tail_is_cut_off_and_kept_beside_a_ledger_that_holds(tmp_path: Path) -> None:
    path, anchor = ledger(tmp_path, closed=False)
    whole = path.read_bytes()
    for torn in (b'{"record":{"numb', b'{"re'):
        path.write_bytes(whole + torn)
        assert recover_ledger(path, read_anchor(anchor)).torn_bytes == len(torn)
        assert path.read_bytes() == whole
    assert path.with_name(path.name + TORN).read_bytes() == b'{"record":{"numb{"re'
    changed = whole.replace(b'"memory"', b'"money"', 1) + b"{"
    path.write_bytes(changed)
    with pytest.raises(LedgerError):
        recover_ledger(path)
    assert path.read_bytes() == changed


@pytest.mark.slow
def test_a_killed_writer_loses_no_record_that_was_complete(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from offswitch.guard.ledger.writer import LedgerWriter\n"
        "writer = LedgerWriter(sys.argv[1], {})\n"
        "while True:\n"
        "    print(writer.append('note', {'text': 'x' * 100}), flush=True)\n"
    )
    for trial in range(3):
        path = tmp_path / f"ledger{trial}"
        with subprocess.Popen(
            [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            for _ in range(50 + 31 * trial):
                told = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
        assert verify_ledger(path).head.count > told


@pytest.mark.parametrize(
    ("body", "why"),
    [({"x": float("nan")}, "read back"), ({"x": (1, 2)}, "read back"), ({"x": object()}, "type")],
)
def test_a_body_that_json_cannot_hold_is_refused(
    tmp_path: Path, body: dict[str, object], why: str
) -> None:
    writer = LedgerWriter(tmp_path / "ledger", {})
    with pytest.raises(LedgerError, match=why):
        writer.append("note", body)
    writer.append("note", {"text": "the ledger goes on"})
    writer.close("done")
    assert verify_ledger(tmp_path / "ledger").closed


def test_nothing_can_be_appended_to_a_closed_ledger(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path / "ledger", {})
    writer.close("done")
    with pytest.raises(LedgerError, match="after the ledger was closed"):
        writer.append("note", {})


def test_an_existing_file_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "ledger").write_text("precious")
    with pytest.raises(LedgerError, match="File exists"):
        LedgerWriter(tmp_path / "ledger", {})
    assert (tmp_path / "ledger").read_text() == "precious"


def test_a_full_disk_ends_the_ledger_instead_of_leaving_a_gap(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path / "ledger", {}, sync="never")
    os.dup2(os.open("/dev/full", os.O_WRONLY), writer._descriptor)
    with pytest.raises(LedgerError, match="No space left"):
        writer.append("note", {})
    with pytest.raises(LedgerError, match="closed"):
        writer.append("note", {})


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=400))
def test_no_bytes_are_taken_for_a_ledger(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes"
    path.write_bytes(content)
    with pytest.raises(LedgerError):
        verify_ledger(path)


def test_stops_and_orders_name_who_gave_them(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path / "ledger", {})
    writer.happened(StopOrdered(intervention="stop", actor="principal"))
    writer.happened(StopEffective(intervention="stop", actor="environment"))
    writer.close("stopped")
    actors = [one.actor for one in read_records(tmp_path / "ledger") if one.kind == "event"]
    assert actors == ["operator", "environment"]


def test_a_torn_anchor_line_is_left_out_and_a_false_one_named(tmp_path: Path) -> None:
    good = msgspec.json.encode(Head(count=1, digest="0" * 64)) + b"\n"
    (tmp_path / "anchor").write_bytes(good + b'{"cou')
    assert len(read_anchor(tmp_path / "anchor")) == 1
    (tmp_path / "anchor").write_bytes(good + b'{"count":"many"}\n')
    with pytest.raises(LedgerError, match="line 2"):
        read_anchor(tmp_path / "anchor")


def test_a_record_without_its_number_in_place_is_no_record_of_this_place() -> None:
    line, _ = sealed(GENESIS, Record(number=3, seconds=0.0, kind="note"))
    assert line.startswith(b'{"record":{"number":3,')


@pytest.mark.slow
def test_the_last_record_of_a_quiet_run_is_anchored_within_a_second(tmp_path: Path) -> None:
    anchor = open_anchor(tmp_path / "anchor")
    journal = LedgerJournal(
        lambda statement: LedgerWriter(tmp_path / "ledger", statement, anchor=anchor),
        authority="policy",
    )
    journal.open({})
    journal.record("ladder", {"level": "FREEZE"})
    end = time.monotonic() + 60
    while (known := read_anchor(tmp_path / "anchor")[-1].count) < 2:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert known == 2
    journal.close("done")
    anchor.close()


def test_past_its_limit_no_act_is_written_but_how_it_ended_is(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    writer = LedgerWriter(path, {}, most_bytes=4096)
    with pytest.raises(LedgerError, match=r"`ledger.limit` allows 4096"):
        for _ in range(100):
            writer.append("act", {"arguments": "x" * 1000})
    assert path.stat().st_size < 4096 + 1500
    writer.append("stop", {"why": "guard failed"})
    writer.append("note", {"what": "last look"})
    head = writer.close("killed")
    assert verify_ledger(path, head=head.digest).closed
