"""Server-sent events: cut alike however they arrive, bounded, and broken off where unclear."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

import aiohttp
import pytest
import shapes_of
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from proxied import KEY, run, world
from test_holding import CALL, CHAT, limited

from offswitch.guard.proxy import streaming
from offswitch.guard.proxy.sse import Event, Events

STREAM = {**CALL, "stream": True}
RAW = (
    b"event: long\ndata: " + b"x" * 50 + b"\n\n",
    b"data: a\r\n\r\n",
    b": a comment\n\n",
    b"data:  two \ndata:spaces\n\n",
    b"id: 1\r\ndata: a\r\ndata:b\r\n\r\n",
    b"data: c\n\r\n",
    b"data: d\r\n\n",
    b"id: 5\ndata: \n\n",
)
GOES_ON = (
    RAW[0],
    b"data: a\n\n",
    RAW[2],
    b"data:  two  spaces\n\n",
    b"id: 1\ndata: a b\n\n",
    b"data: c\n\n",
    b"data: d\n\n",
    b"id: 5\ndata: \n\n",
)
DATA = (b"x" * 50, b"a", b"", b" two  spaces", b"a b", b"c", b"d", b"")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, sum(map(len, RAW))), max_size=12))
def test_events_are_the_same_however_a_stream_is_cut(cuts: list[int]) -> None:
    whole, events, found = b"".join(RAW), Events(), list[Event]()
    places = [0, *sorted(cuts), len(whole)]
    for begin, end in itertools.pairwise(places):
        found += events.feed(whole[begin:end])
    assert found == [Event(*one) for one in zip(GOES_ON, DATA, strict=True)]
    assert events.rest == b""


def test_events_are_the_same_byte_by_byte() -> None:
    events = Events()
    found = [one for byte in b"".join(RAW) for one in events.feed(bytes([byte]))]
    assert [one.data for one in found] == [*DATA]


@pytest.mark.parametrize(
    "raw", [b"data: a\rdata: b\n\n", b"data: a\r\r\n\n", "\ufeffdata: a\n\n".encode()]
)
def test_an_event_that_some_readers_see_otherwise_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"lone CR|byte order mark"):
        [*Events().feed(raw)]


@pytest.mark.parametrize(
    "line",
    [f"{end}data: evil" for end in "\v\f\x1c\x1d\x1e\x85\u2028\u2029"]
    + [
        ": x\u2028data: evil",
        "event: x\x0bdata: evil",
        " data: evil",
        "\tdata: evil",
        "data : evil",
    ]
    + ["\ufeffdata: evil", "\0data: evil", "DATA: evil", "ignored: x", "ignored"]
    + [": {}", "id: data: {}", "event:{}", "retry: {}"],
)
def test_a_line_that_only_some_readers_take_for_data_does_not_go_on(line: str) -> None:
    around = [f"data: a\n{line}\nid: 7\n\n".encode(), f": c\n{line}\n\n".encode()]
    found = [one for raw in around for one in Events().feed(raw)]
    assert found == [Event(b"id: 7\ndata: a\n\n", b"a"), Event(b": c\n\n", b"")]


def test_a_name_without_data_does_not_go_on() -> None:
    """Some readers would keep it for the next event's data."""
    assert [*Events().feed(b"event: a\nid: 1\n\n")] == [Event(b"id: 1\n\n", b"")]


def test_data_in_several_lines_goes_on_in_one() -> None:
    """Some readers take each line for itself, and would find a call in the middle one."""
    raw = b'data: {"x":\ndata: {"choices": []}\ndata: }\n\n'
    joined = b'{"x": {"choices": []} }'
    assert [*Events().feed(raw)] == [Event(b"data: " + joined + b"\n\n", joined)]


def test_an_event_has_at_most_so_many_bytes() -> None:
    events = Events()
    assert [*events.feed(b"x" * (8 * 2**20))] == []
    with pytest.raises(ValueError, match="more than 8388608 bytes"):
        [*events.feed(b"x")]


def streamed(monkeypatch: pytest.MonkeyPatch, *events: bytes, hard: float | None = None) -> Any:
    """What arrives of a stream, whether it arrives whole, and the budget."""
    budgets: list[Any] = []

    async def scenario() -> None:
        async with limited(monkeypatch, hard, budgets) as w:
            w.model.streams(*events, pause_s=0.002)
            got, whole = b"", True
            try:
                async with w.client.post(CHAT, json=STREAM) as answer:
                    async for chunk in answer.content.iter_any():
                        got += chunk
            except aiohttp.ClientError:
                whole = False
            while not (budgets[0].spent or budgets[0].uncounted):
                await asyncio.sleep(0.002)
            found.extend((got, whole, budgets[0]))

    found: list[Any] = []
    run(scenario())
    return found


