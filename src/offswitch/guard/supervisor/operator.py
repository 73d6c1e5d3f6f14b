"""The operator's side: ask a run, and stop it by whichever way still works.

First the supervisor, which stops with notice and grace; then the watchdog's own socket; then, with
both hung, the handles in the state file and this very process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal  # Any: values of a JSON object

from offswitch.errors import GuardError
from offswitch.guard.stop import wire
from offswitch.guard.stop.kill import KillResult, is_provable, kill_tree
from offswitch.guard.stop.pidfd import kill_all, wait_ended
from offswitch.guard.stop.processes import boot_id
from offswitch.guard.stop.watchdog import SOCKET as WATCHDOG_SOCKET
from offswitch.guard.supervisor.control import SOCKET
from offswitch.guard.supervisor.notes import opened_target
from offswitch.guard.supervisor.result import kill_from
from offswitch.guard.supervisor.runs import BEGUN, RESULT, Run, entry_of, read_state
from offswitch.guard.supervisor.unnoted import left_unnoted

__all__ = ["Stopped", "ask", "move", "stop_run"]

POLL_S = 0.02
WATCHDOG_KILL_S = 5.0
ENDING_S = 0.25
"""How long a run that answers nobody may just be ending: no emergency waits longer for it."""
MOVED_S = 5.0
"""How long a pause or resume may take until it stands: both guards give it a second."""
_OVER = ("ended", "killed", "dead")
Way = Literal["supervisor", "watchdog", "state file", "ended before"]


@dataclass(frozen=True)
class Stopped:
    """How a run was stopped."""

    by: Way
    """Who did it in the end."""
    verified: bool
    """The tree was proven empty."""
    seconds: float
    """From the order to the proof, or to giving up."""
    problems: tuple[str, ...] = ()
    """The ways that failed before."""
    known: str = ""
    """How that is known, or why not, of a run that died before its launch was noted."""


def ask(
    run: Run, request: dict[str, Any], *, timeout_s: float = 1.0, socket_name: str = SOCKET
) -> dict[str, Any]:
    """The answer of the run's supervisor. Raises: GuardError when there is none in time."""
    try:
        with wire.connect(str(run.folder), socket_name, timeout_s) as sock:
            wire.send(sock, request)
            message = wire.receive(sock)
    except (OSError, wire.WireError) as error:
        if socket_name == SOCKET and (how := entry_of(run).condition) in _OVER:
            raise GuardError(
                f"run {run.id} is {how}: `offswitch guard status {run.id}` says how it ended"
            ) from error
        raise GuardError(f"run {run.id}: no answer on {socket_name}: {error}") from error
    if message is None:
        raise GuardError(
            f"run {run.id}: {socket_name} hung up. It answers its own user and root, from the "
            "same pid namespace."
        )
    return message.fields


def move(run: Run, request: dict[str, Any]) -> dict[str, Any]:
    """The answer to a request, once what it froze or thawed stands still or `MOVED_S` are over.

    A pause that did not hold is refused, not done. Raises: GuardError as `ask`.
    """
    answer = ask(run, request)
    end = time.monotonic() + MOVED_S
    while answer["ok"] and answer.get("moving") and time.monotonic() < end:
        time.sleep(POLL_S)
        answer = ask(run, {"request": "status"})
    if answer["ok"] and request["request"] == "pause" and answer.get("phase") == "running":
        answer |= {"ok": False, "problem": "it could not be frozen, and goes on"}
    return answer


