"""What became of a run whose supervisor died: when, what its ledger holds, whether all is dead.

A run that ends leaves a result. One that was killed from outside leaves none, and everything here
is found out anew: from the watchdog's note, from the ledger, and from the kernel.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args  # Any: values of a JSON object

import msgspec

from offswitch.errors import LedgerError
from offswitch.guard.jail.plan import MARK
from offswitch.guard.ledger.anchor import Head, read_anchor
from offswitch.guard.ledger.recover import Recovered, recover_ledger
from offswitch.guard.ledger.verify import verify_ledger
from offswitch.guard.stop.kill import is_provable, verify_empty
from offswitch.guard.stop.pidfd import has_ended, pid_of, wait_ended
from offswitch.guard.stop.processes import boot_id
from offswitch.guard.stop.stopped import STOPPED
from offswitch.guard.stop.strays import strays
from offswitch.guard.supervisor.notes import opened_target
from offswitch.guard.supervisor.result import Reason
from offswitch.guard.supervisor.runs import (
    BEGUN,
    SHOWN,
    STATE,
    Run,
    heads_file,
    list_runs,
    read_state,
)
from offswitch.guard.supervisor.unnoted import left_unnoted

__all__ = ["Aftermath", "aftermath_text", "look_back", "tell_of_the_dead"]

LEDGER, TOLD = "ledger.jsonl", "told.json"
"""Names in the run's folder; `TOLD` marks a run whose end somebody has been told of."""
WATCHDOG_S = 2.0
"""How long a watchdog that is still at work is waited for."""


