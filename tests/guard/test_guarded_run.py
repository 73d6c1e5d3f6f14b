"""A program under guard: jailed, written down, and ended with proof. Real processes throughout."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from offswitch.cli.guard.run import _told
from offswitch.errors import GuardError
from offswitch.guard import guarded_run as guarding
from offswitch.guard.aftermath import aftermath_text, look_back
from offswitch.guard.guarded_run import ANCHOR, LEDGER, GuardedRun, run_guarded
from offswitch.guard.ledger.anchor import read_anchor
from offswitch.guard.ledger.reading import ledger_trace, read_records
from offswitch.guard.ledger.verify import verify_ledger
from offswitch.guard.policy.read import parse_policy
from offswitch.guard.stop.heartbeat import Beat, Limits, Pulse
from offswitch.guard.supervisor import run as supervising
from offswitch.guard.supervisor import runs
from offswitch.guard.supervisor.runs import create_run
from offswitch.trace.event import Ended, StopEffective, StopOrdered

pytestmark = pytest.mark.slow

OFFSWITCH = (sys.executable, "-c", "from offswitch.cli import main; main()")
LEDGERS = f"runs/*/{LEDGER}"
POLICY = """
version: 1
name: test
jail: {tier: 2, limits: {wall: 300s}}
watchdog: {heartbeat: 100ms, timeout: 3s}
shutdown: {notice: 100ms, grace: 100ms, deadline: 10s}
rules: []
"""


@pytest.fixture
def room(open_folder: Path) -> Path:
    """A folder with a workspace that an unprivileged user owns."""
    (open_folder / "work").mkdir()
    if os.geteuid() == 0:
        os.chown(open_folder / "work", 4242, 4242)
    (open_folder / "policy.yaml").write_text(POLICY)
    return open_folder


def guarded(room: Path, script: str, policy: str = POLICY) -> GuardedRun:
    run = create_run(folder=room / "runs")
    with (room / "output").open("wb") as output:
        return run_guarded(
            parse_policy(policy, folder=room), ["/bin/sh", "-c", script], run,
            stdio={0: os.open(os.devnull, os.O_RDONLY), 1: output.fileno(), 2: output.fileno()},
        )  # fmt: skip


def test_a_run_ends_with_the_programs_own_code_and_a_ledger_that_proves_it(room: Path) -> None:
    done = guarded(room, "echo from the jail; echo kept > /work/file; exit 7")
    assert (done.result.reason, done.result.exit_code) == ("exited", 7)
    assert done.result.verified
    assert (room / "output").read_text() == "from the jail\n"
    assert (room / "work" / "file").read_text() == "kept\n"
    heads = read_anchor(done.ledger.parent / ANCHOR)
    proven = verify_ledger(done.ledger, heads=heads, head=done.head.digest)
    assert proven.closed
    assert proven.proven == proven.head.count == done.head.count
    first = read_records(done.ledger)[0].body["statement"]
    assert (first["tier"], first["program"]) == (done.statement.tier, "sh")
    assert len(first["outcomes"]) >= 28
    assert ledger_trace(done.ledger).events == (Ended(reason="terminated", actor="environment"),)


def test_what_a_program_leaves_behind_is_dead_when_its_run_has_ended(room: Path) -> None:
    left = "setsid sleep 300 & setsid sleep 300 & sleep 0.2; exit 0"
    done = guarded(room, left)
    assert done.result.verified
    living = subprocess.run(["pgrep", "-fx", "sleep 300"], capture_output=True, check=False)
    mine = {f"OFFSWITCH_RUN={mark}" for mark in _marks(done)}
    assert not any(mine & _environment(pid) for pid in living.stdout.split())


def test_an_agent_that_lowers_its_core_limit_cannot_start_the_hosts_crash_handler(
    room: Path,
) -> None:
    lowered = "import resource as r; r.setrlimit(r.RLIMIT_CORE, (0, 0)); "
    done = guarded(room, f"python3 -c '{lowered}print(r.getrlimit(r.RLIMIT_CORE))'; ulimit -c 0")
    assert (done.result.exit_code, (room / "output").read_text()) == (0, "(1, 1)\n")


def test_an_alarm_that_moves_nothing_is_written_down(room: Path) -> None:
    deep = "cd /work; for i in $(seq 205); do mkdir d; cd d; done; "
    deep += "while [ ! -e /work/seen ]; do sleep 0.05; done"

    def tell() -> None:
        with contextlib.suppress(AssertionError):  # then the run goes on to its end all the same
            _wait_until(lambda: any(b"opaque" in one.read_bytes() for one in room.glob(LEDGERS)))
        (room / "work" / "seen").touch()

    watcher = threading.Thread(target=tell)
    watcher.start()
    done = guarded(room, deep)
    watcher.join()
    alarms = [one.body for one in read_records(done.ledger) if one.kind == "alarm"]
    assert [(one["what"], one["detector"], one["level"]) for one in alarms] == [
        ("alarm", "opaque", "observe")
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_interrupted_before_it_begins_is_none_that_died(
    room: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    before = signal.getsignal(number)
    monkeypatch.setattr(guarding, "inspect_host", lambda: signal.raise_signal(number))
    run = create_run("one", folder=room / "runs")
    with pytest.raises(KeyboardInterrupt):
        run_guarded(parse_policy(POLICY, folder=room), ["true"], run)
    (entry,) = runs.list_runs(room / "runs")
    assert entry.condition == "ended"
    found = runs.read_state(run, runs.RESULT)
    assert (found["detail"], found["verified"]) == ("interrupted before it began", True)
    assert not Path(runs.read_state(run, runs.BEGUN)["shown"]).exists()
    assert signal.getsignal(number) is before


def test_a_disk_that_fills_up_ends_the_run_and_its_end_is_told(
    room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = runs.write_state

    def full(run: runs.Run, fields: object, name: str = runs.STATE) -> None:
        if name == runs.RESULT:
            raise OSError(errno.ENOSPC, "No space left on device")
        written(run, fields, name)  # type: ignore[arg-type]

    monkeypatch.setattr(supervising, "write_state", full)
    done = guarded(room, "exit 3")
    assert (done.result.reason, done.result.exit_code, done.result.verified) == ("exited", 3, True)
    notes = [one.body.get("what") for one in read_records(done.ledger)]
    assert "result not written" in notes
    assert "NOT WRITTEN ([Errno 28] No space left on device)" in _told(done)
    (entry,) = runs.list_runs(room / "runs")
    known = aftermath_text(look_back(entry.run))
    assert "its watchdog noted the end (exited), and its supervisor left no result" in known
    assert "Its ledger is closed" in known
    assert "verified empty now" in known


def test_a_refusal_that_cannot_be_noted_is_told_with_what_was_refused(
    room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(guarding, "note_refused", full)
    with pytest.raises(GuardError, match=r"tier 4[^$]* not be noted .* No space left"):
        guarded(room, "true", POLICY.replace("tier: 2", "tier: 4"))


def test_a_run_that_takes_too_long_is_stopped_by_order_and_told_so(room: Path) -> None:
    done = guarded(room, "trap '' TERM; while :; do sleep 1; done", POLICY.replace("300s", "2s"))
    assert (done.result.reason, done.result.verified) == ("wall", True)
    assert ledger_trace(done.ledger).events == (
        StopOrdered(intervention="shutdown", actor="principal"),
        StopEffective(intervention="shutdown", actor="principal"),
        Ended(reason="interrupted", actor="environment"),
    )


def test_a_program_that_is_not_there_is_an_error_and_the_ledger_says_so(room: Path) -> None:
    run = create_run(folder=room / "runs")
    with pytest.raises(GuardError, match="no-such-program"):
        run_guarded(parse_policy(POLICY, folder=room), ["no-such-program"], run)
    closing = [one for one in read_records(run.folder / LEDGER) if one.kind == "closed"]
    assert "no-such-program" in closing[0].body["why"]


def test_a_jail_that_a_machine_cannot_build_never_starts_the_program(room: Path) -> None:
    with pytest.raises(GuardError, match="tier 4"):
        guarded(room, "touch /work/ran", POLICY.replace("tier: 2", "tier: 4"))
    assert not (room / "work" / "ran").exists()


def offswitch(room: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*OFFSWITCH, *arguments],
        capture_output=True, text=True, check=False, cwd=room, timeout=180,
        env={**os.environ, "XDG_STATE_HOME": str(room / "state")},
    )  # fmt: skip


def test_a_run_whose_words_cannot_be_written_ends_with_its_programs_code(room: Path) -> None:
    command = [*OFFSWITCH, "guard", "run", "--policy", "policy.yaml", "--", "sh", "-c", "exit 4"]
    environment = {**os.environ, "XDG_STATE_HOME": str(room)}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, cwd=room, env=environment, stderr=full, check=False)
    assert done.returncode == 4
    [entry] = runs.list_runs(room / "offswitch" / "runs")
    assert entry.condition == "ended"


def test_a_goal_file_that_is_not_there_is_told_at_the_start_and_refuses_nothing(
    room: Path,
) -> None:
    (room / "goals.md").write_text("reach the end")
    (room / "policy.yaml").write_text(POLICY + "goal: {files: [goal.md, goals.md, none]}\n")
    run = ["guard", "run", "--policy", "policy.yaml", "--quiet"]
    done = offswitch(room, *run, "--", "sh", "-c", "exit 3")
    assert done.returncode == 3, done.stderr
    told = [line for line in done.stderr.splitlines() if line.startswith("goal.files: ")]
    assert [line.split("'")[1] for line in told] == [str(room / "goal.md"), str(room / "none")]
    assert f"Did you mean '{room / 'goals.md'}'?" in told[0]
    (first, *_) = offswitch(room, *run, "--json", "--", "true").stderr.splitlines()
    assert json.loads(first)["not_pinned"]["nearest"] == str(room / "goals.md")


def test_an_operator_stops_a_run_from_another_shell(room: Path) -> None:
    script = "trap '' TERM; touch /work/up; sleep 300"
    command = [*OFFSWITCH, "guard", "run", "--policy", "policy.yaml", "--name", "mine"]
    command += ["--", "sh", "-c", script]
    environment = {**os.environ, "XDG_STATE_HOME": str(room / "state")}
    with subprocess.Popen(
        command, cwd=room, env=environment, stderr=subprocess.PIPE, text=True
    ) as run:
        _wait_until((room / "work" / "up").exists)
        paused = json.loads(offswitch(room, "guard", "pause", "mine", "--json").stdout)
        assert (paused["ok"], paused["phase"]) == (True, "paused")
        stopped = offswitch(room, "guard", "stop", "mine")
        assert stopped.returncode == 0, stopped.stderr
        assert "verified empty" in stopped.stdout
        assert run.stderr is not None
        told = run.stderr.read()
    assert run.returncode == 137
    assert "tree verified empty" in told
    status = json.loads(offswitch(room, "guard", "status", "mine", "--json").stdout)
    assert (status["condition"], status["verified"], status["reason"]) == (
        "ended",
        True,
        "operator",
    )
    ledger = room / "state" / "offswitch" / "runs" / "mine" / "ledger.jsonl"
    assert offswitch(room, "guard", "verify", str(ledger)).returncode == 3
    anchor = str(ledger.with_name("heads.jsonl"))
    assert offswitch(room, "guard", "verify", str(ledger), "--anchor", anchor).returncode == 0
    ledger.write_bytes(ledger.read_bytes().replace(b'"operator"', b'"operatox"', 1))
    changed = offswitch(room, "guard", "verify", str(ledger), "--anchor", anchor)
    assert changed.returncode == 1
    assert "was changed" in changed.stdout


@pytest.mark.parametrize("words", [("nohup",), ("env",)])
def test_a_closed_terminal_stops_a_run_unless_it_was_started_with_nohup(
    room: Path, words: tuple[str, ...]
) -> None:
    script = "touch /work/up; while [ ! -e /work/go ]; do sleep 0.05; done; exit 7"
    command = [*words, *OFFSWITCH, "guard", "run", "--policy", "policy.yaml", "--name", "mine"]
    environment = {**os.environ, "XDG_STATE_HOME": str(room / "state")}
    with subprocess.Popen(
        [*command, "--", "sh", "-c", script], cwd=room, env=environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as run:  # fmt: skip
        _wait_until((room / "work" / "up").exists)
        run.send_signal(signal.SIGHUP)
        if words == ("nohup",):
            ignored = Path(f"/proc/{run.pid}/status").read_text().split("SigIgn:")[1].split()[0]
            assert int(ignored, 16) & 1
            (room / "work" / "go").touch()
        told = run.communicate(timeout=60)[0].decode()
    result = json.loads((room / "state/offswitch/runs/mine/result.json").read_text())
    assert (run.returncode, result["reason"]) == (
        (7, "exited") if words == ("nohup",) else (130, "signal")
    ), told
    assert result["verified"]


@pytest.mark.parametrize(
    "watchdog", ["50ms, timeout: 250ms", "500ms, timeout: 1s", "1s, timeout: 2s"]
)
def test_a_record_that_the_next_heartbeat_tells_to_be_written_never_counts_as_a_ledger_that_stands(
    watchdog: str,
) -> None:
    policy = POLICY.replace("100ms, timeout: 3s", watchdog)
    settings = guarding._settings(parse_policy(policy, folder=Path("/")))
    pulse = Pulse(Limits(settings.timeout_s, settings.head_timeout_s), 0.0)
    late = settings.timeout_s - 0.001
    pulse.take(Beat(1, "aa", 0), 0.0)
    pulse.take(Beat(2, "aa", 3), late)  # handed in within this round
    assert pulse.problem(late + settings.heartbeat_s) is None
    pulse.take(Beat(3, "bb", 0), late + settings.heartbeat_s)
    assert pulse.problem(late + settings.heartbeat_s) is None


def _wait_until(true: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.02)


def _marks(done: GuardedRun) -> set[str]:
    return {Path(folder).name.rpartition("-")[2] for folder in done.statement.group} or {"none"}


def _environment(pid: bytes) -> set[str]:
    try:
        return set(Path(f"/proc/{pid.decode()}/environ").read_text().split("\0"))
    except OSError:
        return set()


def test_an_agent_that_lays_a_git_hook_is_frozen_or_killed_as_its_policy_says(room: Path) -> None:
    script = "mkdir -p .git/hooks; echo 'sh -c x' > .git/hooks/post-commit; chmod +x .git/hooks/*; "
    policy = POLICY + "ladder: {persistence: kill}\n"
    done = guarded(room, script + "sleep 20", policy)
    assert (done.result.reason, done.result.verified) == ("ladder", True)
    kinds = [type(event).__name__ for event in ledger_trace(done.ledger).events]
    assert kinds[0] == "CopiedItself"
    assert kinds[-2:] == ["StopEffective", "Ended"]


def test_the_same_hook_is_only_written_down_where_the_policy_does_not_name_it(room: Path) -> None:
    script = "mkdir -p .git/hooks; echo x > .git/hooks/post-commit; chmod +x .git/hooks/*; sleep 3"
    done = guarded(room, script)
    assert (done.result.reason, done.result.exit_code) == ("exited", 0)
    assert "CopiedItself" in [type(event).__name__ for event in ledger_trace(done.ledger).events]
