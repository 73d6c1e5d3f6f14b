"""A ledger becomes spans: the run, its acts, pauses and stop, each naming its record."""

from __future__ import annotations

import io
import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from made import ended_run, written_ledger

from offswitch.errors import GuardError, LedgerError
from offswitch.guard.ledger.reading import read_records
from offswitch.guard.ledger.record import Record
from offswitch.guard.supervisor.runs import create_run
from offswitch.guard.watch.spans import Span, spans_of
from offswitch.guard.watch.tracing import console_exporter, otlp_exporter, send_spans


def span_of(tmp_path: Path) -> Span:
    return spans_of(read_records(ended_run(tmp_path).folder / "ledger.jsonl"), "over")


def records(*bodies: tuple[float, str, dict[str, Any]]) -> list[Record]:
    first = Record(number=0, seconds=0.0, kind="opened", body={"wall_clock": 1000.0})
    return [first] + [
        Record(number=number, seconds=seconds, kind=kind, body=body)  # type: ignore[arg-type]
        for number, (seconds, kind, body) in enumerate(bodies, start=1)
    ]


def test_the_root_is_the_run_and_names_what_held_it(tmp_path: Path) -> None:
    root = span_of(tmp_path)
    assert root.name == "guarded run"
    assert root.attributes["offswitch.policy"] == "careful"
    assert root.attributes["offswitch.tier"] == 2
    assert root.attributes["offswitch.records"] == 12
    assert root.begin_ns <= root.end_ns < root.begin_ns + 60 * 10**9
    assert root.problem == ""


def test_every_act_is_a_span_and_a_refused_one_has_failed(tmp_path: Path) -> None:
    acts = [one for one in span_of(tmp_path).below if one.name.startswith("act")]
    assert [(one.attributes["offswitch.verdict"], bool(one.problem)) for one in acts] == [
        ("escalate", False), ("reject", True)
    ]  # fmt: skip
    assert [one.attributes["offswitch.record"] for one in acts] == [8, 9]


def test_alarms_and_events_stand_on_the_run_with_their_record(tmp_path: Path) -> None:
    events = span_of(tmp_path).events
    assert [(one.name, one.attributes["offswitch.record"]) for one in events][:4] == [
        ("alarm: decoy", 2), ("alarm: decoy", 3), ("alarm: decoy", 4),
        ("event: switch_disabled", 5),
    ]  # fmt: skip


def test_a_pause_lasts_to_its_resumption_and_a_stop_to_its_proof() -> None:
    root = spans_of(
        records(
            (1.0, "note", {"what": "paused"}),
            (3.5, "note", {"what": "resumed"}),
            (5.0, "stop", {"what": "stopping", "reason": "operator"}),
            (5.25, "stop", {"what": "kill verified", "reason": "operator"}),
        ),
        "one",
    )
    assert [(one.name, (one.end_ns - one.begin_ns) / 1e9) for one in root.below] == [
        ("paused", 2.5), ("stop", 0.25)
    ]  # fmt: skip
    assert root.below[0].begin_ns == 1001 * 10**9
    assert root.below[1].attributes["offswitch.verified"] is True
    assert root.below[1].problem == ""


@pytest.mark.parametrize("last", ["kill failed", "stopping"])
def test_a_stop_without_its_proof_has_failed(last: str) -> None:
    root = spans_of(
        records(
            (1.0, "stop", {"what": "stopping", "reason": "wall"}), (2.0, "stop", {"what": last})
        ),
        "one",
    )
    assert root.below[-1].problem == "not proven dead"
    assert bool(root.problem) == (last == "kill failed")


def test_a_pause_that_nothing_ended_lasts_to_the_last_record() -> None:
    root = spans_of(records((1.0, "note", {"what": "paused"}), (9.0, "note", {"what": "x"})), "one")
    assert [one.end_ns - one.begin_ns for one in root.below] == [8 * 10**9]


def test_a_ledger_without_its_beginning_is_refused() -> None:
    with pytest.raises(LedgerError, match="from its first on"):
        spans_of(records((1.0, "note", {}))[1:], "one")


class Exporter:
    """Takes spans and keeps them, or does not."""

    def __init__(self, answer: object) -> None:
        self.answer, self.taken = answer, list[Any]()

    def export(self, spans: Any) -> object:
        self.taken += spans
        return self.answer


def test_every_span_reaches_the_exporter_below_its_parent(
    tmp_path: Path, telemetry: types.SimpleNamespace
) -> None:
    root, exporter = span_of(tmp_path), Exporter(telemetry.success)
    assert send_spans(root, exporter) == 1 + len(root.below)
    sent = {one.name: one for one in exporter.taken}
    top = sent["guarded run"]
    assert top.parent is None
    assert all(telemetry.is_below(one, top) for one in exporter.taken if one is not top)
    assert (top.start_time, top.end_time) == (root.begin_ns, root.end_ns)
    assert [event.name for event in top.events] == [event.name for event in root.events]
    refused = [one for one in exporter.taken if one.attributes.get("offswitch.verdict") == "reject"]
    assert telemetry.failed(refused[0])


def test_more_alarms_than_the_librarys_own_bound_are_all_sent(
    tmp_path: Path, telemetry: types.SimpleNamespace
) -> None:
    run = create_run("many", tmp_path)
    ledger = written_ledger(run, close=False)
    for _ in range(200):
        ledger.append("alarm", {"detector": "log", "level": "ask", "evidence": ""})
    exporter = Exporter(telemetry.success)
    send_spans(spans_of(read_records(run.folder / "ledger.jsonl"), "many"), exporter)
    (top,) = [one for one in exporter.taken if one.name == "guarded run"]
    assert len(top.events) > 200


def test_spans_that_were_not_taken_are_an_error(
    tmp_path: Path, telemetry: types.SimpleNamespace
) -> None:
    with pytest.raises(GuardError, match="0 of 3 spans were sent"):
        send_spans(span_of(tmp_path), Exporter(telemetry.failure))


def test_without_the_library_the_message_names_the_pip_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("opentelemetry.trace", "opentelemetry.sdk.trace.export"):
        monkeypatch.setitem(sys.modules, name, None)
    for call in (
        lambda: send_spans(span_of(tmp_path), None),
        lambda: console_exporter(None),
        lambda: otlp_exporter("http://127.0.0.1:4318"),
    ):
        with pytest.raises(GuardError, match=r"pip install 'offswitch\[ops\]'"):
            call()


def test_printed_spans_are_json(tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.sdk.trace", reason="pip install 'offswitch[ops]'")
    out = io.StringIO()
    send_spans(span_of(tmp_path), console_exporter(out))
    found, decoder, text = [], json.JSONDecoder(), out.getvalue()
    while text.strip():
        one, end = decoder.raw_decode(text.lstrip())
        found.append(one["name"])
        text = text.lstrip()[end:]
    assert found == ["act shell", "act shell", "guarded run"]
