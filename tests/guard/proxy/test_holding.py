"""Acts held, slowed and refused while the ladder asks, throttles, or the tokens are spent."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import aiohttp
import pytest
import shapes_of
from aiohttp import web
from proxied import RULES, Supervisor, run, world

from offswitch.guard.policy.act import Act
from offswitch.guard.policy.judging import Judge
from offswitch.guard.policy.policy import Pattern, Rule
from offswitch.guard.proxy.budget import Budget
from offswitch.guard.proxy.gate import ClosedError, Gate, Source
from offswitch.guard.proxy.matching import Matching
from offswitch.guard.proxy.pace import Pace
from offswitch.guard.proxy.process import served
from offswitch.guard.proxy.waiting import MOST_SHOWN, Waiting

CHAT = "/openai/v1/chat/completions"
CALL = {"model": "m", "messages": [{"role": "user", "content": "go"}]}
READ, SPEND = Act(kind="tool", tool="read_file"), Act(kind="tool", tool="spend")


def held(allow: bool | None, rules: Any = RULES) -> tuple[Gate, Supervisor]:
    supervisor = Supervisor()
    supervisor.allow = allow
    gate = Gate(Judge(rules), supervisor, operator_s=7.0)
    gate.held = "alarm of decoy"
    return gate, supervisor


def decided(gate: Gate, *acts: Act) -> list[Any]:
    async def work() -> list[Any]:
        return [await gate.decide(act, "proposed") for act in acts]

    return asyncio.run(work())


def test_a_held_act_passes_as_its_rule_says_once_an_operator_allows_it() -> None:
    gate, supervisor = held(True)
    read, spent, refused = decided(gate, READ, SPEND, Act(kind="tool", tool="other"))
    assert (read.word, spent.word, refused.word) == ("approve", "modify", "reject")
    assert spent.instead.arguments == {"amount": 1}
    words = [word for _, word in supervisor.acts()]
    assert words == ["escalate", "escalate", "reject"]  # what no rule allows is not asked about


@pytest.mark.parametrize(
    ("allow", "why"),
    [(False, "an operator refused it"), (None, "no operator answered within 7 s")],
)
def test_a_held_act_that_no_operator_allows_is_rejected_and_told_why(
    allow: bool | None, why: str
) -> None:
    gate, supervisor = held(allow)
    (verdict,) = decided(gate, READ)
    assert verdict.word == "reject"
    assert why in verdict.reason
    told = [one["type"] for one in supervisor.told]
    assert told == (["expired"] if allow is None else [])


def test_a_gate_that_closed_while_an_act_was_written_down_lets_it_through_no_more() -> None:
    class Slow(Supervisor):
        async def report(self, fields: dict[str, Any], timeout_s: float) -> dict[str, Any]:
            answer = await super().report(fields, timeout_s)
            gate.close("the run ends")
            return answer

    gate = Gate(Judge(RULES), Slow())
    with pytest.raises(ClosedError, match="the run ends"):
        decided(gate, READ)


def test_an_act_that_was_held_and_refused_counts_for_no_later_sequence() -> None:
    steps = (Pattern(tool=("read_*",)), Pattern(tool=("send",)))
    rules = (*RULES, Rule(name="after-reading", verdict="approve", sequence=steps))
    gate, supervisor = held(False, rules)
    decided(gate, READ)
    gate.held = ""
    (sent,) = decided(gate, Act(kind="tool", tool="send"))
    assert sent.word == "reject"
    supervisor.allow, gate.held = True, "alarm of decoy"
    decided(gate, READ)
    gate.held = ""
    (sent,) = decided(gate, Act(kind="tool", tool="send"))
    assert sent.word == "approve"


def test_what_a_model_proposed_and_a_tool_server_is_asked_for_is_one_act() -> None:
    steps = (Pattern(tool=("read_*",)), Pattern(tool=("read_*",)))
    gate = Gate(Judge((Rule(name="once", verdict="reject", sequence=steps), *RULES)), Supervisor())
    words: list[str] = []

    async def scenario() -> None:
        sources: tuple[Source, ...] = ("proposed", "executed", "executed")
        words.extend([(await gate.decide(READ, source)).word for source in sources])

    asyncio.run(scenario())
    assert words == ["approve", "approve", "reject"]


def test_a_throttle_spaces_acts_and_ends_at_once_when_it_is_released() -> None:
    async def scenario() -> None:
        pace = Pace(every_s=30.0)
        await pace.act()
        pace.switch(True)
        await pace.act()  # the first turn is now
        second = asyncio.ensure_future(pace.act())
        await asyncio.sleep(0.01)
        assert not second.done()
        pace.switch(False)
        begun = time.monotonic()
        await second
        assert time.monotonic() - begun < 25.0

    asyncio.run(scenario())


def test_spent_tokens_end_model_calls_and_the_agent_is_told_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        async with limited(monkeypatch, 100.0) as w:
            w.model.answers({**shapes_of.chat("one"), "usage": {"total_tokens": 60}})
            w.model.answers({**shapes_of.chat("two"), "usage": {"total_tokens": 60}})
            assert (await w.post(CHAT, CALL))[0] == 200
            assert (await w.post(CHAT, CALL))[0] == 200  # begun below the limit
            status, data = await w.post(CHAT, CALL)
            assert (status, len(w.model.asked)) == (403, 2)
            assert b"120 used, at most 100 (resources.tokens.hard)" in data
            assert w.supervisor.reports[-1]["what"] == "model call refused"

    run(scenario())


def test_a_provider_that_does_not_count_is_asked_no_more_where_tokens_are_limited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        async with limited(monkeypatch, 100.0) as w:
            w.model.answers({**shapes_of.chat("one"), "usage": None})
            assert (await w.post(CHAT, CALL))[0] == 200
            status, data = await w.post(CHAT, CALL)
            assert status == 403
            assert b"does not say how many tokens" in data

    run(scenario())


def test_a_stream_is_asked_for_its_usage_where_tokens_are_limited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario(hard: float | None) -> Any:
        async with limited(monkeypatch, hard) as w:
            w.model.answers(shapes_of.chat("one"))
            await w.post(CHAT, {**CALL, "stream": True})
            return w.model.asked[0].get("stream_options")

    assert asyncio.run(scenario(100.0)) == {"include_usage": True}
    assert asyncio.run(scenario(None)) is None


def limited(
    monkeypatch: pytest.MonkeyPatch, hard: float | None, made: list[Budget] | None = None
) -> Any:
    """A world with this limit on tokens; its budget is put into `made`."""

    def budget(given: object) -> Budget:
        found = Budget(hard)
        (made if made is not None else []).append(found)
        return found

    monkeypatch.setattr("offswitch.guard.proxy.process.Budget", budget)
    return world(monkeypatch)


def test_what_waits_is_shown_oldest_first_and_taken_once() -> None:
    waiting = Waiting(operator_s=300.0)
    for number in range(30):
        act = {"kind": "tool", "tool": "deploy", "arguments": {"to": "x" * 1000}}
        waiting.add(
            {"type": "act", "number": number, "source": "proposed", "act": act, "rule": "ask",
             "reason": "deploys are asked about"}, now=float(number),
        )  # fmt: skip
    shown = waiting.shown(now=30.0)
    assert [one["number"] for one in shown] == [*range(MOST_SHOWN)]
    assert shown[0]["left_s"] == 270.0
    assert '] proposed deploy {"to": "xxx' in shown[0]["asked"]
    assert len(shown[0]["asked"]) <= 350
    assert waiting.taken(3) is not None
    assert waiting.taken(3) is None


def test_an_execution_that_no_model_proposed_shows_at_once_and_a_proposal_is_used_up() -> None:
    matching = Matching()

    def seen(source: str, tool: str, word: str = "approve", **arguments: Any) -> str:
        act = {"kind": "tool", "tool": tool, "arguments": arguments}
        return matching.hidden({"source": source, "act": act, "word": word, "instead": None})

    assert seen("proposed", "mcp__files__write", path="a") == ""
    assert seen("executed", "write", path="a") == ""
    assert seen("executed", "write", path="a") == "write was executed and no model proposed it"
    seen("proposed", "drop", word="reject")
    assert "drop" in seen("executed", "drop")
    assert seen("executed", "prompts/get") == ""  # clients ask for these by themselves
    assert matching.count == 2


def test_an_agent_that_hangs_up_early_pays_for_the_whole_stream_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    budgets: list[Budget] = []

    async def scenario() -> None:
        async with limited(monkeypatch, 100.0, budgets) as w:
            events = shapes_of.chat_events("one|two|three")
            usage = {"choices": [], "usage": {"total_tokens": 70}}
            w.model.streams(*events[:-1], shapes_of.event(usage), events[-1], pause_s=0.02)
            body = {**CALL, "stream": True}
            runner = web.ServerRunner(served(w.proxy))
            await runner.setup()
            sock = socket.create_server(("127.0.0.1", 0))
            await web.SockSite(runner, sock).start()
            url = f"http://127.0.0.1:{sock.getsockname()[1]}{CHAT}"
            async with aiohttp.ClientSession() as session, session.post(url, json=body) as answer:
                await answer.content.read(10)
                answer.close()
            while not budgets[0].spent:
                assert not budgets[0].uncounted
                await asyncio.sleep(0.005)
            assert budgets[0].spent == 70
            await runner.cleanup()

    run(scenario())
