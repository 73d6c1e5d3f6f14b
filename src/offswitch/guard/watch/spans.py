"""A ledger as spans: the run, what it proposed, its pauses and its stop. Plain data, no library.

The root is the run, from the ledger's first record to its last. Below it stand one span for every
act that was judged, for every pause and for the stop. Alarms, oversight events and operators'
orders are events of the root. Every span and event names the record that it comes from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from offswitch.errors import LedgerError
from offswitch.guard.ledger.record import Record
from offswitch.guard.proxy.findings import RECONCILED
from offswitch.guard.proxy.matching import HIDDEN_EXECUTION
from offswitch.guard.watch.shown import json_shown, shown

__all__ = ["Attributes", "Span", "SpanEvent", "spans_of"]

Attributes: TypeAlias = Mapping[str, str | int | float | bool]


class SpanEvent(NamedTuple):
    """Something that happened at one time."""

    name: str
    at_ns: int
    """Nanoseconds since 1970."""
    attributes: Attributes


class Span(NamedTuple):
    """One span."""

    name: str
    begin_ns: int
    """Nanoseconds since 1970: the ledger's own clock, from the wall clock at its opening."""
    end_ns: int
    attributes: Attributes
    problem: str = ""
    """Why it counts as failed; empty where it does not."""
    events: tuple[SpanEvent, ...] = ()
    below: tuple[Span, ...] = ()


def spans_of(records: Sequence[Record], run: str) -> Span:
    """The root span of a run's ledger, as far as it has got.

    Raises:
        LedgerError: the records do not begin with the opening of a ledger.
    """
    if not records or records[0].kind != "opened":
        raise LedgerError("expected the records of a ledger from its first on.")
    opened = records[0].body
    wall = opened.get("wall_clock")
    zero = round(float(wall if isinstance(wall, int | float) else 0.0) * 1e9)
    last = records[-1]
    return Span(
        name="guarded run",
        begin_ns=zero,
        end_ns=_at(zero, last),
        attributes=_run_attributes(opened.get("statement"), run, len(records)),
        problem=_failure(records),
        events=tuple(_event(zero, one) for one in records if _is_told(one)),
        below=(*_acts(zero, records), *_pauses(zero, records), *_stop(zero, records)),
    )


_TOLD = ("alarm", "command", "event")
_NOTED = (RECONCILED, HIDDEN_EXECUTION)
_REFUSED = ("reject", "terminate")


def _is_told(record: Record) -> bool:
    return record.kind in _TOLD or record.body.get("what") in _NOTED


def _at(zero: int, record: Record) -> int:
    return zero + round(record.seconds * 1e9)


def _run_attributes(statement: object, run: str, records: int) -> Attributes:
    found: dict[str, str | int | float | bool] = {
        "offswitch.run": run,
        "offswitch.records": records,
    }
    if isinstance(statement, Mapping):
        policy = statement.get("policy")
        named = policy if isinstance(policy, Mapping) else {}
        for name, value in (
            ("program", statement.get("program")),
            ("tier", statement.get("tier")),
            ("policy", named.get("name")),
            ("policy_sha256", named.get("sha256")),
        ):
            if isinstance(value, str | int):
                found[f"offswitch.{name}"] = shown(value) if isinstance(value, str) else value
    return found


def _failure(records: Sequence[Record]) -> str:
    """A run fails when its guard did, or when its death was not proven; a stop is no failure."""
    for record in records:
        what = record.body.get("what")
        if what in ("kill failed", "guard failed"):
            return str(what)
        if what == "stopping" and record.body.get("reason") in ("failed", "watchdog lost"):
            return shown(f"{record.body['reason']}: {record.body.get('detail')}")
    return ""


def _event(zero: int, record: Record) -> SpanEvent:
    body = record.body
    name = body.get("detector") or body.get("kind") or body.get("what") or record.kind
    rest = {key: value for key, value in body.items() if key not in ("what", "kind", "detector")}
    return SpanEvent(
        f"{record.kind}: {shown(str(name), 80)}",
        _at(zero, record),
        {"offswitch.record": record.number, "offswitch.detail": json_shown(rest)},
    )


def _acts(zero: int, records: Sequence[Record]) -> list[Span]:
    """An act's span has no length: the ledger holds the verdict, not how long it was sought."""
    found = []
    for record in records:
        if record.kind == "act":
            word, act = str(record.body.get("word")), record.body.get("act")
            what = act.get("tool") or act.get("host") or "" if isinstance(act, Mapping) else ""
            attributes: Attributes = {
                "offswitch.record": record.number,
                "offswitch.verdict": shown(word, 20),
                "offswitch.rule": shown(record.authority),
                "offswitch.act": json_shown(act),
            }
            refused = shown(str(record.body.get("reason", ""))) if word in _REFUSED else ""
            at, name = _at(zero, record), f"act {shown(str(what), 80)}".strip()
            found.append(Span(name, at, at, attributes, problem=refused))
    return found


def _pauses(zero: int, records: Sequence[Record]) -> list[Span]:
    found: list[Span] = []
    begun: Record | None = None
    for record in records:
        what = record.body.get("what") if record.kind in ("note", "stop") else None
        if what == "paused":
            begun = begun or record
        elif begun is not None and what in ("resumed", "kill verified", "kill failed"):
            found.append(_between(zero, "paused", begun, record))
            begun = None
    return found if begun is None else [*found, _between(zero, "paused", begun, records[-1])]


def _stop(zero: int, records: Sequence[Record]) -> list[Span]:
    stops = [one for one in records if one.kind == "stop"]
    begun = next((one for one in stops if one.body.get("what") == "stopping"), None)
    if begun is None:
        return []
    proofs = [one for one in stops if str(one.body.get("what")).startswith("kill ")]
    end = proofs[-1] if proofs else records[-1]
    verified = bool(proofs) and end.body.get("what") == "kill verified"
    span = _between(zero, "stop", begun, end)
    attributes = {
        **span.attributes,
        "offswitch.reason": shown(str(begun.body.get("reason"))),
        "offswitch.verified": verified,
    }
    return [span._replace(attributes=attributes, problem="" if verified else "not proven dead")]


def _between(zero: int, name: str, begun: Record, ended: Record) -> Span:
    numbers = {"offswitch.record": begun.number, "offswitch.last_record": ended.number}
    return Span(name, _at(zero, begun), _at(zero, ended), numbers)
