"""The one place where acts are allowed: what passes, what is counted, and what closes it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

import pytest
from proxied import Supervisor, run

from offswitch.errors import GuardError
from offswitch.guard.policy.act import Act
from offswitch.guard.policy.verdict import Verdict
from offswitch.guard.proxy import gate as gates
from offswitch.guard.proxy import packets
from offswitch.guard.proxy.channel import Channel
from offswitch.guard.proxy.gate import ClosedError, Gate, Source, told
from offswitch.guard.proxy.pinned import Change
from offswitch.guard.stop import wire

ACT, OTHER = Act(kind="tool", tool="a"), Act(kind="tool", tool="b")


class Says:
    """A judge that says one word of every act, and keeps what it was asked and told."""

    def __init__(self, word: Any) -> None:
        self.asked: list[tuple[Act, bool]] = []
        self.counted: list[tuple[Act, Act | None, bool]] = []
        self._word = word

    def verdict(self, act: Act, *, executed: bool) -> Verdict:
        self.asked.append((act, executed))
        if self._word == "broken":
            raise ZeroDivisionError("in a rule")
        instead = OTHER if self._word == "modify" else None
        return Verdict(word=self._word, rule="r", reason="so", instead=instead)

    def let_through(self, act: Act, instead: Act | None, *, executed: bool) -> None:
        self.counted.append((act, instead, executed))


def made(word: Any, allow: bool | None = None) -> tuple[Gate, Says, Supervisor]:
    judge, supervisor = Says(word), Supervisor()
    supervisor.allow = allow
    return Gate(judge, supervisor), judge, supervisor


def decided(gate: Gate, source: Source = "executed", problem: str = "") -> Verdict:
    found: list[Verdict] = []

    async def scenario() -> None:
        found.append(await gate.decide(ACT, source, problem=problem))

    run(scenario())
    return found[0]


@pytest.mark.parametrize("source", ["executed", "proposed"])
@pytest.mark.parametrize("held", ["", "alarm of decoy"])
@pytest.mark.parametrize(
    ("word", "allow", "shown", "end"),
    [("approve", True, "escalate", "approve"), ("modify", True, "escalate", "modify"),
     ("approve", False, "escalate", "reject"), ("modify", None, "escalate", "reject"),
     ("reject", True, "reject", "reject"), ("terminate", True, "terminate", "terminate")],
)  # fmt: skip
def test_what_passes_is_counted_as_what_it_was_and_nothing_else_is(
    word: str, allow: bool | None, shown: str, end: str, held: str, source: Source
) -> None:
    gate, judge, supervisor = made(word, allow)
    gate.held = held
    verdict = decided(gate, source)
    assert verdict.word == (end if held else word)
    executed = source == "executed"
    assert judge.asked == [(ACT, executed)]
    instead = OTHER if word == "modify" else None
    passed = verdict.word in ("approve", "modify")
    assert judge.counted == ([(ACT, instead, executed)] if passed else [])
    (report,) = supervisor.reports
    assert (report["word"], report["source"]) == (shown if held else word, source)
    assert (gate.closed != "") is (word == "terminate")
    assert not [one for one in supervisor.told if one["type"] == "failed"]


@pytest.mark.parametrize(
    ("allow", "word"), [(True, "approve"), (False, "reject"), (None, "reject")]
)
def test_an_escalated_act_passes_and_counts_when_an_operator_allows_it(
    allow: bool | None, word: str
) -> None:
    gate, judge, supervisor = made("escalate", allow)
    assert decided(gate).word == word
    assert bool(judge.counted) is (word == "approve")
    assert [one["type"] for one in supervisor.told] == (["expired"] if allow is None else [])


def test_an_act_that_could_not_be_read_is_rejected_whatever_the_policy_says() -> None:
    gate, judge, supervisor = made("approve")
    verdict = decided(gate, problem="two readings" * 100)
    assert (verdict.word, len(verdict.reason)) == ("reject", 200)
    assert judge.counted == []
    assert supervisor.acts() == [("a", "reject")]


def test_an_act_that_cannot_be_judged_closes_the_gate_and_the_supervisor_is_told() -> None:
    gate, _, supervisor = made("broken")
    with pytest.raises(ClosedError, match="ZeroDivisionError"):
        decided(gate)
    assert "ZeroDivisionError: in a rule" in gate.closed
    assert [one["type"] for one in supervisor.told] == ["failed"]
    assert supervisor.reports == []


def change(level: Any) -> Change:
    return Change("tool-list", level, "other tools", None)


def test_an_act_a_note_or_a_change_that_is_not_written_down_closes_the_gate() -> None:
    for ask in (
        lambda gate: gate.decide(ACT, "executed"),
        lambda gate: gate.record("x", {}),
        lambda gate: gate.changed(change("observe")),
    ):
        gate, _, supervisor = made("approve")
        supervisor.deaf = True
        with pytest.raises(ClosedError):
            asyncio.run(ask(gate))
        assert "did not answer" in gate.closed


def test_a_closed_gate_says_nothing_more_keeps_its_first_reason_and_cuts_once() -> None:
    gate, judge, supervisor = made("approve")
    cuts: list[int] = []
    gate.when_closed(lambda: cuts.append(1))
    gate.when_closed(lambda: cuts.append(2))
    assert "first" in str(gate.close("first", failed=False))
    assert "first" in str(gate.close("second"))
    assert (gate.closed, cuts, supervisor.told) == ("first", [1, 2], [])
    with pytest.raises(ClosedError, match="first"):
        decided(gate)
    with pytest.raises(ClosedError, match="first"):
        asyncio.run(gate.record("x", {}))
    with pytest.raises(ClosedError, match="first"):
        gate.tell({"type": "note"})
    assert (judge.asked, supervisor.reports, supervisor.told) == ([], [], [])


def test_what_cannot_be_said_closes_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, _, supervisor = made("approve")

    def tell(fields: Any) -> None:
        raise GuardError("the channel is full")

    monkeypatch.setattr(supervisor, "tell", tell)
    with pytest.raises(ClosedError, match="channel is full"):
        gate.tell({"type": "note"})
    assert gate.closed == "the channel is full"


def test_what_stands_before_an_act_is_said_at_once_where_the_act_has_to_wait() -> None:
    async def scenario() -> None:
        gate, _, supervisor = made("approve")
        note = {"type": "note", "what": "model answered"}
        await gate.decide(ACT, "proposed", before=note)
        assert (supervisor.reports[-1]["before"], supervisor.told) == (note, [])
        gate.pace.switch(True)
        await gate.decide(ACT, "proposed")
        waiting = asyncio.ensure_future(gate.decide(ACT, "proposed", before=note))
        await asyncio.sleep(0)
        assert (waiting.done(), supervisor.told) == (False, [note])
        gate.pace.switch(False)
        await waiting
        assert (supervisor.reports[-1]["before"], supervisor.told) == (None, [note])

    asyncio.run(scenario())


def test_an_act_whose_turn_comes_after_the_gate_closed_is_not_judged() -> None:
    async def scenario() -> None:
        gate, judge, _ = made("approve")
        gate.pace.switch(True)
        await gate.decide(ACT, "executed")
        waiting = asyncio.ensure_future(gate.decide(ACT, "executed"))
        await asyncio.sleep(0)
        assert not waiting.done()
        gate.close("the run ends")
        gate.pace.switch(False)
        with pytest.raises(ClosedError):
            await waiting
        assert len(judge.asked) == 1

    run(scenario())


@pytest.mark.parametrize("ends", [False, True])
def test_a_stop_that_waits_behind_the_answers_counts_for_what_they_answer(ends: bool) -> None:
    async def scenario() -> None:
        theirs, ours = wire.pair()
        with theirs, ours:
            channel = Channel(theirs)
            gate = Gate(Says("approve"), channel)

            def stop(_: dict[str, Any]) -> None:
                gate.close("stopped")

            channel.open(stop, channel.close)
            acts = [asyncio.create_task(gate.decide(ACT, "executed")) for _ in range(3)]
            await asyncio.sleep(0)
            for _ in acts:
                fields = packets.receive(ours)
                assert fields is not None
                packets.send(ours, {"type": "written", "number": fields["number"]})
            packets.send(ours, {"type": "order", "word": "quiesce"})
            if ends:
                ours.close()
            found = await asyncio.gather(*acts, return_exceptions=True)
            assert [type(one) for one in found] == [ClosedError] * 3
            channel.close()

    run(scenario())


def test_a_gate_that_closed_while_an_operator_was_asked_lets_nothing_through() -> None:
    gate, judge, supervisor = made("escalate", True)

    async def operator(number: int, timeout_s: float) -> bool:
        gate.close("the run ends")
        return True

    supervisor.operator = operator  # type: ignore[method-assign] # it takes its time
    with pytest.raises(ClosedError):
        decided(gate)
    assert judge.counted == []


@pytest.mark.parametrize(
    ("level", "allow", "passes"),
    [("observe", None, True), ("throttle", None, False), ("freeze", True, False),
     ("kill", True, False), ("ask", True, True), ("ask", False, False), ("ask", None, False)],
)  # fmt: skip
def test_what_shows_a_change_goes_on_as_its_level_and_its_operator_say(
    level: Any, allow: bool | None, passes: bool
) -> None:
    gate, _, supervisor = made("approve", allow)
    why = asyncio.run(gate.changed(change(level)))
    assert (why == "") is passes
    assert passes or why.endswith(": other tools")
    assert [(one["type"], one["level"]) for one in supervisor.reports] == [("alarm", level)]


def test_those_that_wait_for_an_operator_are_counted_when_they_fail_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gates, "MOST_ASKED", 1)
    gate, _, supervisor = made("escalate", True)

    async def operator(number: int, timeout_s: float) -> bool:
        raise GuardError("the channel broke")

    allowed = supervisor.operator
    supervisor.operator = operator  # type: ignore[method-assign] # it breaks once
    with pytest.raises(GuardError):
        decided(gate)
    supervisor.operator = allowed  # type: ignore[method-assign] # and answers then
    assert decided(gate).word == "approve"


def test_a_long_act_is_written_down_by_its_hash_and_its_names_are_cut() -> None:
    given = {"b": "x" * 41_000, "a": 1}
    fields = told(Act(kind="http", host="h" * 900, path="p" * 900, arguments=given))
    text = json.dumps({"a": 1, "b": "x" * 41_000})
    assert fields["arguments"] == {
        "sha256": hashlib.sha256(text.encode()).hexdigest(), "bytes": len(text),
        "starts": text[:200],
    }  # fmt: skip
    assert (len(fields["host"]), len(fields["path"])) == (803, 803)
    short = told(Act(kind="tool", tool="t" * 800, arguments={"a": "x" * 40_000}))
    assert (short["arguments"], short["tool"]) == ({"a": "x" * 40_000}, "t" * 800)


@pytest.mark.parametrize("letter", ["x", "\0", "é", "\u2028", "\U0001f600"])
@pytest.mark.parametrize("around", [-1, 0, 1])
def test_how_long_an_act_is_counts_in_ascii_whatever_it_is_written_in(
    letter: str, around: int
) -> None:
    each = len(json.dumps(letter)) - 2
    left = gates.MOST_BYTES - len(json.dumps({"a": ""})) + around
    arguments = {"a": letter * (left // each) + "x" * (left % each)}
    assert len(json.dumps(arguments)) == gates.MOST_BYTES + around
    fields = told(Act(kind="tool", tool="t", arguments=arguments))
    assert (fields["arguments"] == arguments) == (around <= 0)
