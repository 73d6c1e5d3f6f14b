"""A run without a result is told of: when it ended, what its ledger holds, whether all is dead."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from writers import cut_record, killed_writer

from offswitch.cli.guard import command as guard
from offswitch.errors import GuardError, PolicyError
from offswitch.guard.aftermath import TOLD, aftermath_text, look_back, tell_of_the_dead
from offswitch.guard.guarded_run import run_guarded
from offswitch.guard.jail.settings import JailPolicy
from offswitch.guard.ledger.anchor import open_anchor
from offswitch.guard.ledger.recover import TORN, recover_ledger
from offswitch.guard.ledger.verify import verify_ledger
from offswitch.guard.ledger.writer import LedgerWriter
from offswitch.guard.policy.policy import Policy
from offswitch.guard.policy.read import parse_policy
from offswitch.guard.stop.processes import boot_id
from offswitch.guard.stop.stopped import STOPPED
from offswitch.guard.supervisor import operator
from offswitch.guard.supervisor.link import LOG
from offswitch.guard.supervisor.operator import stop_run
from offswitch.guard.supervisor.runs import (
    BEGUN,
    RESULT,
    SHOWN,
    Run,
    create_run,
    entry_of,
    list_runs,
    note_refused,
    process_note,
    read_state,
    write_state,
)
from offswitch.guard.watch.ledger_view import LedgerFollower
from offswitch.guard.watch.orders import Answer, Order, give
from offswitch.guard.watch.run_view import look_at_run

GONE = {"pid": 2**22 - 3, "started": 1}
"""A process that is not there."""


def dead_run(folder: Path, name: str = "one", **state: Any) -> Run:
    """A run whose supervisor has ended, noted as launched where `state` says more."""
    run = create_run(name, folder)
    write_state(run, {"boot": boot_id(), "supervisor": GONE}, BEGUN)
    if state:
        write_state(run, {"boot": boot_id(), "supervisor": GONE, **state})
    return run


def ledger_of(run: Run, records: int, rest: bytes = b"") -> bytes:
    """The bytes of a ledger that was not closed, with `rest` after its last record."""
    anchor = open_anchor(run.folder / "heads.jsonl")
    ledger = LedgerWriter(run.folder / "ledger.jsonl", {}, anchor=anchor)
    for number in range(1, records):
        ledger.append("note", {"what": str(number)})
    whole = (run.folder / "ledger.jsonl").read_bytes()
    (run.folder / "ledger.jsonl").write_bytes(whole + rest)
    return whole


def test_a_run_that_died_before_its_watchdog_stood_had_started_nothing(tmp_path: Path) -> None:
    one = look_back(dead_run(tmp_path))
    assert (one.empty, one.records, one.exact) == (True, None, False)
    told = aftermath_text(one)
    assert "its supervisor died" in told
    assert "agent had not begun" in told
    assert "verified empty" in told


@pytest.mark.parametrize(("survivors", "empty"), [([], True), ([7], False)])
def test_where_the_launch_was_not_noted_the_watchdogs_word_counts(
    tmp_path: Path, survivors: list[int], empty: bool
) -> None:
    run = dead_run(tmp_path)
    (run.folder / LOG).touch()
    kill = {"verified": False, "survivors": survivors}
    note = {"by": "watchdog", "reason": "supervisor died", "kill": kill, "time": 1_000_000.5}
    write_state(run, note, STOPPED)
    one = look_back(run)
    assert (one.empty, one.at, one.exact) == (empty, 1_000_000.5, True)
    assert time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(1_000_000)) in aftermath_text(one)
    assert [entry.condition for entry in list_runs(tmp_path)] == ["killed"]


def test_a_watchdog_that_left_no_word_proves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offswitch.guard.supervisor.unnoted.WATCHDOG_S", 0.0)
    run = dead_run(tmp_path)
    (run.folder / LOG).touch()
    told = aftermath_text(look_back(run))
    assert "NOT PROVEN EMPTY: its watchdog was started, and left no word of the end" in told
    assert "with OFFSWITCH_RUN in their environment" in told


ENDED_WITH: dict[str, Any] = {"by": "watchdog", "reason": "supervisor died"}


@pytest.mark.parametrize(
    ("boot", "log", "survivors", "code", "words"),
    [
        (None, False, None, 0, "its watchdog was never started, and nothing starts before that"),
        (None, True, [], 0, "its watchdog found nothing alive at the end"),
        (None, True, [7, 8], 1, "its watchdog found 7, 8 alive at the end"),
        (None, True, None, 1, "its watchdog was started, and left no word of the end"),
        ("another", True, None, 0, "the machine was started anew since"),
    ],
)
def test_stop_says_of_a_run_that_died_before_its_launch_was_noted_what_status_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, boot: str | None, log: bool,
    survivors: list[int] | None, code: int, words: str,
) -> None:  # fmt: skip
    monkeypatch.setattr("offswitch.guard.supervisor.unnoted.WATCHDOG_S", 0.0)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    run = dead_run(tmp_path / "offswitch/runs")
    write_state(run, {"boot": boot or boot_id(), "supervisor": GONE}, BEGUN)
    if log:
        (run.folder / LOG).touch()
    if survivors is not None:
        write_state(run, {**ENDED_WITH, "kill": {"survivors": survivors}}, STOPPED)
    stop = CliRunner().invoke(guard, ["stop", "one"])
    proof = "NOT PROVEN DEAD" if code else "verified empty"
    assert (stop.exit_code, stop.output) == (code, f"It had ended before: {proof} ({words}).\n")
    status = CliRunner().invoke(guard, ["status", "one"]).output
    assert f"{'NOT PROVEN EMPTY' if code else 'verified empty now'}: {words}." in status
    told = json.loads(CliRunner().invoke(guard, ["stop", "one", "--json"]).output)
    assert (told["by"], told["verified"], told["known"]) == ("ended before", not code, words)
    unproven = ", and its death is NOT PROVEN" if code else ""
    given = Answer(not code, f"It had ended before{unproven}: {words}.")
    assert give(Order(run, "stop")) == given


def test_a_run_that_is_only_being_started_is_not_said_to_have_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator, "ENDING_S", 0.0)
    with pytest.raises(GuardError, match=f"process {os.getpid()} starts it"):
        stop_run(create_run("one", tmp_path))


def test_a_run_that_dies_before_its_launch_while_it_is_being_stopped_had_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(run: Run, *_: object, **__: object) -> None:
        write_state(run, {"boot": boot_id(), "supervisor": GONE}, BEGUN)
        raise GuardError("hung up")

    monkeypatch.setattr(operator, "ENDING_S", 0.0)
    monkeypatch.setattr(operator, "ask", dies)
    stopped = stop_run(create_run("one", tmp_path))
    assert (stopped.by, stopped.verified) == ("ended before", True)
    assert stopped.problems == ("hung up", "hung up")


def test_a_run_of_another_boot_ended_with_its_machine(tmp_path: Path) -> None:
    run = dead_run(tmp_path, init=GONE)
    write_state(run, {"boot": "another", "supervisor": GONE, "init": GONE})
    one = look_back(run)
    assert one.empty
    assert "machine was started anew" in one.how


@contextlib.contextmanager
def living() -> Iterator[dict[str, int]]:
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", "input()"], stdin=-1) as process:
        note = process_note(process.pid)
        assert note is not None
        yield note
        process.kill()


def test_a_survivor_is_named_and_told_of_until_it_is_dead(tmp_path: Path) -> None:
    with living() as init:
        dead_run(tmp_path, init=init)
        for _ in range(2):
            (one,) = tell_of_the_dead(tmp_path)
            assert (one.empty, one.survivors) == (False, (init["pid"],))
            assert f"{init['pid']} live" in aftermath_text(one)
    assert [one.empty for one in tell_of_the_dead(tmp_path)] == [True]
    assert tell_of_the_dead(tmp_path) == ()


def test_a_torn_record_is_cut_when_it_is_told_of_and_not_before(tmp_path: Path) -> None:
    run = dead_run(tmp_path, init=GONE)
    whole, path = ledger_of(run, 5, rest=b'{"record":{"num'), run.folder / "ledger.jsonl"
    seen = look_back(run)
    assert (seen.records, seen.torn_bytes) == (5, 15)
    assert path.read_bytes() != whole
    (told,) = tell_of_the_dead(tmp_path)
    assert told == seen
    assert "5 records are intact, and 15 bytes of a torn record" in aftermath_text(told)
    assert path.read_bytes() == whole
    assert path.with_name(path.name + TORN).read_bytes() == b'{"record":{"num'
    assert json.loads((run.folder / TOLD).read_text())["torn_bytes"] == 15
    assert recover_ledger(path).torn_bytes == 0
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_ledger_that_was_changed_is_said_to_be_and_is_left_as_it_is(tmp_path: Path) -> None:
    run = dead_run(tmp_path, init=GONE)
    path = run.folder / "ledger.jsonl"
    changed = ledger_of(run, 5, rest=b"torn").replace(b'"what":"2"', b'"what":"9"') + b"torn"
    path.write_bytes(changed)
    (one,) = tell_of_the_dead(tmp_path)
    assert one.records is None
    assert "does not verify" in aftermath_text(one)
    assert "line 3" in one.ledger_problem
    assert path.read_bytes() == changed


def test_runs_that_start_work_ended_or_were_refused_are_not_told_of(tmp_path: Path) -> None:
    create_run("starting", tmp_path)  # by this very process, which lives
    create_run("working", tmp_path)
    me = process_note(os.getpid())
    write_state(Run("working", tmp_path / "working"),
                {"boot": boot_id(), "supervisor": me, "outer": me, "init": me})  # fmt: skip
    write_state(dead_run(tmp_path, "ended", init=GONE), {"verified": True}, RESULT)
    note_refused(dead_run(tmp_path, "refused"), "tier 4 is not reached")
    conditions = {entry.run.id: entry.condition for entry in list_runs(tmp_path)}
    assert conditions == {
        "starting": "starting", "working": "running", "ended": "ended", "refused": "ended",
    }  # fmt: skip
    assert tell_of_the_dead(tmp_path) == ()


def test_what_its_agent_was_shown_is_removed_and_nothing_else(tmp_path: Path) -> None:
    for name, removed in ((f"{SHOWN}1", True), ("precious", False)):
        shown = tmp_path / name
        shown.mkdir()
        run = dead_run(tmp_path / "runs", name, init=GONE)
        write_state(run, {"boot": boot_id(), "supervisor": GONE, "shown": str(shown)}, BEGUN)
        tell_of_the_dead(tmp_path / "runs")
        assert shown.exists() is not removed


def test_a_run_that_was_launched_is_not_noted_as_refused(tmp_path: Path) -> None:
    note_refused(dead_run(tmp_path, init=GONE), "whatever")
    assert [entry.condition for entry in list_runs(tmp_path)] == ["dead"]


@pytest.mark.slow
def test_the_next_run_tells_of_the_dead_one_once_and_status_whenever_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise GuardError("not on this machine")

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    ledger_of(dead_run(tmp_path / "offswitch/runs", init=GONE), 3)
    (tmp_path / "work").mkdir()
    (tmp_path / "policy.yaml").write_text("version: 1\nrules: []\n")
    monkeypatch.setattr("offswitch.guard.guarded_run.run_guarded", refuse)
    for name, times in (("two", 1), ("three", 0)):
        run = ["run", "--policy", "policy.yaml", "--name", name, "--", "true"]
        told = CliRunner().invoke(guard, run)
        assert str(told.exception) == "not on this machine"
        assert told.output.count("Run one ended") == times, told.output
    status = CliRunner().invoke(guard, ["status", "one"])
    assert "3 records are intact" in status.output
    asked = json.loads(CliRunner().invoke(guard, ["status", "one", "--json"]).output)
    assert (asked["condition"], asked["aftermath"]["records"]) == ("dead", 3)
    ledger = str(tmp_path / "offswitch/runs/one/ledger.jsonl")
    verified = CliRunner().invoke(guard, ["verify", ledger])
    assert "its supervisor died" in verified.output


@pytest.mark.slow
def test_a_killed_writer_loses_no_record_that_it_acknowledged(tmp_path: Path) -> None:
    rng = random.Random(1)
    for number in range(8):
        one = killed_writer(tmp_path / str(number), rng.uniform(0.0, 0.03))
        assert one.problems == []
        assert one.acked > 0


@pytest.mark.slow
def test_a_cut_record_is_left_out_or_missed_but_never_overlooked(tmp_path: Path) -> None:
    rng, torn = random.Random(2), 0
    for number in range(8):
        folder = tmp_path / str(number)
        assert killed_writer(folder, 0.01).problems == []
        one = cut_record(folder, rng)
        assert one.problems == []
        torn += one.torn
    assert torn > 0


def test_a_run_that_its_policy_keeps_from_starting_ended_refused(tmp_path: Path) -> None:
    run = create_run("one", tmp_path / "runs")
    jail = JailPolicy(workspace=str(tmp_path / "none"))
    with pytest.raises(PolicyError, match="workspace"):
        run_guarded(Policy(jail=jail), ["true"], run)
    (entry,) = list_runs(tmp_path / "runs")
    assert entry.condition == "ended"
    assert "workspace" in read_state(run, RESULT)["detail"]


def elsewhere(folder: Path) -> tuple[Run, Path]:
    """A dead run whose policy kept the heads of its ledger in another folder."""
    run, heads = dead_run(folder / "runs", init=GONE), folder / "heads" / "one.jsonl"
    ledger_of(run, 3)
    heads.parent.mkdir()
    (run.folder / "heads.jsonl").rename(heads)
    write_state(run, {**read_state(run, BEGUN), "heads": str(heads)}, BEGUN)
    return run, heads


def test_heads_in_a_folder_of_the_policys_own_are_found_when_a_run_is_looked_back_at(
    tmp_path: Path,
) -> None:
    run, heads = elsewhere(tmp_path)
    ledger = run.folder / "ledger.jsonl"
    with heads.open("ab") as file:
        file.write(msgspec.json.encode(verify_ledger(ledger).head) + b"\n")
    assert (look_back(run).records, look_back(run).ledger_problem) == (3, "")
    ledger.write_bytes(ledger.read_bytes().split(b"\n")[0] + b"\n")
    one = look_back(run)
    assert (one.records, "3 records" in one.ledger_problem) == (None, True), one.ledger_problem


def test_heads_that_are_gone_from_where_they_were_begun_are_missed(tmp_path: Path) -> None:
    run, heads = elsewhere(tmp_path)
    heads.unlink()
    one = look_back(run)
    assert one.records is None
    assert str(heads) in one.ledger_problem
    assert str(heads) in aftermath_text(one)


@pytest.mark.slow
def test_a_run_notes_where_its_policy_keeps_the_heads(open_folder: Path) -> None:
    (open_folder / "work").mkdir()
    if os.geteuid() == 0:
        os.chown(open_folder / "work", 4242, 4242)
    text = "version: 1\nrules: []\nledger: {anchor: kept}\n"
    run = create_run("one", open_folder / "runs")
    run_guarded(parse_policy(text, folder=open_folder), ["true"], run)
    noted = Path(read_state(run, BEGUN)["heads"])
    assert noted == open_folder / "kept" / "one.jsonl"
    assert look_at_run(entry_of(run), LedgerFollower(run.folder / "ledger.jsonl").look()).anchored
    (run.folder / RESULT).unlink()
    one = look_back(run)
    assert (one.closed, one.ledger_problem) == (True, "")


@pytest.mark.slow
def test_all_that_a_run_lays_into_the_temporary_folder_lies_in_the_one_that_is_noted(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (open_folder / "work").mkdir()
    if os.geteuid() == 0:
        os.chown(open_folder / "work", 4242, 4242)
    run, seen = create_run("one", open_folder / "runs"), list[str]()
    policy = parse_policy("version: 1\nrules: []\n", folder=open_folder)
    with tempfile.TemporaryDirectory() as short:  # a socket's name has at most 107 bytes
        monkeypatch.setattr(tempfile, "tempdir", short)
        Path(short).chmod(0o755)
        run_guarded(
            policy, ["true"], run, contained=lambda _: seen.extend(map(str, Path(short).iterdir()))
        )
        assert seen == [read_state(run, BEGUN)["shown"]]
        assert not [*Path(short).iterdir()]


@pytest.mark.slow
def test_a_temporary_folder_with_too_long_a_name_is_said_to_be_so(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = open_folder / ("d" * 60)
    for folder in (deep, open_folder / "work"):
        folder.mkdir()
    if os.geteuid() == 0:
        os.chown(open_folder / "work", 4242, 4242)
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    policy = parse_policy("version: 1\nrules: []\n", folder=open_folder)
    with pytest.raises(GuardError, match="Set TMPDIR"):
        run_guarded(policy, ["true"], create_run("one", open_folder / "runs"))
    assert not [*deep.iterdir()]
