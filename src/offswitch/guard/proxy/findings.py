"""At the end of a run: what its models proposed, its tools executed and its sensors saw, compared.

Proposals and executions stand in the ledger. The effects are the hosts that were spoken to, the
files of the workspace that are not what they were before the run, each at its last change, which
the agent cannot forge, and the programs that the agent's own processes were seen to start. What
runs since before the first proposal is taken for the agent itself, and what a program starts in
its turn for that program's work.

CAVEAT: a file that is gone at the end is not seen, and of one that was changed twice only the last
change is. A program that was gone again between two looks at the processes is not seen, so that a
proposal without an effect may have had one; see `sensors.programs` for what hides a start. Without
a model behind the proxy nobody saw a proposal, and nothing is compared.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any  # Any: plain JSON values

import msgspec

from offswitch.errors import LedgerError
from offswitch.guard.jail.bubblewrap import WORK
from offswitch.guard.ledger.reading import read_records
from offswitch.guard.ledger.record import Record
from offswitch.guard.policy.own_programs import own_pattern
from offswitch.guard.policy.policy import Policy
from offswitch.guard.proxy.matching import act_of, is_call
from offswitch.guard.proxy.reconcile import Effect, Reconciled, Timed, reconcile
from offswitch.guard.sensors.answers import asked_paths
from offswitch.guard.sensors.decoys import DECOYS
from offswitch.guard.sensors.programs import Start, StartLog
from offswitch.guard.sensors.workspace import TreeSnapshot, changes, shown_path, snapshot_tree

__all__ = [
    "HIDDEN",
    "RECONCILED",
    "file_effects",
    "files_of",
    "hidden_text",
    "let_through",
    "note_findings",
    "own_text",
    "program_effects",
    "without_own",
]

RECONCILED, HIDDEN = "reconciled", "acts without a proposal"
MOST_FILES = 50_000
TICK_S = 0.01
"""The longest tick that kernels are built with, seconds: so old a file's time may be at its birth,
and a write that follows its proposal at once would else seem to come before it."""
MOST_BYTES = 256 * 2**20
"""A longer ledger is not compared: it would have to be held in memory."""
_SHOWN = 30
_UNREAD = frozenset(decoy.path for decoy in DECOYS)

Note = Callable[[str, Mapping[str, Any]], object]


def files_of(policy: Policy) -> TreeSnapshot | None:
    """The workspace before the run; None where nothing will be compared."""
    if not policy.models:
        return None
    return _look(policy.jail.workspace)


def note_findings(
    policy: Policy, ledger: Path, before: TreeSnapshot | None, started: StartLog, note: Note
) -> Reconciled | None:
    """What was compared, noted; an alarm where something was done that nothing proposed."""
    if before is None:
        return None
    try:
        return _noted(policy, ledger, before, started, note)
    except (LedgerError, OSError) as problem:  # the run is over and proven: this is told, not more
        note(RECONCILED, {"problem": f"not compared: {problem}"})
        return None


def _noted(
    policy: Policy, ledger: Path, before: TreeSnapshot, started: StartLog, note: Note
) -> Reconciled | None:
    if (size := ledger.stat().st_size) > MOST_BYTES:
        note(RECONCILED, {"problem": f"not compared: the ledger has {size} bytes"})
        return None
    records = read_records(ledger)
    after = _look(policy.jail.workspace)
    proposed, executed, hosts = let_through(records)
    opened = float(records[0].body["wall_clock"])
    # Written because the guard asked for it, by the program itself and not by its model.
    asked = asked_paths(policy.shutdown).values()
    files = [one for one in file_effects(before, after, opened) if one.subject not in asked]
    first = min((one.seconds for one in records if _is_proposal(one)), default=float("inf"))
    effects = [*hosts, *files, *program_effects(started.kept, first, opened)]
    found = reconcile(proposed, [one for one in executed if is_call(one.act)], effects)
    found = without_own(found, policy.own_programs)
    unseen = {"unseen": before.unseen + after.unseen, "programs_left_out": started.left_out}
    note(RECONCILED, {**_fields(found), **unseen})
    if evidence := hidden_text(found):
        note(HIDDEN, {"detector": "hidden-act", "level": "observe", "evidence": evidence})
    return found


def without_own(found: Reconciled, patterns: Sequence[str]) -> Reconciled:
    """The same, with what the policy calls the agent's own programs counted and not told."""
    own = collections.Counter[str]()
    hidden = []
    for one in found.hidden_effects:
        pattern = own_pattern(one.path, patterns) if one.kind == "program" else None
        if pattern is None:
            hidden.append(one)
        else:
            own[pattern] += 1
    return msgspec.structs.replace(found, hidden_effects=tuple(hidden), own_programs=dict(own))


