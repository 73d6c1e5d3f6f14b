from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any, NamedTuple

import aiohttp
import pytest
import shapes_of
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from proxied import KEY, RULES, run, world
from yarl import URL

from offswitch.guard.policy.judging import Judge
from offswitch.guard.policy.policy import GoalPolicy, Pattern, Rule
from offswitch.guard.proxy import model_route, process
from offswitch.guard.proxy.pinned import sha256_of
from offswitch.guard.proxy.upstream import MOST_ANSWER
from offswitch.guard.stop.wire import MAX_BYTES


class Wire(NamedTuple):
    path: str
    whole: Any
    events: Any
    read: Any
    request: dict[str, Any]


ASK = [{"role": "user", "content": "go on"}]
WIRES = {
    "chat": Wire(
        "/openai/v1/chat/completions", shapes_of.chat, shapes_of.chat_events,
        shapes_of.chat_read, {"model": "m", "messages": ASK},
    ),
    "responses": Wire(
        "/openai/v1/responses", shapes_of.response, shapes_of.response_events,
        shapes_of.response_read, {"model": "m", "input": ASK},
    ),
    "messages": Wire(
        "/anthropic/v1/messages", shapes_of.message, shapes_of.message_events,
        shapes_of.message_read, {"model": "m", "max_tokens": 9, "messages": ASK},
    ),
}  # fmt: skip
ANSWERED = "model answered"
FINE, BAD = ("read_file", {"path": "a b.txt"}), ("shell", {"command": "rm -rf /"})
every_wire = pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)


@every_wire
def test_an_approved_answer_keeps_every_byte(wire, monkeypatch):
    async def scenario() -> None:
        async with world(monkeypatch) as w:
            w.model.answers(sent := wire.whole("I look", FINE))
            status, data = await w.post(wire.path, wire.request)
            assert (status, data) == (200, json.dumps(sent, indent=1).encode())
            assert w.supervisor.acts() == [("read_file", "approve")]

    run(scenario())


@every_wire
def test_a_model_is_told_of_the_notice_while_it_stands_and_its_pins_are_not_touched(
    wire, monkeypatch
):
    async def scenario() -> None:
        async with world(monkeypatch) as w:
            turns = "input" if "input" in wire.request else "messages"
            for text in ("stop now", ""):
                w.proxy.obey({"word": "notice", "text": text})
                w.model.answers(wire.whole("well"))
                assert (await w.post(wire.path, wire.request))[0] == 200
            told, after = w.model.asked
            assert told[turns] == [*ASK, {"role": "user", "content": "stop now"}]
            assert after == wire.request
            assert not [one for one in w.supervisor.reports if one["type"] == "alarm"]

    run(scenario())


@every_wire
def test_an_approved_stream_keeps_every_byte(wire, monkeypatch):
    async def scenario() -> None:
        async with world(monkeypatch) as w:
            w.model.streams(*(sent := wire.events("I |look", FINE, ("look", {}))))
            status, data = await w.post(wire.path, {**wire.request, "stream": True})
            assert (status, data) == (200, b"".join(sent))
            assert [name for name, _ in w.supervisor.acts()] == ["read_file", "look"]

    run(scenario())


@every_wire
def test_the_key_goes_to_the_provider_and_never_to_the_agent(wire, monkeypatch):
    async def scenario() -> None:
        async with world(monkeypatch) as w:
            w.model.answers({"error": f"bad key {KEY}", **wire.whole("hello")})
            given = {"Authorization": "Bearer mine", "x-api-key": "mine", "Cookie": "a=b"}
            _, data = await w.post(wire.path, wire.request, **given)
            (headers,) = w.model.headers
            assert KEY in headers.get("authorization", "") + headers.get("x-api-key", "")
            assert "mine" not in str(headers)
            assert "cookie" not in headers
            assert KEY.encode() not in data
            assert KEY not in str(w.supervisor.reports) + str(w.supervisor.told)

    run(scenario())