def test_what_is_held_back_of_a_stream_is_bounded_and_what_passes_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streaming, "MOST_HELD", 4000)
    usage = shapes_of.event({"choices": [], "usage": {"total_tokens": 7}})
    text = shapes_of.chat_events("|".join("word" for _ in range(60)))
    got, whole, budget = streamed(monkeypatch, *text[:-1], usage, text[-1])
    assert (got, whole) == (b"".join([*text[:-1], usage, text[-1]]), True)
    assert (budget.spent, budget.uncounted) == (7, 0)
    call = shapes_of.chat_events("", ("read_file", {"path": "a" * 5000}))
    got, whole, budget = streamed(monkeypatch, *call)
    assert (b"read_file" in got, whole) == (False, False)
    assert (budget.spent, budget.uncounted) == (0, 1)


def test_a_stream_that_ends_inside_an_event_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    events = shapes_of.chat_events("one|two")
    got, whole, budget = streamed(monkeypatch, *events, b"data: {")
    assert not whole
    assert b"data: {\n" not in got
    assert budget.uncounted == 1


def test_of_many_events_that_come_together_the_first_do_not_wait_for_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written: list[bytes] = []
    to_agent = streaming._Agent.write

    async def write(agent: Any, data: bytes) -> None:
        written.append(data)
        await to_agent(agent, data)

    async def scenario() -> None:
        async with world(monkeypatch) as w:
            monkeypatch.setattr(streaming._Agent, "write", write)
            w.model.streams(sent := b"".join(shapes_of.chat_events("|".join(["word "] * 50))))
            async with w.client.post(CHAT, json=STREAM) as answer:
                assert await answer.content.read() == sent
            assert b"".join(written) == sent
            assert max(one.count(b"\n\n") for one in written) <= streaming.AT_ONCE

    run(scenario())


def test_what_came_before_a_call_does_not_wait_for_an_operator_and_nobody_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        async with world(monkeypatch) as w:
            asked = asyncio.Event()

            async def operator(number: int, timeout_s: float) -> bool:
                await asked.wait()
                return False

            w.supervisor.operator = operator  # type: ignore[method-assign] # it takes its time
            w.model.streams(b"".join(shapes_of.chat_events("first|", ("deploy", {"to": "x"}))))
            async with w.client.post(CHAT, json=STREAM) as answer:
                assert b"first" in await answer.content.readany()
                asked.set()
                assert b"was refused and not run" in await answer.content.read()
            assert len(w.model.asked) == 1

    run(scenario())


def test_an_answer_with_two_keys_of_which_some_readers_take_the_first_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        async with world(monkeypatch) as w:
            call = b'{"message": {"tool_calls": [{"function": {"name": "shell"}}]}}'
            w.model.answers(b'{"choices": [%s], "choices": []}' % call)
            status, said = await w.post(CHAT, CALL)
            assert (status, b"shell" in said) == (502, False)

    run(scenario())


@pytest.mark.parametrize(
    "given", ["; charset=utf-7", ';a=b;Charset="utf-7"', "; charset*=x''utf-7"]
)
def test_an_answer_is_read_in_the_charset_that_it_was_judged_in(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In UTF-7 `+ACI-` is a quote, with which a text's end and a call may follow."""
    said = json.dumps({"choices": [{"message": {"content": "+ACI-"}}]}).encode()
    headers = {"Content-Type": "application/json" + given}

    async def play(request: web.Request, asked: Any) -> web.Response:
        return web.Response(body=said, headers=headers)

    async def scenario() -> None:
        async with world(monkeypatch) as w:
            w.model.plays.append(play)
            async with w.client.post(CHAT, json=CALL) as answer:
                assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
                assert await answer.json() == json.loads(said)

    run(scenario())


def test_no_stream_brings_the_key_in_its_head(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(request: web.Request, asked: Any) -> web.Response:
        headers = {"Content-Type": "text/event-stream", "told": f"Bearer {KEY}"}
        return web.Response(body=b"data: [DONE]\n\n", headers=headers)

    async def scenario() -> None:
        async with world(monkeypatch) as w:
            w.model.plays.append(play)
            async with w.client.post(CHAT, json=STREAM) as answer:
                assert answer.headers["told"] == "Bearer [key]"

    run(scenario())
