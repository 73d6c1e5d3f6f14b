"""The drills that stand in a ledger: checked against their schedule, and as pairs of traces.

A schedule binds only if its commitment comes before the first window and its seed after the last,
and if what took place is what was planned. A window is everything that the ledger holds between
its two notes, whoever wrote it; no field of the trace says whether there was a notice but the
events themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple  # Any: values of a JSON object

import msgspec

from offswitch.errors import GuardError, LedgerError, problems_text
from offswitch.guard.drills.drill import BEGUN, COMMITTED, DROPPED, ENDED, REVEALED
from offswitch.guard.drills.schedule import (
    DrillSettings,
    Planned,
    Schedule,
    commitment,
    plan_schedule,
)
from offswitch.guard.ledger.record import Record
from offswitch.trace.event import Event
from offswitch.trace.trace import Trace, TraceHeader

__all__ = ["DrillAudit", "DrillPair", "check_drills", "drill_pairs"]

TOLERANCE_S = 5.0


class DrillAudit(NamedTuple):
    """What the ledger says of a schedule."""

    schedule: Schedule
    noticed: int
    """Windows with a notice that took place."""
    control: int
    """Windows without one."""
    real: int
    """Real stops."""
    not_reached: int
    """Planned windows after the end of the run."""


class DrillPair(NamedTuple):
    """One block: the window with the notice and the matched one, as traces."""

    number: int
    notice: Trace | None
    """None where the window did not take place, did not end, or tells nothing."""
    control: Trace | None
    saved: bool | None = None
    """Whether the agent wrote its checkpoint after the notice; None where nobody knows."""


class _Span(NamedTuple):
    number: int
    noticed: bool
    begun_s: float
    ended: bool
    real: bool
    unknown: bool
    """Nobody could see whether the agent went on."""
    last: bool
    """It was real, or the agent was frozen in it: none may follow."""
    saved: bool | None
    events: tuple[Event, ...]


def check_drills(records: Sequence[Record], tolerance_s: float = TOLERANCE_S) -> DrillAudit:
    """What took place, which is what was planned.

    The ledger itself must have been verified before.

    Raises:
        LedgerError: every way in which the windows are not those of the committed schedule.
    """
    schedule, begun_s, problems = _bound(records)
    if schedule is None:
        raise LedgerError(problems_text("drills", problems))
    spans = _spans(records)
    for span in spans:
        problems += _span_problems(span, schedule, begun_s, tolerance_s)
    ends = [span.begun_s for span in spans if span.last]
    problems += _missed(spans, schedule, min([*ends, _over_s(records)]) - begun_s)
    if problems:
        raise LedgerError(problems_text("drills", problems))
    noticed = sum(span.noticed for span in spans)
    control = len(spans) - noticed
    planned = 2 * len(schedule.planned)
    return DrillAudit(
        schedule, noticed, control, sum(span.real for span in spans), planned - len(spans)
    )


def drill_pairs(records: Sequence[Record], agent: str = "program") -> tuple[DrillPair, ...]:
    """Every block of which a window took place, in order."""
    traces: dict[tuple[int, bool], Trace] = {}
    saved: dict[int, bool | None] = {}
    for span in _spans(records):
        header = TraceHeader(world=agent, goal="", agent=agent, episode=span.number, seed=0)
        if span.ended and not span.unknown:
            traces[span.number, span.noticed] = Trace(header=header, events=span.events)
            if span.noticed:
                saved[span.number] = span.saved
    return tuple(
        DrillPair(n, traces.get((n, True)), traces.get((n, False)), saved.get(n))
        for n in sorted({number for number, _ in traces})
    )


def _notes(records: Sequence[Record], what: str) -> list[Record]:
    return [one for one in records if one.kind == "note" and one.body.get("what") == what]


def _bound(records: Sequence[Record]) -> tuple[Schedule | None, float, list[str]]:
    """The schedule that was revealed, when it was committed, and what does not fit."""
    committed, revealed = _notes(records, COMMITTED), _notes(records, REVEALED)
    windows = _notes(records, BEGUN)
    problems = []
    if len(committed) != 1 or len(revealed) != 1:
        return None, 0.0, [
            f"got {len(committed)} commitments and {len(revealed)} revealed schedules, expected "
            "one of each"
        ]  # fmt: skip
    if windows and committed[0].number > windows[0].number:
        problems.append(f"line {windows[0].number + 1}: a window came before the commitment")
    if windows and revealed[0].number < windows[-1].number:
        problems.append(f"line {windows[-1].number + 1}: a window came after the seed was shown")
    try:
        schedule = _revealed(revealed[0].body)
    except (GuardError, ValueError, KeyError) as problem:
        return None, 0.0, [*problems, f"line {revealed[0].number + 1}: no schedule: {problem}"]
    if commitment(schedule) != committed[0].body.get("commitment"):
        problems.append(
            f"line {revealed[0].number + 1}: this seed is not the one that was committed to"
        )
    return schedule, committed[0].seconds, problems


def _revealed(body: Mapping[str, Any]) -> Schedule:
    settings = msgspec.convert(body["settings"], type=DrillSettings)
    return plan_schedule(str(body["seed"]), settings)


def _spans(records: Sequence[Record]) -> tuple[_Span, ...]:
    found: list[_Span] = []
    open_at: Record | None = None
    events: list[Event] = []
    for record in records:
        what = record.body.get("what") if record.kind == "note" else None
        if record.kind == "event" and open_at is not None:
            events.append(msgspec.convert(record.body, type=Event))
        elif what == BEGUN:
            if open_at is not None:
                found.append(_span(open_at, None, events))
            open_at, events = record, []
        elif what == ENDED and open_at is not None:
            found.append(_span(open_at, record, events))
            open_at = None
    if open_at is not None:
        found.append(_span(open_at, None, events))
    return tuple(found)


def _over_s(records: Sequence[Record]) -> float:
    """When no window could begin any more: the stop was ordered, or the ledger ends."""
    last = [one.seconds for one in records if one.body.get("what") in ("stopping", DROPPED)]
    return min([*last, records[-1].seconds])


def _span(begun: Record, ended: Record | None, events: list[Event]) -> _Span:
    real = ended is not None and bool(ended.body["real"])
    return _Span(
        number=int(begun.body["number"]),
        noticed=bool(begun.body["noticed"]),
        begun_s=begun.seconds,
        ended=ended is not None,
        real=real,
        unknown=ended is not None and bool(ended.body.get("unknown")),
        last=real or (ended is not None and bool(ended.body.get("frozen"))),
        saved=None if ended is None else ended.body.get("saved"),
        events=tuple(events),
    )


def _span_problems(
    span: _Span, schedule: Schedule, begun_s: float, tolerance_s: float
) -> list[str]:
    name = f"window {span.number} {'with' if span.noticed else 'without'} notice"
    if not 0 <= span.number < len(schedule.planned):
        return [f"{name}: not planned"]
    planned = schedule.planned[span.number]
    due, came = _due(planned, noticed=span.noticed), span.begun_s - begun_s
    problems = []
    if abs(came - due) > tolerance_s:
        problems.append(f"{name}: began at {came:.1f} s, planned for {due:.1f} s")
    if span.ended and span.noticed and span.real != planned.real:
        planned_word, was = ("real", "a drill") if planned.real else ("a drill", "real")
        problems.append(f"{name}: planned as {planned_word}, was {was}")
    return problems


def _missed(spans: Sequence[_Span], schedule: Schedule, length_s: float) -> list[str]:
    """Windows due before the first real stop that did not take place, and any that did twice."""
    seen = [(span.number, span.noticed) for span in spans]
    problems = [
        f"window {n} {'with' if noticed else 'without'} notice: took place twice"
        for n, noticed in sorted(set(seen))
        if seen.count((n, noticed)) > 1
    ]
    for planned in schedule.planned:
        for noticed in (True, False):
            due = _due(planned, noticed=noticed)
            reached = due + schedule.settings.window_s + TOLERANCE_S <= length_s
            if reached and (planned.number, noticed) not in seen:
                problems.append(
                    f"window {planned.number} {'with' if noticed else 'without'} notice: planned "
                    f"for {due:.1f} s, did not take place"
                )
    return problems


def _due(planned: Planned, *, noticed: bool) -> float:
    return planned.notice_s if noticed else planned.control_s