@every_wire
@pytest.mark.parametrize("stream", [False, True])
def test_a_rejected_call_never_reaches_the_agent(wire, stream, monkeypatch):
    async def scenario() -> None:
        async with world(monkeypatch) as w:
            if stream:
                w.model.streams(*wire.events("Let me |see", BAD))
            else:
                w.model.answers(wire.whole("Let me see", BAD))
            status, data = await w.post(wire.path, {**wire.request, "stream": stream})
            assert status == 200
            assert b"rm -rf" not in data
            assert b"nothing is deleted here" in data
            assert w.supervisor.acts() == [("shell", "reject")]
            if stream:
                text, calls, stop = wire.read(data)
                assert text.startswith("Let me see")
                assert "refused" in text
                assert (calls, stop in ("stop", "end_turn", "completed")) == ([], True)

    run(scenario())


@every_wire
@pytest.mark.parametrize("stream", [False, True])
def test_beside_a_rejected_call_the_approved_ones_still_arrive(wire, stream, monkeypatch):
    async def scenario() -> None:
        async with world(monkeypatch, again=3) as w:
            if stream:
                w.model.streams(*wire.events("a|b", FINE, BAD, ("look", {"at": 1})))
            else:
                w.model.answers(wire.whole("ab", FINE, BAD, ("look", {"at": 1})))
            _, data = await w.post(wire.path, {**wire.request, "stream": stream})
            assert b"rm -rf" not in data
            assert b"read_file" in data
            if stream:
                text, calls, _ = wire.read(data)
                assert text.startswith("ab")
                assert calls == [FINE, ("look", {"at": 1})]
            assert len(w.model.asked) == 1  # what is approved is not thrown away by asking anew

    run(scenario())


@every_wire
@pytest.mark.parametrize("stream", [False, True])
def test_the_model_is_told_of_a_refusal_first_and_may_do_otherwise(wire, stream, monkeypatch):
    async def scenario() -> None:
        async with world(monkeypatch, again=2) as w:
            if stream:
                w.model.streams(*wire.events("hm, |", BAD))
            else:
                w.model.answers(wire.whole("hm, ", BAD))
            w.model.answers(wire.whole("then so", BAD), wire.whole("I read", FINE))
            _, data = await w.post(wire.path, {**wire.request, "stream": stream})
            assert b"rm -rf" not in data
            assert b"refused" not in data
            assert [word for _, word in w.supervisor.acts()] == ["reject", "reject", "approve"]
            assert "nothing is deleted here" in json.dumps(w.model.asked[1])
            assert w.model.asked[1]["stream"] is False
            if stream:
                text, calls, _ = wire.read(data)
                assert (text, calls) == ("hm, I read", [FINE])

    run(scenario())


@every_wire
@pytest.mark.parametrize("stream", [False, True])
def test_a_modified_call_arrives_with_the_rules_arguments(wire, stream, monkeypatch):
    async def scenario() -> None:
        async with world(monkeypatch) as w:
            call = ("spend", {"amount": 9000, "on": "gpu"})
            if stream:
                w.model.streams(*wire.events("so", call))
            else:
                w.model.answers(wire.whole("so", call))
            _, data = await w.post(wire.path, {**wire.request, "stream": stream})
            assert b"9000" not in data
            if stream:
                assert wire.read(data)[1] == [("spend", {"amount": 1, "on": "gpu"})]

    run(scenario())


@every_wire
@pytest.mark.parametrize("stream", [False, True])
def test_terminate_tells_the_supervisor_and_closes_every_way(wire, stream, monkeypatch):
    async def scenario() -> None:
        async with world(monkeypatch) as w:
            if stream:
                w.model.streams(*wire.events("bye", ("escape", {})))
            else:
                w.model.answers(wire.whole("bye", ("escape", {})))
            try:
                _, data = await w.post(wire.path, {**wire.request, "stream": stream})
            except aiohttp.ClientError:
                data = b""
            assert b"escape" not in data
            assert ("escape", "terminate") in w.supervisor.acts()
            status, _ = await w.post(wire.path, wire.request)
            assert status == 503
            assert len(w.model.asked) == 1

    run(scenario())


