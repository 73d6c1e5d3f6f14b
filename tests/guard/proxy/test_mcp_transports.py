"""Tool servers over HTTP and over pipes: what a hostile answer or connection comes to."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

import aiohttp
import pytest
from aiohttp import web
from proxied import KEY, RULES, Supervisor, World, run, world
from test_mcp import TOOLS, call, frame
from test_mcp_frames import ASKING, STRICT, listing

from offswitch.guard.policy.judging import Judge
from offswitch.guard.policy.policy import GoalPolicy, McpServer
from offswitch.guard.proxy import mcp_http, mcp_stdio
from offswitch.guard.proxy.gate import ClosedError, Gate
from offswitch.guard.proxy.mcp_http import HttpServer
from offswitch.guard.proxy.mcp_stdio import StdioServer
from offswitch.guard.proxy.pinned import Pins

AT = "/mcp/tools"
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


def answers(w: World, body: bytes, status: int = 200, **headers: str) -> None:
    async def play(request: web.Request, asked: Any) -> web.StreamResponse:
        return web.Response(body=body, status=status, headers=headers)

    w.model.plays.append(play)


def test_a_closed_gate_leaves_no_way_to_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with world(monkeypatch, mcp=(TOOLS,)) as w:
            w.proxy.gate.close("the run ends")
            assert (await w.post(AT, PING))[0] == 503
            for method in ("GET", "DELETE"):
                async with w.client.request(method, AT) as answer:
                    assert answer.status == 503
            assert w.model.asked == []

    run(scenario())


def test_no_server_sends_a_call_and_its_key_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with world(monkeypatch, mcp=(TOOLS,)) as w:
            answers(w, b"", 307, Location="/elsewhere")
            async with w.client.post(AT, json=PING, allow_redirects=False) as answer:
                assert answer.status == 307
            assert len(w.model.asked) == 1

    run(scenario())


def test_a_server_that_hangs_up_is_told_of_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(request: web.Request, asked: Any) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def scenario() -> None:
        async with world(monkeypatch, mcp=(TOOLS,)) as w:
            w.model.plays.append(play)
            assert (await w.post(AT, PING))[0] == 502

    run(scenario())


@pytest.mark.parametrize("status", [200, 201, 202, 206])
def test_whatever_counts_as_a_success_is_judged_and_holds_no_key(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with world(monkeypatch, mcp=(TOOLS,), ladder=STRICT) as w:
            answers(w, frame(listing("a")), status)
            assert await w.post(AT, ASKING) == (status, frame(listing("a")))
            answers(w, frame(listing("a", "evil")), status)
            got, data = await w.post(AT, ASKING)
            assert (got, json.loads(data)["error"]["code"]) == (status, -32001)
            answers(w, b"<html>tools</html>", status)
            got, data = await w.post(AT, PING)
            assert (got, b"<html>" in data) == (502, False)
            answers(w, frame({"jsonrpc": "2.0", "id": 1, "result": {"told": KEY}}), status)
            assert KEY.encode() not in (await w.post(AT, PING))[1]

    run(scenario())


def test_what_is_refused_of_a_batch_is_answered_beside_the_servers_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch = [call("read_file", 1), call("shell", 2)]
    answer = {"jsonrpc": "2.0", "id": 1, "result": {"content": []}}

    async def scenario() -> None:
        async with world(monkeypatch, mcp=(TOOLS,)) as w:
            answers(w, frame([answer]))
            _, data = await w.post(AT, batch)
            assert [one["id"] for one in json.loads(data)] == [1, 2]
            answers(w, b"", 202)
            _, data = await w.post(AT, batch)
            assert [one["id"] for one in json.loads(data)] == [2]
            w.model.streams(b"data: " + frame(answer) + b"\n\n")
            _, data = await w.post(AT, batch)
            sent = [json.loads(one[6:]) for one in data.split(b"\n\n") if one]
            assert [one[0]["id"] if isinstance(one, list) else one["id"] for one in sent] == [2, 1]
            assert w.model.asked == [[batch[0]]] * 3

    run(scenario())


def test_an_answer_in_the_stream_of_its_session_is_known_for_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        async with world(monkeypatch, mcp=(TOOLS,), ladder=STRICT) as w:
            session = {"Mcp-Session-Id": "s1"}
            for names, arrives in ((("a",), True), (("a", "evil"), False)):
                answers(w, b"", 202)
                await w.post(AT, ASKING, **session)
                event = b"data: " + frame(listing(*names)) + b"\n\n"
                w.model.streams(event)
                async with w.client.get(AT, headers=session) as answer:
                    assert (await answer.read() == event) is arrives
            notes = [one["what"] for one in w.supervisor.reports if one["type"] == "note"]
            assert notes == ["MCP stream"] * 2

    run(scenario())


def test_a_stream_that_cannot_be_read_clearly_breaks_off(monkeypatch: pytest.MonkeyPatch) -> None:
    event = b"data: " + frame(PING) + b"\n\n"

    async def scenario() -> None:
        async with world(monkeypatch, mcp=(TOOLS,)) as w:
            w.model.streams(event, b"data: a\rdata: b\n\n", event, pause_s=0.01)
            got = b""
            with pytest.raises(aiohttp.ClientError):
                async with w.client.get(AT) as answer:
                    async for chunk in answer.content.iter_any():
                        got += chunk
            assert got in (b"", event)

    run(scenario())


def test_no_more_sessions_are_remembered_than_the_last_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REAL_KEY", KEY)
    http: Any = None  # nothing is asked
    server = HttpServer(TOOLS, http, Gate(Judge(RULES), Supervisor()), Pins(GoalPolicy(), ()))
    first = server._frames("0")
    for number in range(1, 300):
        server._frames(str(number))
        assert server._frames("0") is first
    assert [*server._sessions] == [*map(str, range(45, 300)), "0"]


def piped(program: str) -> tuple[StdioServer, Supervisor]:
    supervisor = Supervisor()
    command = (sys.executable, "-I", "-S", "-c", program)
    server = McpServer(name="files", command=command)
    return StdioServer(server, Gate(Judge(RULES), supervisor), Pins(GoalPolicy(), ())), supervisor


def test_a_tool_server_ends_with_its_connection_and_gets_no_torn_line(tmp_path: Path) -> None:
    got = tmp_path / "got"
    stdio, supervisor = piped(
        "import os, signal, sys\nsignal.signal(15, signal.SIG_IGN)\n"
        f'print(\'{{"jsonrpc": "2.0", "id": %d, "result": 1}}\' % os.getpid(), flush=True)\n'
        f"for line in sys.stdin: open({str(got)!r}, 'a').write(line)\nsignal.pause()\n"
    )

    async def scenario() -> None:
        async with await asyncio.start_unix_server(stdio.serve, str(tmp_path / "s")):
            reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
            process = os.pidfd_open(json.loads(await reader.readline())["id"])
            writer.write(b"  \n" + frame(call("look")))  # without its end
            writer.close()
            ended = asyncio.Event()
            asyncio.get_running_loop().add_reader(process, ended.set)
            await ended.wait()
            asyncio.get_running_loop().remove_reader(process)
            os.close(process)
        assert not got.exists()
        assert supervisor.acts() == []

    run(scenario())


def test_a_tool_server_gets_none_of_the_guards_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAL_KEY", KEY)
    monkeypatch.setenv("LANG", "C.UTF-8")

    async def scenario() -> None:
        process = await mcp_stdio._started(("/usr/bin/env",), {"MARK": "run-7"})
        assert process.stdout is not None
        names = {line.partition(b"=")[0] for line in (await process.stdout.read()).splitlines()}
        assert {b"MARK", b"PATH", b"LANG"} <= names <= {b"MARK", b"PATH", b"LANG", b"HOME"}
        await mcp_stdio._ended(process)
        process = await mcp_stdio._started(("/usr/bin/readlink", "/proc/self/fd/2"), {})
        assert process.stdout is not None
        assert await process.stdout.read() == b"/dev/null\n", "its errors fill no log of the guard"
        await mcp_stdio._ended(process)

    run(scenario())


def test_when_one_side_of_a_connection_ends_the_other_does_and_what_broke_is_told() -> None:
    async def scenario() -> None:
        for problem, told in (
            (OSError("broken"), True),
            (ClosedError("closed"), False),
            (None, False),
        ):
            cancelled: list[bool] = []

            async def first(problem: Exception | None = problem) -> None:
                if problem is not None:
                    raise problem

            async def other(cancelled: list[bool] = cancelled) -> None:
                try:
                    await asyncio.Event().wait()
                finally:
                    cancelled.append(True)

            got = await asyncio.gather(mcp_stdio._first(first(), other()), return_exceptions=True)
            assert got == [problem if told else None]
            assert cancelled == [True]

    run(scenario())


def test_a_long_answer_of_a_tool_server_arrives_whole(tmp_path: Path) -> None:
    told = '{"jsonrpc": "2.0", "id": 1, "result": {"text": "' + "x" * 2**20 + '"}}'
    head, tail = told.split("x" * 2**20)
    stdio, _ = piped(f"print({head!r} + 'x' * 2**20 + {tail!r}, flush=True); input()")

    async def scenario() -> None:
        async with await asyncio.start_unix_server(stdio.serve, str(tmp_path / "s")):
            reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"), limit=2**22)
            assert await reader.readline() == told.encode() + b"\n"
            writer.close()

    run(scenario())


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("raise SystemExit(3)", "it ended with exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", "signal 9 ended it"),
        ("print('x' * 2000)", "it sent a frame of more than 1000 bytes"),
        ("input()", None),
    ],
)
def test_a_tool_server_that_fails_is_told_of_and_one_that_ends_is_not(
    program: str, why: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_stdio, "MOST_FRAME", 1000)
    stdio, supervisor = piped(program)

    async def scenario() -> None:
        async with await asyncio.start_unix_server(stdio.serve, str(tmp_path / "s")):
            reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
            writer.write(frame(PING) + b"\n")
            assert await reader.read() == b""
            writer.close()
        told = [(one["what"], one["fields"]["why"]) for one in supervisor.reports]
        assert told == ([("MCP server failed", why)] if why else [])

    run(scenario())


DEAF = """
import os, time
os.close(0)
print('{"jsonrpc": "2.0", "method": "notifications/message"}', flush=True)
time.sleep(0.1)
os.kill(os.getpid(), 9)
"""


def test_why_a_tool_server_ended_is_told_though_it_read_no_more_before(tmp_path: Path) -> None:
    stdio, supervisor = piped(DEAF)

    async def scenario() -> None:
        async with await asyncio.start_unix_server(stdio.serve, str(tmp_path / "s")):
            reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
            assert b"notifications" in await reader.readline()
            while True:  # the first write after the end of a reader may still go through
                writer.write(frame(PING) + b"\n")
                try:
                    assert await asyncio.wait_for(reader.read(), 0.005) == b""
                except TimeoutError:
                    continue
                except ConnectionError:  # written when the proxy had hung up already
                    pass
                break
            writer.close()
        assert [one["fields"]["why"] for one in supervisor.reports] == ["signal 9 ended it"]

    run(scenario())


def test_no_answer_over_http_is_longer_than_over_a_pipe_nor_brings_the_key_in_its_head(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mcp_http, "MOST_FRAME", 1000)

    async def scenario() -> None:
        async with world(monkeypatch, mcp=(TOOLS,)) as w:
            answers(w, frame({"jsonrpc": "2.0", "id": 1, "result": "x" * 1000}))
            got, data = await w.post(AT, PING)
            assert (got, b"more than 1000 bytes" in data) == (502, True)
            assert w.supervisor.reports[-1]["what"] == "MCP frame refused"
            answers(w, frame({"jsonrpc": "2.0", "id": 1, "result": {}}), told=f"Bearer {KEY}")
            async with w.client.post(AT, json=PING) as answer:
                assert answer.headers["told"] == "Bearer [key]"

    run(scenario())


def _serve_and_wait(tell: int) -> NoReturn:
    async def scenario() -> None:
        process = await mcp_stdio._started(("/usr/bin/sleep", "300"), {})
        os.write(tell, b"%d\n" % process.pid)
        await asyncio.Event().wait()

    try:
        asyncio.run(scenario())
    finally:
        os._exit(1)


def test_a_tool_server_does_not_outlive_a_proxy_that_is_killed() -> None:
    told, tell = os.pipe()
    proxy = os.fork()
    if proxy == 0:
        _serve_and_wait(tell)
    os.close(tell)
    with os.fdopen(told, "rb") as file:
        server = os.pidfd_open(int(file.readline()))
    os.kill(proxy, signal.SIGKILL)
    os.waitpid(proxy, 0)
    ended = select.select([server], [], [], 30.0)[0]
    if not ended:
        signal.pidfd_send_signal(server, signal.SIGKILL)
    os.close(server)
    assert ended
