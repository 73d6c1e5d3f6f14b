from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from proxied import RULES, Supervisor, run, world

from offswitch.guard.policy.judging import Judge
from offswitch.guard.policy.policy import GoalPolicy, McpServer
from offswitch.guard.proxy.gate import Gate
from offswitch.guard.proxy.mcp import Frames, Passed
from offswitch.guard.proxy.mcp_stdio import StdioServer
from offswitch.guard.proxy.pinned import Pins


def made(ladder: Any = ()) -> tuple[Frames, Supervisor, Gate]:
    supervisor = Supervisor()
    gate = Gate(Judge(RULES), supervisor)
    return Frames("files", gate, Pins(GoalPolicy(), ladder)), supervisor, gate


def call(tool: str, number: Any = 1, **arguments: Any) -> dict[str, Any]:
    params = {"name": tool, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


def frame(value: Any) -> bytes:
    return json.dumps(value, indent=None).encode()


def sent(value: Any, frames: Frames | None = None) -> tuple[Passed, Supervisor]:
    found, supervisor, _ = made()
    result: list[Passed] = []

    async def scenario() -> None:
        data = value if isinstance(value, bytes) else frame(value)
        result.append(await (frames or found).from_agent(data))

    run(scenario())
    return result[0], supervisor


def test_an_approved_call_keeps_every_byte_and_is_written_down():
    passed, supervisor = sent(call("read_file", path="a"))
    assert passed == Passed(on=frame(call("read_file", path="a")))
    assert supervisor.acts() == [("read_file", "approve")]
    assert supervisor.reports[0]["source"] == "executed"
    assert supervisor.reports[0]["act"]["path"] == "mcp/files"


def test_a_rejected_call_is_answered_in_the_servers_place():
    passed, _ = sent(call("shell", number="x7", command="rm -rf /"))
    assert passed.on is None
    answer = json.loads(passed.back or b"")
    assert answer["id"] == "x7"
    assert answer["result"]["isError"] is True
    assert "nothing is deleted here" in answer["result"]["content"][0]["text"]


def test_a_modified_call_goes_on_with_the_rules_arguments():
    passed, _ = sent(call("spend", amount=9000))
    assert json.loads(passed.on or b"")["params"]["arguments"] == {"amount": 1}


def test_of_a_batch_only_what_is_allowed_goes_on():
    batch = [call("read_file", 1), call("shell", 2), {"jsonrpc": "2.0", "id": 3, "method": "ping"}]
    passed, _ = sent(batch)
    assert [one["id"] for one in json.loads(passed.on or b"")] == [1, 3]
    assert [one["id"] for one in json.loads(passed.back or b"")] == [2]


def test_a_refused_notification_is_dropped_without_an_answer():
    silent = {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "shell"}}
    assert sent(silent)[0] == Passed()


def test_methods_that_nobody_knows_need_a_rule():
    passed, supervisor = sent({"jsonrpc": "2.0", "id": 1, "method": "guard/stop", "params": {}})
    assert passed.on is None
    assert json.loads(passed.back or b"")["error"]["code"] == -32001
    assert supervisor.acts() == [("guard/stop", "reject")]


def test_frames_that_two_readers_may_read_differently_go_nowhere():
    twice = b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{}}'
    odd = b'{"jsonrpc":"2.0","id":true,"method":"ping"}', b'{"jsonrpc":"2.0","id":1}'
    unclear = b"", b"{", b"[]", b"1", b'{"jsonrpc":"1.0"}', b"\xff", b"[" * 9000
    for data in (twice, *odd, *unclear):
        passed, supervisor = sent(data)
        assert passed.on is None
        assert json.loads(passed.back or b"")["error"]["code"] in (-32700, -32600)
        assert supervisor.acts() == []


def test_a_notice_stands_in_every_tools_result_until_it_is_taken_back_and_nowhere_else():
    async def scenario() -> None:
        frames, _, gate = made()
        content = [{"type": "text", "text": "found"}]
        result = frame({"jsonrpc": "2.0", "id": 1, "result": {"content": content}})
        other = frame({"jsonrpc": "2.0", "id": 2, "result": {"contents": []}})
        for notice, texts in (("stop now", ["found", "stop now"]), ("", ["found"])):
            gate.notice = notice
            told = json.loads(await frames.from_server(result) or b"")
            assert [one["text"] for one in told["result"]["content"]] == texts
            assert await frames.from_server(other) == other
            refused = await frames.from_agent(frame(call("shell", command="rm -rf /")))
            last = json.loads(refused.back or b"")["result"]["content"][-1]
            assert (last == {"type": "text", "text": notice}) is bool(notice)

    run(scenario())