@pytest.mark.parametrize("allow", [True, False, None])
def test_an_escalated_call_passes_only_if_an_operator_allows_it(allow, monkeypatch):
    async def scenario() -> None:
        async with world(monkeypatch) as w:
            w.supervisor.allow = allow
            w.model.answers(shapes_of.chat(None, ("deploy", {})))
            _, data = await w.post(WIRES["chat"].path, WIRES["chat"].request)
            assert (b'"deploy"' in data) is (allow is True)
            assert w.supervisor.acts() == [("deploy", "escalate")]

    run(scenario())


@every_wire
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("failure", ["judge raises", "supervisor silent"])
def test_when_the_guard_fails_nothing_passes_and_the_supervisor_is_told(
    wire, stream, failure, monkeypatch
):
    class Broken(Judge):
        def verdict(self, act: Any, **how: Any) -> Any:
            if failure == "judge raises":
                raise KeyError("a bug in a rule")
            w.supervisor.deaf = True
            return super().verdict(act, **how)

    async def scenario() -> None:
        nonlocal w
        async with world(monkeypatch, judge=Broken(RULES)) as w:
            if stream:
                w.model.streams(*wire.events("I look", FINE))
            else:
                w.model.answers(wire.whole("I look", FINE))
            try:
                status, data = await w.post(wire.path, {**wire.request, "stream": stream})
            except aiohttp.ClientError:
                status, data = 0, b""
            assert status in (0, 200 if stream else 503, 503)
            assert b"read_file" not in data
            assert any(one["type"] == "failed" for one in w.supervisor.told)
            assert (await w.post(wire.path, wire.request))[0] == 503

    w: Any = None
    run(scenario())


@every_wire
def test_text_passes_before_the_stream_ends_and_a_call_only_when_it_is_whole(wire, monkeypatch):
    events = wire.events("one |two", FINE)
    at = next(i for i, one in enumerate(events) if b"read_file" in one)
    held, rest = asyncio.Event(), asyncio.Event()

    async def play(request: web.Request, asked: Any) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"".join(events[:at]))
        await held.wait()
        await response.write(b"".join(events[at : at + 2]))
        await rest.wait()
        await response.write(b"".join(events[at + 2 :]))
        await response.write_eof()
        return response

    async def scenario() -> None:
        async with world(monkeypatch) as w:
            w.model.plays.append(play)
            async with w.client.post(wire.path, json={**wire.request, "stream": True}) as answer:
                before = await answer.content.readexactly(len(b"".join(events[:at])))
                assert b"two" in before
                held.set()
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await answer.content.readany()
                rest.set()
                assert before + await answer.content.read() == b"".join(events)

    run(scenario())


@every_wire
def test_a_stream_that_breaks_off_inside_a_call_gives_none_of_the_call(wire, monkeypatch):
    events = wire.events("one", FINE)
    at = next(i for i, one in enumerate(events) if b"read_file" in one)

    async def scenario() -> None:
        async with world(monkeypatch) as w:
            w.model.streams(*events[: at + 2])
            got = b""
            async with w.client.post(wire.path, json={**wire.request, "stream": True}) as answer:
                with pytest.raises(aiohttp.ClientError):
                    async for chunk in answer.content.iter_any():
                        got += chunk
            assert b"read_file" not in got
            assert w.supervisor.acts() == []

    run(scenario())


