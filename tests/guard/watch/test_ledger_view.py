"""What a follower says of a ledger is what stands in it, and a change of it shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from made import HOSTILE, ended_run, written_ledger

from offswitch.guard.ledger.reading import read_records
from offswitch.guard.ledger.verify import verify_ledger
from offswitch.guard.supervisor.runs import create_run
from offswitch.guard.watch.ledger_view import EVIDENCE, LINES, LedgerFollower
from offswitch.guard.watch.shown import shown


def test_it_counts_what_speaks_against_the_agent_and_names_the_record(tmp_path: Path) -> None:
    run = ended_run(tmp_path)
    path = run.folder / "ledger.jsonl"
    view = LedgerFollower(path).look()
    records = read_records(path)
    assert [(one.number, one.source, one.name) for one in view.evidence] == [
        (2, "alarm", "decoy"), (3, "ladder", "decoy"), (5, "event", "switch_disabled"),
        (8, "act", "ask-me"),
    ]  # fmt: skip
    assert [records[one.number].kind for one in view.evidence] == ["alarm", "alarm", "event", "act"]
    assert view.alarms == {("alarm", "decoy"): 1, ("ladder", "decoy"): 1}
    assert view.events == {"switch_disabled": 1}
    assert view.acts == {"escalate": 1, "reject": 1}
    assert view.closed


def test_its_head_is_the_one_that_verification_finds(tmp_path: Path) -> None:
    path = ended_run(tmp_path).folder / "ledger.jsonl"
    view, proven = LedgerFollower(path).look(), verify_ledger(path)
    assert (view.records, view.digest) == (proven.head.count, proven.head.digest)
    assert view.problem == ""


def test_a_ledger_that_grows_by_parts_of_a_line_is_read_on_not_again(tmp_path: Path) -> None:
    whole = (ended_run(tmp_path).folder / "ledger.jsonl").read_bytes()
    path = tmp_path / "growing"
    follower, views = LedgerFollower(path), []
    assert follower.look().records == 0
    for end in (*range(1, len(whole), 97), len(whole)):
        with path.open("ab") as file:
            file.write(whole[path.stat().st_size : end])
        views.append(follower.look())
    again = LedgerFollower(path).look()
    assert (views[-1].records, views[-1].alarms) == (again.records, again.alarms)
    assert [view.problem for view in views] == [""] * len(views)


@pytest.mark.parametrize("change", ["edit", "cut", "swap", "replace"])
def test_a_change_after_the_first_look_shows(tmp_path: Path, change: str) -> None:
    run = create_run("live", tmp_path)
    ledger, path = written_ledger(run, close=False), run.folder / "ledger.jsonl"
    follower = LedgerFollower(path)
    assert follower.look().problem == ""
    before = path.read_bytes()
    ledger.append("note", {"what": "one"})
    ledger.append("note", {"what": "two"})
    added = path.read_bytes()[len(before) :].splitlines(keepends=True)
    if change == "edit":
        path.write_bytes(before + added[0].replace(b'"one"', b'"One"') + added[1])
    elif change == "cut":
        path.write_bytes(before[:-10])
    elif change == "swap":
        path.write_bytes(before + added[1] + added[0])
    else:
        path.rename(tmp_path / "old")
        path.write_bytes(before + b"".join(added))
    assert follower.look().problem
    assert follower.look().problem, "it must not heal by itself"


def test_what_is_kept_of_a_long_ledger_is_bounded_and_what_is_counted_is_not(
    tmp_path: Path,
) -> None:
    run = create_run("long", tmp_path)
    ledger = written_ledger(run, close=False)
    for _ in range(2 * EVIDENCE):
        ledger.append("alarm", {"detector": "log", "level": "ask", "evidence": "x" * 5000})
    view = LedgerFollower(run.folder / "ledger.jsonl").look()
    assert (len(view.evidence), len(view.lines)) == (EVIDENCE, LINES)
    assert view.alarms["alarm", "log"] == 2 * EVIDENCE
    assert view.evidence_count == 2 * EVIDENCE + 4
    assert max(len(one.text) for one in view.evidence) < 700


def test_an_event_or_verdict_of_a_newer_guard_is_no_crash(tmp_path: Path) -> None:
    run = create_run("newer", tmp_path)
    ledger = written_ledger(run, close=False)
    ledger.append("event", {"kind": "event_of_tomorrow"})
    ledger.append("act", {"word": ["what"]})
    ledger.append("alarm", {"what": "ladder", "before": 1, "level": None})
    view = LedgerFollower(run.folder / "ledger.jsonl").look()
    assert view.problem == ""
    assert view.acts["unknown"] == 1


def test_characters_that_deceive_a_reader_are_spelled_out(tmp_path: Path) -> None:
    view = LedgerFollower(ended_run(tmp_path).folder / "ledger.jsonl").look()
    text = view.evidence[0].text
    assert "\u202e" not in text
    assert "\x1b" not in text
    assert r"\u202etxt.exe\x1b[2J" in text
    assert shown(HOSTILE).startswith("<img src=x")  # HTML is left to whoever makes HTML
    assert shown("Müller 中文 α") == "Müller 中文 α"
    assert shown("\udcff\u200b\u2028") == r"\udcff\u200b\u2028"
    assert shown("x" * 700).endswith("... (100 more)")