def test_a_tool_list_that_changes_is_an_alarm_and_at_freeze_does_not_arrive():
    async def scenario() -> None:
        frames, supervisor, _ = made((("tool-list", "freeze"),))
        asking = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        for tools, fine in (([{"name": "a"}], True), ([{"name": "a"}, {"name": "b"}], False)):
            await frames.from_agent(frame(asking))
            listing = frame({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}})
            got = await frames.from_server(listing)
            assert (got == listing) is fine
        assert json.loads(got or b"")["error"]["code"] == -32001
        assert supervisor.reports[-1]["event"]["capability"] == "tools: b"

    run(scenario())


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=5) | st.just("2.0") | st.just("tools/call"),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error", "name"]),
                inner,
                max_size=5,
            )
        ),
        max_leaves=10,
    ).map(frame)
)
def test_no_frame_crashes_the_proxy_or_passes_a_call_unjudged(data):
    async def scenario() -> None:
        frames, supervisor, gate = made()
        passed = await frames.from_agent(data)
        if passed.on is not None:
            found = json.loads(passed.on)
            messages = found if isinstance(found, list) else [found]
            calls = [one for one in messages if one.get("method") == "tools/call"]
            assert len(calls) == len([word for _, word in supervisor.acts() if word == "approve"])
        await frames.from_server(data)
        assert gate.closed == ""

    run(scenario())


ECHO = """
import json, sys
for line in sys.stdin:
    m = json.loads(line)
    if m["method"] == "die": break
    print(json.dumps({"jsonrpc": "2.0", "id": m["id"], "result": {"content": [], "got": m}}))
    print("this is no frame")
    sys.stdout.flush()
"""


def test_over_pipes_calls_are_judged_and_the_servers_noise_is_dropped(tmp_path):
    async def scenario() -> None:
        supervisor = Supervisor()
        gate = Gate(Judge(RULES), supervisor)
        server = McpServer(name="files", command=(sys.executable, "-I", "-S", "-c", ECHO))
        stdio = StdioServer(server, gate, Pins(GoalPolicy(), ()))
        path = str(tmp_path / "s")
        async with await asyncio.start_unix_server(stdio.serve, path):
            reader, writer = await asyncio.open_unix_connection(path)
            for number, tool in enumerate(("read_file", "shell", "look")):
                writer.write(frame(call(tool, number)) + b"\n")
            answers = [json.loads(await reader.readline()) for _ in range(3)]
            by_number = {answer["id"]: answer["result"] for answer in answers}
            assert by_number[0]["got"]["params"]["name"] == "read_file"
            assert by_number[1]["isError"] is True
            assert by_number[2]["got"]["params"]["name"] == "look"
            writer.close()
        assert [one for one in supervisor.reports if one.get("what") == "MCP frame refused"]

    run(scenario())


def test_a_server_program_that_is_not_there_ends_the_connection(tmp_path):
    async def scenario() -> None:
        supervisor = Supervisor()
        server = McpServer(name="files", command=("/no/such/program",))
        stdio = StdioServer(server, Gate(Judge(RULES), supervisor), Pins(GoalPolicy(), ()))
        async with await asyncio.start_unix_server(stdio.serve, str(tmp_path / "s")):
            reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
            assert await reader.read() == b""
            writer.close()
        assert supervisor.reports[-1]["what"] == "MCP server failed"

    run(scenario())


TOOLS = McpServer(name="tools", url="/mcp", key_variable="REAL_KEY")


def test_over_http_calls_are_judged_and_the_key_is_added(monkeypatch):
    async def scenario() -> None:
        async with world(monkeypatch, mcp=(TOOLS,)) as w:
            answer = {"jsonrpc": "2.0", "id": 1, "result": {"content": []}}
            w.model.answers(answer)
            status, data = await w.post("/mcp/tools", call("read_file"), Authorization="mine")
            assert (status, data) == (200, json.dumps(answer, indent=1).encode())
            assert w.model.headers[0]["authorization"].endswith("guard")
            status, data = await w.post("/mcp/tools", call("shell"))
            assert (status, json.loads(data)["result"]["isError"]) == (200, True)
            assert len(w.model.asked) == 1
            assert (await w.post("/mcp/tools", b"{"))[0] == 200  # an error of JSON-RPC
            assert (await w.client.put("/mcp/tools")).status == 405

    run(scenario())


def test_over_http_a_stream_is_passed_event_by_event_and_noise_is_dropped(monkeypatch):
    good = b'event: message\nid: 4\ndata: {"jsonrpc":"2.0","method":"notifications/progress"}\n\n'

    async def play(request: web.Request, asked: Any) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(good + b"data: noise\n\n" + b": comment\n\n" + good)
        await response.write_eof()
        return response

    async def scenario() -> None:
        async with world(monkeypatch, mcp=(TOOLS,)) as w:
            w.model.plays.append(play)
            async with w.client.get("/mcp/tools") as answer:
                assert await answer.read() == good + b": comment\n\n" + good

    run(scenario())


def test_a_tool_list_in_a_stream_is_pinned_too(monkeypatch):
    listing = {"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "a"}]}}
    asking = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}

    async def scenario() -> None:
        async with world(monkeypatch, mcp=(TOOLS,), ladder=(("tool-list", "freeze"),)) as w:
            for names in (["a"], ["a", "evil"]):
                listing["result"] = {"tools": [{"name": name} for name in names]}
                w.model.streams(b"id: 9\ndata: " + frame(listing) + b"\n\n")
                _, data = await w.post("/mcp/tools", asking)
            assert b"evil" in data  # in the reason
            assert b'"tools"' not in data
            assert data.startswith(b"id: 9\ndata: ")

    run(scenario())