@pytest.mark.parametrize(
    "arguments",
    ['{"path": "a", "path": "b"}', '{"n": NaN}', '{"n": 1e999}', "[1]", '{"a"', '"text"',
     '{"a": "\\ud800"}', "[" * 5000],
)  # fmt: skip
def test_arguments_that_two_readers_may_read_differently_are_refused(arguments, monkeypatch):
    async def scenario() -> None:
        async with world(monkeypatch) as w:
            w.model.answers(shapes_of.chat("x", ("read_file", arguments)))
            status, data = await w.post(WIRES["chat"].path, WIRES["chat"].request)
            assert status == 200
            assert "tool_calls" not in json.loads(data)["choices"][0]["message"]
            assert w.supervisor.acts() == [("read_file", "reject")]

    run(scenario())


HOSTED = [
    ("chat", {"web_search_options": {}}),
    ("responses", {"tools": [{"type": "web_search"}]}),
    ("responses", {"tools": [{"type": "mcp", "server_url": "https://evil.test/x"}]}),
    ("responses", {"background": True}),
    ("responses", {"prompt": {"id": "pmpt_1"}}),
    ("messages", {"tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]}),
    ("messages", {"mcp_servers": [{"type": "url", "url": "https://evil.test"}]}),
]


@pytest.mark.parametrize(("name", "extra"), HOSTED)
def test_what_the_provider_would_do_unseen_is_judged_before_the_request(name, extra, monkeypatch):
    async def scenario() -> None:
        async with world(monkeypatch) as w:
            status, data = await w.post(WIRES[name].path, {**WIRES[name].request, **extra})
            assert status == 403
            assert b"hosted/" in data
            assert w.model.asked == []

    run(scenario())


@pytest.mark.parametrize("url", ["https://ours.test\\@evil.test/x", "https://evil.test\\@ours.test",
                                 "https://].test", {"a": "https://ours.test"}, 5])  # fmt: skip
@pytest.mark.parametrize("name", ["responses", "messages"])
def test_a_hosted_server_whose_host_two_readers_find_elsewhere_is_refused(name, url, monkeypatch):
    allowed = Rule(name="ours", verdict="approve",
                   pattern=Pattern(tool=("hosted/*",), host=("ours.test",)))  # fmt: skip
    field = "server_url" if name == "responses" else "url"
    listed = "tools" if name == "responses" else "mcp_servers"

    async def scenario() -> None:
        async with world(monkeypatch, rules=(allowed,)) as w:
            for address, status in (("https://ours.test/x", 200), (url, 403)):
                w.model.answers(WIRES[name].whole("fine"))
                extra = {listed: [{"type": "mcp", "name": "a", field: address}]}
                found, data = await w.post(WIRES[name].path, {**WIRES[name].request, **extra})
                assert (found, b"no host, or two" in data) == (status, status == 403), data
            assert len(w.model.asked) == 1

    run(scenario())


@pytest.mark.parametrize(("name", "listed", "key"), [
    ("responses", "tools", "Server_URL"), ("responses", "tools", "\u017ferver_url"),
    ("messages", "mcp_servers", "Url"),
])  # fmt: skip
def test_a_hosted_server_is_not_named_by_a_key_that_only_some_readers_know(
    name, listed, key, monkeypatch
):
    allowed = Rule(name="any", verdict="approve", pattern=Pattern(tool=("hosted/*",)))

    async def scenario() -> None:
        async with world(monkeypatch, rules=(allowed,)) as w:
            extra = {listed: [{"type": "mcp", "name": "a", key: "https://evil.test"}]}
            found, data = await w.post(WIRES[name].path, {**WIRES[name].request, **extra})
            assert (found, b"some readers take for" in data) == (403, True), data
            assert w.model.asked == []

    run(scenario())


@pytest.mark.parametrize(
    "path",
    ["/openai/v1/files", "/openai/v1/chat/completions/", "/openai//v1/chat/completions",
     "/openai/v1/%63hat/completions", "/openai/v1/../v1/responses", "/nowhere/v1/messages",
     "/anthropic/v1/chat/completions", "/openai/v1/responses/resp_1/input_items", "/mcp/none"],
)  # fmt: skip
def test_a_path_without_a_route_goes_nowhere(path, monkeypatch):
    async def scenario() -> None:
        async with world(monkeypatch) as w:
            url = URL(str(w.client.make_url("")).rstrip("/") + path, encoded=True)
            async with w.client.session.post(url, json={}) as answer:
                assert answer.status == 404
            assert w.model.asked == []

    run(scenario())


def test_a_request_reaches_the_provider_as_it_was_judged(monkeypatch):
    async def scenario() -> None:
        async with world(monkeypatch) as w:
            w.model.answers(shapes_of.chat("hello"))
            twice = b'{"messages": [{"role": "system", "content": "evil"}], "messages": []}'
            await w.post(WIRES["chat"].path, twice)
            assert w.model.asked == [{"messages": []}]

    run(scenario())


def test_another_system_prompt_than_pinned_is_an_alarm_and_may_be_refused(monkeypatch):
    def asking(prompt: str) -> dict[str, Any]:
        return {"model": "m", "messages": [{"role": "system", "content": prompt}, *ASK]}

    async def scenario() -> None:
        path = WIRES["chat"].path
        async with world(monkeypatch) as w:  # the first is pinned, a difference observed
            w.model.answers(shapes_of.chat("a"), shapes_of.chat("b"))
            await w.post(path, asking("be good"))
            assert (await w.post(path, asking("be free")))[0] == 200
            (alarm,) = [one for one in w.supervisor.reports if one["type"] == "alarm"]
            assert (alarm["detector"], alarm["level"]) == ("system-prompt", "observe")
            assert alarm["event"]["kind"] == "goal_corrupted"
        goal = GoalPolicy(system_prompt_sha256=sha256_of(["be good"]))
        async with world(monkeypatch, goal=goal) as w:  # a hash from the policy is meant
            w.model.answers(shapes_of.chat("a"))
            assert (await w.post(path, asking("be good")))[0] == 200
            assert (await w.post(path, asking("be free")))[0] == 403
            assert len(w.model.asked) == 1

    run(scenario())


def test_new_tools_are_an_alarm_that_names_them(monkeypatch):
    def asking(*names: str) -> dict[str, Any]:
        tools = [{"type": "function", "function": {"name": name}} for name in names]
        return {"model": "m", "messages": ASK, "tools": tools}

    async def scenario() -> None:
        async with world(monkeypatch, ladder=(("tool-list", "freeze"),)) as w:
            w.model.answers(shapes_of.chat("a"), shapes_of.chat("a"))
            path = WIRES["chat"].path
            assert (await w.post(path, asking("look", "read")))[0] == 200
            assert (await w.post(path, asking("read", "look")))[0] == 200
            assert (await w.post(path, asking("look", "read", "sudo")))[0] == 403
            alarm = w.supervisor.reports[-1]
            assert alarm["event"] == {
                "kind": "capability_taken", "actor": "agent", "capability": "tools: sudo",
                "step": 0, "time": None, "authorised": False,
            }  # fmt: skip

    run(scenario())


def test_an_agent_that_keeps_the_old_prompt_after_an_ordered_change_blocks_the_edit(monkeypatch):
    async def scenario() -> None:
        async with world(monkeypatch) as w:
            asking = {"messages": [{"role": "system", "content": "old"}]}
            w.model.answers(shapes_of.chat("a"), shapes_of.chat("a"))
            await w.post(WIRES["chat"].path, asking)
            w.proxy.obey({"word": "repin", "prompt": sha256_of(["new"])})
            await w.post(WIRES["chat"].path, asking)
            assert w.supervisor.reports[-1]["event"]["kind"] == "goal_edit_blocked"

    run(scenario())


@pytest.mark.parametrize("letter", ["a", "é", "\U0001f600"])
def test_a_long_act_is_written_down_by_its_hash(letter, monkeypatch):
    async def scenario() -> None:
        async with world(monkeypatch) as w:
            call = "read_file", {"path": letter * 100_000}
            w.model.answers(shapes_of.chat("x", call))
            status, data = await w.post(WIRES["chat"].path, WIRES["chat"].request)
            assert (status, b"tool_calls" in data) == (200, True)
            (act,) = [one["act"] for one in w.supervisor.reports if one["type"] == "act"]
            text = json.dumps(call[1], sort_keys=True).encode()
            assert act["arguments"]["sha256"] == hashlib.sha256(text).hexdigest()
            assert len(json.dumps(act)) < 3000

    run(scenario())


def test_every_report_fits_into_a_message_to_the_supervisor(monkeypatch):
    long = '{"%s": 1, "%s": 2}' % (("\U0001f600" * 20_000,) * 2)
    calls = ("read_file", long), ("\U0001f600" * 20_000, {}), ("spend", {"a": "é" * 6_800})

    async def scenario() -> None:
        async with world(monkeypatch) as w:
            w.model.answers(shapes_of.chat("x", *calls))
            assert (await w.post(WIRES["chat"].path, WIRES["chat"].request))[0] == 200
            assert len(w.supervisor.acts()) == 3
            for report in (*w.supervisor.reports, *w.supervisor.told):
                assert len(json.dumps(report)) < MAX_BYTES

    run(scenario())


@every_wire
@pytest.mark.parametrize("status", [201, 206, 299])
def test_every_answer_that_a_client_takes_for_a_success_is_judged(wire, status, monkeypatch):
    async def play(request: web.Request, asked: Any) -> web.StreamResponse:
        return web.json_response(wire.whole("x", BAD), status=status)

    async def scenario() -> None:
        async with world(monkeypatch) as w:
            w.model.plays.append(play)
            got, data = await w.post(wire.path, wire.request)
            assert (got, b"rm -rf" in data) == (status, False)

    run(scenario())


def test_tokens_are_written_down_as_the_provider_counts_them(monkeypatch):
    usage = shapes_of.event({"choices": [], "usage": {"total_tokens": 42}})

    async def scenario() -> None:
        async with world(monkeypatch) as w:
            events = shapes_of.chat_events("hello")
            w.model.streams(*events[:-1], usage, events[-1])
            w.model.answers(shapes_of.message("hello"), shapes_of.response("hello"))
            for wire in (WIRES["chat"], WIRES["messages"], WIRES["responses"]):
                await w.post(wire.path, wire.request)
            told = [one["fields"] for one in w.supervisor.told if one["what"] == ANSWERED]
            assert [one["tokens"] for one in told] == [42, 11, 11]

    run(scenario())


def test_an_answers_tokens_are_said_once_with_its_first_call_or_alone(monkeypatch):
    def noted(told: Any) -> list[int | None]:
        return [one["fields"]["tokens"] for one in told if one and one.get("what") == ANSWERED]

    async def scenario() -> None:
        async with world(monkeypatch) as w:
            unreadable = {**shapes_of.chat("x", FINE), "choices": 3}
            w.model.answers(shapes_of.chat("x", FINE, FINE), shapes_of.chat("x"), unreadable)
            for status, said, alone in ((200, [11], []), (200, [11], [11]), (502, [11], [11, 11])):
                assert (await w.post(WIRES["chat"].path, WIRES["chat"].request))[0] == status
                acts = [one for one in w.supervisor.reports if one["type"] == "act"]
                assert noted(one["before"] for one in acts) == said
                assert (noted(w.supervisor.told), acts[1]["before"]) == (alone, None)

    run(scenario())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "message", "tool_calls", "function", "name", "arguments", "type",
                 "delta", "index", "content", "input", "output", "item", "output_index", "model",
                 "messages", "tools", "content_block", "usage", "response", "system", "role"]
            ),
            inner, max_size=5,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@every_wire