def stop_run(
    run: Run, *, now: bool = False, patience_s: float = 30.0, timeout_s: float = 1.0
) -> Stopped:
    """Stop the run, by its supervisor within `patience_s` seconds, else over its head.

    Raises: GuardError when no way works; the message lists them all.
    """
    begun = time.monotonic()
    unnoted = _died_unnoted(run)  # judged first: who ends just now has left a result by then
    if read_state(run, RESULT):
        return Stopped("ended before", _result_verified(run), 0.0)
    if unnoted:
        return _left(run, begun)
    by: Way = "ended before"
    try:
        ask(run, {"request": "stop", "now": now}, timeout_s=timeout_s)
        by = "supervisor"
        _wait_result(run, begun + patience_s, timeout_s)
    except GuardError as error:
        # One that is just ending answers nobody: its result comes a moment later.
        if not _has_result(run, ENDING_S):
            return _over_its_head(run, begun, [str(error)], timeout_s)
    return Stopped(by, _result_verified(run), time.monotonic() - begun)


def _died_unnoted(run: Run) -> bool:
    """Whether it died before its launch was noted. Notes that are spoiled are no sign of that."""
    try:
        entry = entry_of(run)
    except GuardError:
        return False
    return entry.condition in ("killed", "dead") and not entry.state


def _left(run: Run, begun: float, problems: Sequence[str] = ()) -> Stopped:
    left = left_unnoted(run)
    seconds = time.monotonic() - begun
    return Stopped("ended before", left.empty, seconds, tuple(problems), left.known)


def _over_its_head(run: Run, begun: float, problems: list[str], timeout_s: float) -> Stopped:
    try:
        # Asked whether it lives before it is given the time that a kill may take.
        ask(run, {"request": "status"}, timeout_s=timeout_s, socket_name=WATCHDOG_SOCKET)
        answer = ask(
            run, {"request": "stop"}, timeout_s=WATCHDOG_KILL_S, socket_name=WATCHDOG_SOCKET
        )
        kill = kill_from(answer["kill"])
        if kill.verified:
            return Stopped("watchdog", True, time.monotonic() - begun, tuple(problems))
        problems.append(f"the watchdog's kill is not proven: survivors {kill.survivors}")
    except (GuardError, KeyError, TypeError, ValueError) as error:
        problems.append(str(error))
    if _died_unnoted(run):  # meanwhile
        return _left(run, begun, problems)
    kill = _by_state_file(run, problems)
    return Stopped("state file", kill.verified, time.monotonic() - begun, tuple(problems))


def _by_state_file(run: Run, problems: list[str]) -> KillResult:
    state = read_state(run)
    if not state:
        starter = (read_state(run, BEGUN).get("supervisor") or {}).get("pid", "unknown")
        problems.append(f"its launch is not noted yet: process {starter} starts it. Try again")
        raise GuardError("; ".join(problems))
    target, guards = opened_target(state)
    try:
        # The tree first: it dies at once, while a hung guard may take its time.
        result = kill_tree(target, 5.0)
        hung = [guards.get("watchdog"), guards.get("spawner")]
        kill_all(hung)
        for pidfd in hung:
            if pidfd is not None:
                wait_ended(pidfd, 1.0)
        if is_provable(target):
            return kill_tree(target, 5.0) if not result.verified else result
        # No handle: the init had ended before, or it is another boot. A dead init is the proof.
        gone = state.get("init") is not None or state.get("boot") != boot_id()
        return result._replace(verified=gone and not result.survivors)
    finally:
        held = (target.init_pidfd, target.outer_pidfd, *guards.values())
        for pidfd in held:
            if pidfd is not None:
                os.close(pidfd)


def _wait_result(run: Run, until: float, timeout_s: float) -> None:
    while not read_state(run, RESULT):
        if time.monotonic() >= until:
            raise GuardError(f"run {run.id}: its supervisor did not stop it in time")
        ask(run, {"request": "status"}, timeout_s=timeout_s)
        time.sleep(POLL_S)


def _has_result(run: Run, seconds: float) -> bool:
    """Whether the run's result is there within the time."""
    end = time.monotonic() + seconds
    while not read_state(run, RESULT):
        if time.monotonic() >= end:
            return False
        time.sleep(POLL_S)
    return True


def _result_verified(run: Run) -> bool:
    return read_state(run, RESULT).get("verified") is True
