"""One run at one look: what its guards answer, what it uses, what its ledger holds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any  # Any: values of a JSON object

import msgspec

from offswitch.errors import GuardError
from offswitch.guard.ledger.anchor import Head
from offswitch.guard.sensors.counters import Counters, GroupCounters, ProcCounters
from offswitch.guard.stop.stopped import STOPPED
from offswitch.guard.stop.watchdog import SOCKET as WATCHDOG_SOCKET
from offswitch.guard.supervisor.control import SOCKET
from offswitch.guard.supervisor.operator import ask
from offswitch.guard.supervisor.runs import (
    RESULT,
    Run,
    RunEntry,
    heads_file,
    is_alive,
    read_state,
)
from offswitch.guard.watch.ledger_view import LedgerView

__all__ = ["ANSWER_S", "Guards", "RunView", "look_at_run"]

ANSWER_S = 0.5
"""How long a guard may take to answer before it counts as silent."""
_LAST = 1 << 10


class Guards(msgspec.Struct, frozen=True, kw_only=True):
    """What the two guards of a living run say of each other and of themselves."""

    answers: bool
    """Whether the supervisor answered."""
    problem: str
    """Why it did not."""
    watchdog: str
    """The watchdog as the supervisor sees it: beating, lost, or what is wrong."""
    watchdog_silence_s: float | None
    """Age of the watchdog's last heartbeat, as the supervisor says; None where nobody says."""
    supervisor: str
    """The supervisor as the watchdog sees it; empty where the watchdog does not answer."""
    supervisor_silence_s: float | None
    """Age of the supervisor's last heartbeat, as the watchdog says."""
    lease_s: float | None
    """Seconds until the watchdog stops the run unless an operator renews it."""


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """One run at one look. None is no data."""

    id: str
    condition: str
    """starting, running; ended with a result; killed by its watchdog; dead without a word."""
    phase: str
    """As its supervisor says; where nobody answers, its condition."""
    level: str
    """Where the ladder stands; empty where nobody says."""
    by: str
    """The detector that holds it there."""
    seconds: float | None
    """Age of the run; of an ended one, its length."""
    guards: Guards | None
    """None for a run that is over."""
    uses: Counters
    waiting: tuple[Mapping[str, Any], ...] = ()
    """What waits for an operator's answer, as the supervisor says."""
    ledger: LedgerView
    anchored: int | None
    """How many records the last head binds that was noted beside the run; None without one."""
    result: Mapping[str, Any]
    """How it ended; empty before. From the watchdog's note where the supervisor left none."""


def look_at_run(entry: RunEntry, ledger: LedgerView) -> RunView:
    """The run now. Waits at most `ANSWER_S` for each of its guards."""
    living = entry.condition in ("starting", "running")
    answer, guards = _asked(entry.run) if living else ({}, None)
    result = _result(entry)
    return RunView(
        id=entry.run.id,
        condition=entry.condition,
        phase=str(answer.get("phase", entry.condition)),
        level=str(answer.get("level") or result.get("level", "")).lower(),
        by=str(answer.get("by", "")),
        seconds=_number(answer.get("seconds", result.get("seconds"))),
        guards=guards,
        uses=_uses(entry.state) if living else Counters(None, None, None),
        waiting=_mappings(answer.get("waiting")),
        ledger=ledger,
        anchored=_anchored(entry.run),
        result=result,
    )


def _asked(run: Run) -> tuple[dict[str, Any], Guards]:
    answer, problem = _answer(run, SOCKET)
    other, _ = _answer(run, WATCHDOG_SOCKET)
    guards = Guards(
        answers=not problem,
        problem=problem,
        watchdog=str(answer.get("watchdog", "")),
        watchdog_silence_s=_number(answer.get("silence_s")),
        supervisor=str(other.get("supervisor", "")),
        supervisor_silence_s=_number(other.get("silence_s")),
        lease_s=_number(other.get("lease_s")),
    )
    return answer, guards


def _answer(run: Run, socket_name: str) -> tuple[dict[str, Any], str]:
    try:
        return ask(run, {"request": "status"}, timeout_s=ANSWER_S, socket_name=socket_name), ""
    except GuardError as problem:
        return {}, str(problem)


def _result(entry: RunEntry) -> Mapping[str, Any]:
    try:
        return read_state(entry.run, RESULT) or read_state(entry.run, STOPPED)
    except GuardError as problem:
        return {"reason": "unknown", "detail": str(problem)}


def _uses(state: Mapping[str, Any]) -> Counters:
    groups = state.get("cgroups") or ()
    if groups:
        try:
            with GroupCounters(groups) as counters:
                return counters.look()
        except GuardError:
            pass  # a group that only kills and freezes: its processes are counted instead
    init = state.get("init")
    if init is None or not is_alive(init, state.get("boot", "")):
        return Counters(None, None, None)
    return ProcCounters(init["pid"]).look()


def _anchored(run: Run) -> int | None:
    """The last whole line of the file of heads; what is torn or unreadable is no data."""
    try:
        with heads_file(run)[0].open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LAST))
            lines = file.read().split(b"\n")[:-1]
        return msgspec.json.decode(lines[-1], type=Head).count if lines else None
    except (GuardError, OSError, ValueError):
        return None


def _mappings(value: object) -> tuple[Mapping[str, Any], ...]:
    found = value if isinstance(value, list) else []
    return tuple(one for one in found if isinstance(one, Mapping))


def _number(value: object) -> float | None:
    return float(value) if type(value) in (int, float) else None  # type: ignore[arg-type]