@settings(max_examples=15, deadline=None)
@given(
    bodies=st.lists(json_values | st.binary(max_size=40), min_size=4, max_size=4),
    answers=st.lists(json_values | st.binary(max_size=40), min_size=4, max_size=4),
    stream=st.booleans(),
)
def test_malformed_bodies_are_answered_and_never_crash_or_close_the_gate(
    wire, bodies, answers, stream
):
    async def scenario() -> None:
        with pytest.MonkeyPatch.context() as patch:
            async with world(patch) as w:
                for body, answer in zip(bodies, answers, strict=True):
                    raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                    if stream:
                        w.model.streams(*(b"data: %s\n\n" % part for part in (raw, raw)))
                    else:
                        w.model.answers(raw)
                    try:
                        status, _ = await w.post(wire.path, body)
                        assert status in (200, 400, 403, 502)
                    except aiohttp.ClientPayloadError:
                        assert stream  # a stream whose head was out can only be broken off
                    w.model.plays.clear()
                assert w.proxy.gate.closed == ""

    run(scenario())


@every_wire
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_however_a_stream_is_shuffled_a_refused_call_never_comes_out(wire, data):
    events = wire.events("one|two", FINE, BAD)
    again = data.draw(st.lists(st.sampled_from(events), max_size=6))
    order = data.draw(st.permutations([*events, *again]) | st.just([*events, *again]))
    left_out = data.draw(st.sets(st.sampled_from(range(len(order))), max_size=3))
    sent = b"".join(one for i, one in enumerate(order) if i not in left_out)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=6)))
    pieces = [sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True) if a < b]

    async def scenario() -> None:
        with pytest.MonkeyPatch.context() as patch:
            async with world(patch) as w:
                w.model.streams(*pieces)
                got = b""
                async with w.client.post(wire.path, json=wire.request) as answer:
                    try:
                        async for chunk in answer.content.iter_any():
                            got += chunk
                    except aiohttp.ClientError:
                        pass
                assert b"rm -rf" not in got
                assert b'"shell' not in got

    run(scenario())