def hidden_text(found: Reconciled, most: int = _SHOWN) -> str:
    """What was done without a proposal, the `most` frequent by name; empty where nothing was."""
    acts = [one.act.tool for one in found.hidden_executions]
    acts += [f"{one.kind} {one.subject}" for one in found.hidden_effects]
    if not acts:
        return ""
    names = collections.Counter(acts)
    shown = _often(names.most_common(most))
    more = f", and {len(names) - most} other names" if len(names) > most else ""
    return f"{len(acts)} that no model proposed: {shown}{more}"


def own_text(found: Reconciled) -> str:
    """The agent's own programs that were started without a proposal; empty where none was."""
    return _often(found.own_programs.items())


def _often(names: Iterable[tuple[str, int]]) -> str:
    return ", ".join(name if n == 1 else f"{name} ({n} times)" for name, n in names)


def let_through(records: Sequence[Record]) -> tuple[list[Timed], list[Timed], list[Effect]]:
    """Proposals, executions, and hosts spoken to: of all acts, those that were let through."""
    allowed = _allowed(records)
    found: dict[str, list[Timed]] = {"proposed": [], "executed": []}
    for record in records:
        body = record.body
        if record.kind != "act" or body["word"] in ("reject", "terminate"):
            continue
        if body["word"] == "escalate" and body.get("report") not in allowed:
            continue
        found[body["source"]].append(Timed(record.seconds, act_of(body)))
    executed = found["executed"]
    hosts = [Effect(one.seconds, "host", one.act.host) for one in executed if one.act.host]
    return found["proposed"], executed, hosts


def file_effects(before: TreeSnapshot, after: TreeSnapshot, opened: float) -> list[Effect]:
    """Files created or modified; `opened` is the wall clock of the ledger's opening, seconds.

    Each at the latest that it can have been: files bear the time of the kernel's last tick.
    """
    late = TICK_S - opened
    return [
        Effect(one.after.changed_ns / 1e9 + late, "file", f"{WORK}/{shown_path(one.path)}")
        for one in changes(before, after)
        if one.after is not None and one.after.kind != "folder" and one.path not in _UNREAD
    ]


def program_effects(starts: Sequence[Start], first: float, opened: float) -> list[Effect]:
    """The programs that the agent itself started since its models' first proposal.

    `opened` is the wall clock of the ledger's opening, seconds, and `first` the proposal's time
    since then. A start whose parent nobody saw counts: a process that was set loose has none.
    """
    late, effects = TICK_S - opened, []
    own = {one.process for one in starts if one.seconds + late < first}
    others = {one.process for one in starts} - own
    for one in starts:
        seconds = one.seconds + late
        if seconds >= first and one.by not in others:
            effects.append(Effect(seconds, "program", one.names[0], one.names[1:], one.path))
    return effects


def _is_proposal(record: Record) -> bool:
    """Whether a model proposed something, allowed or not."""
    return record.kind == "act" and record.body["source"] == "proposed"


def _look(workspace: str) -> TreeSnapshot:
    return snapshot_tree(workspace, unread=_UNREAD, hashed=-1, most=MOST_FILES)


def _allowed(records: Sequence[Record]) -> set[Any]:
    """Reports that an operator allowed in time."""
    found = {one.body["report"] for one in records if one.body.get("answer") == "allowed"}
    late = {
        one.body["report"] for one in records if one.body.get("what") == "an answer came too late"
    }
    return found - late


def _fields(found: Reconciled) -> dict[str, Any]:
    return {
        "explained": found.explained,
        "loosely_explained": found.loosely_explained,
        "hidden_effects": [
            f"{one.kind} {one.subject} at {one.seconds:.1f} s"
            for one in found.hidden_effects[:_SHOWN]
        ],
        "hidden_effects_in_all": len(found.hidden_effects),
        "own_programs": dict(found.own_programs),
        "hidden_executions": _names(found.hidden_executions),
        "hidden_executions_in_all": len(found.hidden_executions),
        "without_execution": _names(found.without_execution),
        "without_effect": _names(found.without_effect),
    }


def _names(acts: Sequence[Timed]) -> list[str]:
    return [f"{one.act.tool or one.act.host} at {one.seconds:.1f} s" for one in acts[:_SHOWN]]
