"""What the page is told of a run, and what becomes of an order given on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made import HOSTILE, STATEMENT
from msgspec.structs import replace

from offswitch.errors import GuardError
from offswitch.guard.drills.canary_kill import KillProof
from offswitch.guard.sensors.counters import Counters
from offswitch.guard.supervisor.operator import Stopped
from offswitch.guard.supervisor.runs import Run, RunEntry
from offswitch.guard.watch import orders
from offswitch.guard.watch.ledger_view import Evidence, LedgerView, Line
from offswitch.guard.watch.orders import Order, give, read_order
from offswitch.guard.watch.page_data import page_data
from offswitch.guard.watch.run_view import Guards, RunView
from offswitch.guard.watch.watcher import Look

SEEN = "<img src=x onerror=alert(1)> \\u202etxt.exe\\x1b[2J"
LEDGER = LedgerView(
    records=7, digest="ab", seconds=3.0, age_s=1.0, problem="", closed=False,
    opened={"statement": STATEMENT},
    evidence=(Evidence(2, 0.1, "alarm", "decoy", "FREEZE", "a"),
              Evidence(4, 0.2, "alarm", "decoy", "FREEZE", "b")),
    evidence_count=9, lines=(Line(5, 0.1, "note", "guard", "x"),), alarms={}, events={},
    acts={"reject": 2},
)  # fmt: skip
GUARDS = Guards(
    answers=True, problem="", watchdog="beating", watchdog_silence_s=0.1, supervisor="beating",
    supervisor_silence_s=0.2, lease_s=None,
)  # fmt: skip
ASKED = {"number": 3, "asked": HOSTILE, "why": HOSTILE, "rule": "ask", "left_s": None}
ALIVE = RunView(
    id="alive", condition="running", phase="running", level="observe", by="", seconds=5.0,
    guards=GUARDS, uses=Counters(None, 2.0, None), waiting=(ASKED,), ledger=LEDGER, anchored=None,
    result={},
)  # fmt: skip
KILLED = {"reason": "operator", "kill": {"verified": False, "seconds": 0.5}}
OVER = replace(
    ALIVE, id="over", condition="ended", phase="ended", guards=None, waiting=(), result=KILLED
)


def told(run: RunView, **look: Any) -> dict[str, Any]:
    found = Look(**{"runs": (run,), "conditions": {"running": 1}, "canary": None,
                    "canary_age_s": None, "problem": "", **look})  # fmt: skip
    return page_data(found, run.id)


def test_the_living_come_first_then_the_newest_and_what_is_left_out_is_counted() -> None:
    runs = tuple(replace(OVER if name < "c" else ALIVE, id=name) for name in "abcd")
    look = Look(runs=runs, conditions={"running": 2, "ended": 30}, canary=None, canary_age_s=None,
                problem="\x1b[2J")  # fmt: skip
    data = page_data(look, None)
    assert [one["id"] for one in data["runs"]] == ["d", "c", "b", "a"]
    assert [one["living"] for one in data["runs"]] == [True, True, False, False]
    assert (data["left_out"], data["problem"], data["run"]) == (28, "\\x1b[2J", None)


@pytest.mark.parametrize(
    ("phase", "level", "can"),
    [("running", "observe", ["pause", "stop", "stop now"]),
     ("running", "ask", ["pause", "resume", "stop", "stop now"]),
     ("running", "throttle", ["pause", "resume", "stop", "stop now"]),
     ("paused", "freeze", ["resume", "stop", "stop now"]),
     ("stopping", "kill", ["stop now"]), ("starting", "", ["stop", "stop now"])],
)  # fmt: skip
def test_an_operator_may_always_stop_what_lives_and_only_what_lives(
    phase: str, level: str, can: list[str]
) -> None:
    for answers in (True, False):
        guards = replace(GUARDS, answers=answers, problem="" if answers else "no answer")
        run = told(replace(ALIVE, phase=phase, level=level, guards=guards))["run"]
        assert (run["can"], run["silent"]) == (can, not answers)
        assert (run["guards"]["answers"], run["guards"]["problem"]) == (answers, guards.problem)
    assert told(replace(OVER, phase=phase, level=level))["run"]["can"] == []


def test_what_an_operator_decides_by_is_whole_and_can_be_seen() -> None:
    run = told(ALIVE)["run"]
    assert run["waiting"] == [
        {"number": 3, "asked": SEEN, "why": SEEN, "rule": "ask", "left_s": None}
    ]
    assert (run["asks"], run["evidence"]) == (1, 9)
    assert [one["number"] for one in run["evidence_list"]] == [4, 2]
    assert told(replace(ALIVE, id=HOSTILE))["runs"][0]["name"] == SEEN
    later = told(replace(ALIVE, waiting=({**ASKED, "left_s": 7},)))["run"]["waiting"][0]
    assert later["left_s"] == 7.0


def test_a_death_is_proven_by_what_the_run_left_and_by_nothing_else() -> None:
    for result, verified in (
        (KILLED, False),
        ({"verified": True, "kill": {"verified": False}}, True),
        ({"verified": False, "kill": {"verified": True}}, False),
        ({"reason": "x", "kill": "broken"}, None),
        ({"reason": "x"}, None),
    ):
        run = told(replace(OVER, result=result))["run"]
        assert run["result"]["verified"] is verified
        assert run["verified"] is result.get("verified")
    assert told(ALIVE)["run"]["result"] is None
    assert told(ALIVE)["run"]["verified"] is None


def test_a_ledger_that_does_not_hold_or_has_not_begun_is_told_as_that() -> None:
    broken = told(replace(ALIVE, ledger=replace(LEDGER, problem="record 4\x1b")))["run"]["ledger"]
    assert broken["problem"] == "record 4\\x1b"
    assert (broken["records"], broken["digest"], broken["closed"]) == (7, "ab", False)
    run = told(replace(ALIVE, ledger=replace(LEDGER, opened={}, records=0)))["run"]
    assert (run["ledger"]["records"], run["ledger"]["digest"], run["holds"]) == (None, "", None)


def test_what_holds_an_agent_is_counted_from_what_its_probes_found() -> None:
    holds = told(ALIVE)["run"]["holds"]
    assert (holds["probes"], holds["blocked"]) == (2, 1)
    assert holds["open"] == ["clear-death-signal"]
    for statement in ({"outcomes": ["x", None], "covered": "all", "policy": 5}, {}):
        odd = told(replace(ALIVE, ledger=replace(LEDGER, opened={"statement": statement})))
        assert odd["run"]["holds"]["covered"] == []
        assert odd["run"]["holds"]["probes"] == 0


def test_a_canary_that_outlived_its_kill_is_told() -> None:
    assert told(ALIVE)["canary"] is None
    proof = KillProof(verified=False, victims=3, seconds=None, ways=(), problem="alive")
    canary = told(ALIVE, canary=proof)["canary"]
    assert (canary["verified"], canary["problem"]) == (False, "alive")


RUN = Run("alive", Path("/nowhere"))
ENTRIES = (RunEntry(RUN, "running", {}),)


@pytest.mark.parametrize(
    "fields",
    [{"run": "alive"}, {"run": "alive", "word": "stop", "now": True}, ["run", "word"], None,
     {"run": "aliv", "word": "stop"}, {"run": "", "word": "stop"}, {"run": "alive", "word": "kill"},
     {"run": "alive", "word": "renew"}, {"run": "alive", "word": "approve"},
     {"run": "alive", "word": "approve", "number": True},
     {"run": "alive", "word": "approve", "number": -2},
     {"run": "alive", "word": "stop", "number": 1}, {"run": "alive", "word": "stop", "number": -1}],
)  # fmt: skip
def test_what_is_no_order_is_refused(fields: Any) -> None:
    with pytest.raises(GuardError):
        read_order(fields, ENTRIES)


@pytest.mark.parametrize(
    ("order", "request_"),
    [(Order(RUN, "pause"), {"request": "pause"}), (Order(RUN, "resume"), {"request": "resume"}),
     (Order(RUN, "approve", 7), {"request": "answer", "number": 7, "allow": True}),
     (Order(RUN, "reject", 8), {"request": "answer", "number": 8, "allow": False})],
)  # fmt: skip
def test_an_order_asks_for_itself_and_its_answer_is_told(
    order: Order, request_: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    answers = [{"ok": True, "phase": "paused\x1b"}, {"ok": False, "problem": "no\x1b"}, {}]

    def ask(run: Run, request: dict[str, Any]) -> dict[str, Any]:
        asked.append((run, request))
        return answers.pop(0)

    monkeypatch.setattr(orders, "move", ask)
    found = [give(order) for _ in range(3)]
    assert asked == [(RUN, request_)] * 3
    assert [one.done for one in found] == [True, False, False]
    assert found[0].text.endswith("It is paused\\x1b now.")
    assert found[1].text == "Refused: no\\x1b."


@pytest.mark.parametrize("word", ["stop", "stop now"])
@pytest.mark.parametrize("verified", [True, False])
@pytest.mark.parametrize("by", ["ended before", "watchdog"])
def test_a_stop_is_done_when_it_is_proven(
    word: str, verified: bool, by: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []

    def stop_run(run: Run, *, now: bool, patience_s: float) -> Stopped:
        given.append((run, now))
        return Stopped(by, verified, 0.5, ("the supervisor hung",))

    monkeypatch.setattr(orders, "stop_run", stop_run)
    answer = give(Order(RUN, word))
    assert given == [(RUN, word == "stop now")]
    assert answer.done is verified
    assert ("NOT PROVEN" in answer.text) is not verified
    if by == "watchdog":
        assert answer.text.endswith("the supervisor hung")


def test_an_order_that_nobody_answers_is_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(run: Run, request: dict[str, Any]) -> dict[str, Any]:
        raise GuardError("no answer")

    monkeypatch.setattr(orders, "move", ask)
    assert give(Order(RUN, "pause")) == (False, "no answer")
