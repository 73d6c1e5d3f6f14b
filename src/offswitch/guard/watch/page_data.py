"""What the page is told, as plain JSON: only texts that can be seen, numbers, and None."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any  # Any: values of a JSON object

from offswitch.guard.watch.ledger_view import LedgerView
from offswitch.guard.watch.run_view import RunView
from offswitch.guard.watch.shown import json_shown, shown
from offswitch.guard.watch.watcher import Look

__all__ = ["page_data"]

Json = dict[str, Any]


def page_data(look: Look, selected: str | None) -> Json:
    """The look, with one run of it in full."""
    chosen = next((run for run in look.runs if run.id == selected), None)
    return {
        "runs": [_row(run) for run in _in_order(look.runs)],
        "left_out": sum(look.conditions.values()) - len(look.runs),
        "canary": _canary(look),
        "problem": shown(look.problem, 2000),
        "run": None if chosen is None else _detail(chosen),
    }


def _in_order(runs: tuple[RunView, ...]) -> list[RunView]:
    """The living first, then the last names first: names are dates unless somebody chose one."""
    return sorted(reversed(runs), key=lambda run: run.guards is None)


def _row(run: RunView) -> Json:
    return {
        "id": run.id,  # sent back in an order, so it is not spelled out; the page shows `name`
        "name": shown(run.id, 120),
        "phase": shown(run.phase, 40),
        "living": run.guards is not None,
        "level": shown(run.level, 20),
        "evidence": run.ledger.evidence_count,
        "verified": run.result.get("verified") if run.result else None,
        "silent": run.guards is not None and not run.guards.answers,
        "asks": len(run.waiting),
    }


def _detail(run: RunView) -> Json:
    return {
        **_row(run),
        "condition": run.condition,
        "by": shown(run.by, 80),
        "seconds": run.seconds,
        "can": _orders(run),
        "waiting": [_waiting(one) for one in run.waiting],
        "guards": None if run.guards is None else _guards(run),
        "uses": run.uses._asdict(),
        "ledger": _ledger(run.ledger, run.anchored),
        "evidence_list": [line._asdict() for line in reversed(run.ledger.evidence)],
        "lines": [line._asdict() for line in reversed(run.ledger.lines)],
        "acts": dict(run.ledger.acts),
        "holds": _holds(run.ledger.opened.get("statement")),
        "result": _result(run.result),
    }


def _orders(run: RunView) -> list[str]:
    """What an operator may order now; a stop is possible whoever is silent."""
    if run.guards is None:
        return []
    moves = {"running": ["pause"], "paused": ["resume"]}.get(run.phase, [])
    if run.phase == "running" and run.level in ("ask", "throttle"):
        moves = [*moves, "resume"]
    return [*moves, "stop now"] if run.phase == "stopping" else [*moves, "stop", "stop now"]


def _waiting(one: Mapping[str, Any]) -> Json:
    left = one.get("left_s")
    return {
        "number": one.get("number"),
        "asked": shown(str(one.get("asked", ""))),
        "why": shown(str(one.get("why", ""))),
        "rule": shown(str(one.get("rule", "")), 80),
        "left_s": float(left) if isinstance(left, int | float) else None,
    }


def _guards(run: RunView) -> Json:
    guards = run.guards
    assert guards is not None
    return {
        "answers": guards.answers,
        "problem": shown(guards.problem),
        "watchdog": shown(guards.watchdog),
        "watchdog_silence_s": guards.watchdog_silence_s,
        "supervisor": shown(guards.supervisor),
        "supervisor_silence_s": guards.supervisor_silence_s,
        "lease_s": guards.lease_s,
    }


def _ledger(ledger: LedgerView, anchored: int | None) -> Json:
    return {
        "records": ledger.records if ledger.opened else None,
        "digest": ledger.digest if ledger.opened else "",
        "age_s": ledger.age_s,
        "problem": shown(ledger.problem),
        "closed": ledger.closed,
        "anchored": anchored,
    }


def _holds(statement: object) -> Json | None:
    """The containment statement in short; None where the ledger has none."""
    if not isinstance(statement, Mapping):
        return None
    outcomes = [one for one in _items(statement, "outcomes") if isinstance(one, Mapping)]
    policy = statement.get("policy")
    named = policy if isinstance(policy, Mapping) else {}
    return {
        "command": json_shown(statement.get("command", []), 400),
        "policy": shown(str(named.get("name", ""))),
        "policy_sha256": shown(str(named.get("sha256", ""))),
        "tier": json_shown(statement.get("tier")),
        "tier_name": shown(str(statement.get("tier_name", ""))),
        "attested": shown(str(statement.get("attested") or "")),
        **{name: [json_shown(one) for one in _items(statement, name)]
           for name in ("mechanisms", "covered", "not_covered", "waived")},
        "probes": len(outcomes),
        "blocked": sum(one.get("word") == "blocked" for one in outcomes),
        "open": [shown(str(one.get("name"))) for one in outcomes if one.get("word") == "allowed"],
    }  # fmt: skip


def _items(statement: Mapping[str, Any], name: str) -> list[Any]:
    found = statement.get(name)
    return found if isinstance(found, list) else []


def _result(result: Mapping[str, Any]) -> Json | None:
    if not result:
        return None
    kill = result.get("kill")
    kill = kill if isinstance(kill, Mapping) else {}
    return {
        "reason": shown(str(result.get("reason", ""))),
        "detail": shown(str(result.get("detail", ""))),
        "exit_code": result.get("exit_code"),
        "verified": result.get("verified", kill.get("verified")),
        "kill_seconds": kill.get("seconds"),
        "by": shown(str(result.get("by", "supervisor"))),
    }


def _canary(look: Look) -> Json | None:
    if look.canary is None:
        return None
    return {
        "verified": look.canary.verified,
        "seconds": look.canary.seconds,
        "age_s": look.canary_age_s,
        "problem": shown(look.canary.problem),
    }