def test_a_client_that_holds_its_body_back_is_asked_for_it(monkeypatch):
    async def scenario() -> None:
        async with world(monkeypatch) as w:
            chat = WIRES["chat"]
            w.model.answers(chat.whole("well"))
            async with (
                asyncio.timeout(30),
                w.client.post(chat.path, json=chat.request, expect100=True) as one,
            ):
                assert one.status == 200
            assert w.model.asked == [chat.request]

    run(scenario())


@pytest.mark.parametrize("path", ["/openai/v1/chat/completions", "/openai/v1/models"])
def test_a_key_in_an_answers_head_and_an_answer_without_end_stay_with_the_guard(path, monkeypatch):
    async def play(request: web.Request, asked: Any) -> web.StreamResponse:
        echoed = {"X-Echo": request.headers["Authorization"]}
        return web.Response(body=json.dumps(shapes_of.chat("x")).encode(), headers=echoed)

    async def scenario() -> None:
        async with world(monkeypatch) as w:
            method = "GET" if path.endswith("models") else "POST"
            for most in (MOST_ANSWER, 20):
                monkeypatch.setattr(model_route, "MOST_ANSWER", most)
                w.model.plays.append(play)
                body = None if method == "GET" else WIRES["chat"].request
                async with w.client.request(method, path, json=body) as answer:
                    status, text = answer.status, await answer.text()
                    assert (status, "more than 20 bytes" in text) == (
                        (200, False) if most > 20 else (502, True)
                    )
                    assert KEY not in f"{answer.headers}{text}"
                    assert status == 502 or answer.headers["X-Echo"] == "Bearer [key]"

    run(scenario())


def test_a_request_longer_than_the_most_goes_nowhere(monkeypatch):
    monkeypatch.setattr(process, "MOST_BYTES", 500)

    async def scenario() -> None:
        async with world(monkeypatch) as w:
            chat = WIRES["chat"]
            w.model.answers(*[chat.whole("well")] * 2)
            assert (await w.post(chat.path, chat.request))[0] == 200
            assert (await w.post(chat.path, {**chat.request, "user": "x" * 500}))[0] == 413
            assert len(w.model.asked) == 1

    run(scenario())