class Aftermath(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended that left no result."""

    run_id: str
    how: str
    """What killed it, in words."""
    at: float | None
    """Seconds since 1970 of the end, or of the last sign of life; None where there is none."""
    exact: bool
    """Whether `at` is the watchdog's own note of the end."""
    records: int | None
    """Whole records of its ledger that verify; None: there is no ledger, or it does not verify."""
    closed: bool
    """Whether the ledger was ended by its writer."""
    torn_bytes: int
    """Bytes of a last record that was not whole."""
    ledger_problem: str
    """What is wrong with the ledger; empty where it verifies, or none was opened."""
    empty: bool
    """Whether its process tree is verified empty now."""
    survivors: tuple[int, ...]
    """Process numbers of the run that are alive now."""
    known: str
    """How its emptiness is known, or why not, of a run whose launch was not noted; else empty."""


def look_back(run: Run, *, recover: bool = False) -> Aftermath:
    """What became of the run, looked at now; `recover` cuts a torn record off its ledger.

    Raises:
        GuardError: the notes in its folder cannot be read.
    """
    state, stopped = read_state(run, STATE), read_state(run, STOPPED)
    empty, survivors, known = _emptiness(run, state)
    stopped = stopped or read_state(run, STOPPED)  # written while its watchdog was waited for
    last = _last_sign(run)  # before a cut is one
    left, problem = _ledger(run, recover=recover)
    return Aftermath(
        run_id=run.id,
        how=_how(state or read_state(run, BEGUN), stopped, closed=left is not None and left.closed),
        at=float(stopped["time"]) if "time" in stopped else last,
        exact="time" in stopped,
        records=None if left is None else left.records,
        closed=left is not None and left.closed,
        torn_bytes=0 if left is None else left.torn_bytes,
        ledger_problem=problem,
        empty=empty,
        survivors=survivors,
        known=known,
    )


def aftermath_text(one: Aftermath) -> str:
    """The same in words, some lines."""
    when = "at an unknown time" if one.at is None else time.strftime(
        "%Y-%m-%d %H:%M:%S", time.localtime(one.at)
    )  # fmt: skip
    sign = f"at {when}" if one.exact else f"after its last sign of life, {when}"
    lines = [f"Run {one.run_id} ended {sign}: {one.how}.", _ledger_text(one)]
    why = f": {one.known}" if one.known else ""
    if one.empty:
        lines.append(f"Its process tree is verified empty now{why}.")
    elif one.known:
        lines.append(
            f"Its process tree is NOT PROVEN EMPTY{why}. Look for processes with {MARK} in their "
            "environment; a restart of the machine ends them for certain."
        )
    else:
        alive = f": {', '.join(map(str, one.survivors))} live" if one.survivors else ""
        lines.append(
            f"Its process tree is NOT PROVEN EMPTY{alive}. Run: offswitch guard stop {one.run_id}"
        )
    return "\n".join(lines)


def tell_of_the_dead(folder: Path | None = None) -> tuple[Aftermath, ...]:
    """Every run that died without a result and of which nobody has been told; marks them as told.

    A torn record is cut off its ledger, and the folder that its agent was shown is removed. A run
    that is not proven empty is told of again next time.
    """
    found = []
    for entry in list_runs(folder):
        if entry.condition in ("killed", "dead") and not (entry.run.folder / TOLD).exists():
            one = look_back(entry.run, recover=True)
            if not one.empty:
                found.append(one)
            elif _mark(entry.run, one):
                found.append(one)
                _clear(entry.run)
    return tuple(found)


def _mark(run: Run, one: Aftermath) -> bool:
    """Whether this process is the one that tells of it."""
    try:
        with (run.folder / TOLD).open("xb") as file:
            file.write(msgspec.json.encode(one))
    except FileExistsError:
        return False
    return True


def _clear(run: Run) -> None:
    """Remove the folder that the run's agent was shown, if it still is this user's."""
    shown = Path(str(read_state(run, BEGUN).get("shown", "")))
    with contextlib.suppress(FileNotFoundError):
        mine = shown.lstat().st_uid == os.geteuid() and not shown.is_symlink()
        if mine and shown.name.startswith(SHOWN):
            shutil.rmtree(shown, ignore_errors=True)


def _how(state: Mapping[str, Any], stopped: Mapping[str, Any], *, closed: bool) -> str:
    if state and state.get("boot") != boot_id():
        return "the machine was started anew while it ran"
    reason = str(stopped.get("reason", ""))
    if reason == "supervisor died":
        return "its supervisor died, and its watchdog killed what was left"
    if reason:
        did = "noted the end" if reason in get_args(Reason) else "killed it"
        return f"its watchdog {did} ({reason}), and its supervisor left no result"
    if closed:
        return "its supervisor closed its ledger, and left no result"
    return "its supervisor died, or its disk took no result; no watchdog noted the end"


def _last_sign(run: Run) -> float | None:
    times = []
    files = [run.folder / name for name in (LEDGER, STATE, BEGUN)]
    for path in (*files, heads_file(run)[0]):
        try:
            times.append(path.stat().st_mtime)
        except OSError:
            continue
    return max(times, default=None)


def _ledger(run: Run, *, recover: bool) -> tuple[Recovered | None, str]:
    path = run.folder / LEDGER
    if not path.exists():
        return None, ""
    try:
        heads = _heads(run)
        if recover:
            return recover_ledger(path, heads), ""
        found = verify_ledger(path, heads=heads)
    except LedgerError as problem:
        return None, str(problem)
    return Recovered(records=found.head.count, closed=found.closed, torn_bytes=found.torn_bytes,
                     head=found.head), ""  # fmt: skip


def _heads(run: Run) -> tuple[Head, ...]:
    path, begun = heads_file(run)
    try:
        empty = b"\n" not in path.read_bytes()
    except OSError as problem:
        if not begun and isinstance(problem, FileNotFoundError):
            return ()
        raise LedgerError(
            f"its heads in {path} cannot be read: {problem.strerror}. Bring them back, or "
            f"check it by hand: offswitch guard verify {run.folder / LEDGER} --anchor HEADS"
        ) from problem
    # Killed before the first head was written: there is none to check against.
    return () if empty else read_anchor(path)


def _ledger_text(one: Aftermath) -> str:
    if one.ledger_problem:
        return f"Its ledger does not verify: {one.ledger_problem}"
    if one.records is None:
        return "It had opened no ledger: its agent had not begun."
    torn = f", and {one.torn_bytes} bytes of a torn record were left out" if one.torn_bytes else ""
    ended = "closed" if one.closed else "not closed"
    return f"Its ledger is {ended}; {one.records} records are intact{torn}."


def _emptiness(run: Run, state: Mapping[str, Any]) -> tuple[bool, tuple[int, ...], str]:
    """Whether nothing of the run lives, what does, and of an unnoted launch how that is known."""
    if not state:
        left = left_unnoted(run)
        return left.empty, (), left.known
    target, guards = opened_target(state)
    held = (target.init_pidfd, target.outer_pidfd)
    try:
        if "watchdog" in guards and "supervisor" not in guards:
            wait_ended(guards["watchdog"], WATCHDOG_S)
        if is_provable(target):
            empty = verify_empty(target)
        else:  # the init's number is no longer its own: it has ended, and all below it
            known = state.get("init") is not None or state.get("boot") != boot_id()
            empty = known and not strays(target)
        alive = {pid_of(fd) for fd in held if fd is not None and not has_ended(fd)}
        alive |= {one.pid for one in strays(target)}
        return empty, tuple(sorted(pid for pid in alive if pid is not None)), ""
    finally:
        for pidfd in (*held, *guards.values()):
            if pidfd is not None:
                os.close(pidfd)
