"""Runs made by hand for the watchers: a folder, a ledger, a result; and living ones."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from offswitch.guard.ledger.anchor import open_anchor
from offswitch.guard.ledger.writer import LedgerWriter
from offswitch.guard.supervisor.runs import Run, create_run, write_state
from offswitch.trace.event import MonitorDegraded, ResourceAcquired, SwitchDisabled

__all__ = ["HOSTILE", "STATEMENT", "ended_run", "living_run", "offswitch"]

OFFSWITCH = (sys.executable, "-c", "from offswitch.cli import main; main()")
HOSTILE = "<img src=x onerror=alert(1)> \u202etxt.exe\x1b[2J"
"""What an agent may call a file."""
STATEMENT = {
    "program": "agent.py",
    "command": ["python", "agent.py", HOSTILE],
    "policy": {"name": "careful", "sha256": "ab" * 32},
    "tier": 2,
    "tier_name": "namespaces, Landlock and seccomp",
    "mechanisms": ["bubblewrap 0.8.0", "Landlock ABI 6"],
    "covered": ["killing the whole process tree, verified empty"],
    "not_covered": ["bugs in the kernel"],
    "waived": [],
    "attested": None,
    "outcomes": [
        {"name": "mount", "word": "blocked", "detail": "EPERM"},
        {"name": "clear-death-signal", "word": "allowed", "detail": "done"},
    ],
}
POLICY = """
version: 1
name: watched
jail: {tier: 2, limits: {wall: 300s}}
watchdog: {heartbeat: 100ms, timeout: 3s}
shutdown: {notice: 50ms, grace: 50ms, deadline: 10s}
rules: []
"""


def written_ledger(run: Run, *, close: bool = True) -> LedgerWriter:
    """Ten records and two signatures: alarms, a move down, acts, events."""
    anchor = open_anchor(run.folder / "heads.jsonl")
    ledger = LedgerWriter(run.folder / "ledger.jsonl", STATEMENT, anchor=anchor)
    ledger.append("note", {"what": "running"})
    ledger.append("alarm", {"detector": "decoy", "level": "freeze", "evidence": HOSTILE})
    moved = {"what": "ladder", "detector": "decoy", "why": "decoy 3.0: touched"}
    ledger.append("alarm", {**moved, "before": "OBSERVE", "level": "FREEZE"})
    ledger.append("alarm", {**moved, "before": "FREEZE", "level": "OBSERVE"})
    ledger.happened(SwitchDisabled(actor="agent", switch="kill-switch.conf"))
    ledger.happened(MonitorDegraded(actor="agent", authorised=True))
    ledger.happened(ResourceAcquired(actor="agent", resource="memory", amount=1.0))
    act = {"source": "model", "act": {"tool": "shell"}, "reason": "asks first", "instead": None}
    ledger.append("act", {**act, "word": "escalate"}, actor="agent", authority="ask-me")
    ledger.append("act", {**act, "word": "reject"}, actor="agent")
    if close:
        ledger.close("operator")
    return ledger


def ended_run(folder: Path, name: str = "over") -> Run:
    """A run that an operator stopped."""
    run = create_run(name, folder)
    written_ledger(run)
    kill = {"verified": True, "seconds": 0.014, "steps": [], "survivors": []}
    found = {"reason": "operator", "detail": "stop now", "exit_code": None, "verified": True}
    write_state(run, {**found, "kill": kill, "level": "FREEZE", "seconds": 33.0}, "result.json")
    return run


def offswitch(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of the tool, as from another shell."""
    return subprocess.run(
        [*OFFSWITCH, *arguments],
        capture_output=True, text=True, check=False, timeout=180,
        env={**os.environ, "XDG_STATE_HOME": str(state)},
    )  # fmt: skip


@contextlib.contextmanager
def living_run(room: Path, name: str = "alive", script: str = "", more: str = "") -> Iterator[Run]:
    """A jailed program under its guard, which is stopped with the tool's own command afterwards.

    `room` is an `open_folder`: pytest's own are closed by any pytest that starts meanwhile.
    `script` is what its shell does first, `more` stands below the policy.
    """
    work = room / "work"
    work.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        os.chown(work, 4242, 4242)
    (room / "policy.yaml").write_text(POLICY + more)
    state = room / "state"
    command = [*OFFSWITCH, "guard", "run", "--policy", "policy.yaml", "--quiet", "--name", name]
    program = f"trap '' TERM; sleep 300 & touch /work/up; {script or ':'}; wait"
    with subprocess.Popen(
        [*command, "--", "sh", "-c", program],
        cwd=room, env={**os.environ, "XDG_STATE_HOME": str(state)},
        stderr=subprocess.DEVNULL, start_new_session=True,
    ) as front:  # fmt: skip
        try:
            end = time.monotonic() + 60
            while not (work / "up").exists():
                assert time.monotonic() < end and front.poll() is None, "the run did not start"
                time.sleep(0.02)
            yield Run(name, state / "offswitch" / "runs" / name)
        finally:
            (work / "up").unlink(missing_ok=True)
            offswitch(state, "guard", "stop", "--now", name)
            front.wait(60)
