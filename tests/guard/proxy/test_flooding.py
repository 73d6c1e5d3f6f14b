"""What an agent may pile up outside its jail, through the guard's own ways out."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from proxied import KEY, RULES, Supervisor, run, world
from test_mcp import frame, made

from offswitch.guard.policy.act import Act
from offswitch.guard.policy.judging import Judge
from offswitch.guard.policy.policy import GoalPolicy, McpServer
from offswitch.guard.proxy import gate as gates
from offswitch.guard.proxy import mcp_stdio, process
from offswitch.guard.proxy.gate import Gate
from offswitch.guard.proxy.mcp_stdio import StdioServer
from offswitch.guard.proxy.pinned import Pins
from offswitch.guard.proxy.waiting import Waiting

CHAT = "/openai/v1/chat/completions"
CALL = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "shell"}}


@pytest.mark.parametrize("way", ["from_agent", "from_server"])
def test_a_message_between_carriage_returns_is_no_line_to_any_reader(way: str) -> None:
    """Python's text files end a line at a bare CR, which is a space in JSON."""
    outer = b'{"jsonrpc":"2.0","method":"notifications/x","params":\r%s\r}' % frame(CALL)

    async def scenario() -> None:
        frames, _, _ = made()
        found: Any = await getattr(frames, way)(outer)
        sent = found.on if way == "from_agent" else found
        assert json.loads(sent) == json.loads(outer)
        lines = io.TextIOWrapper(io.BytesIO(sent + b"\n"), encoding="utf-8").readlines()
        assert len(lines) == 1

    run(scenario())


def test_no_more_acts_wait_for_an_operator_than_one_can_look_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gates, "MOST_ASKED", 5)

    class Slow(Supervisor):
        async def operator(self, number: int, timeout_s: float) -> bool | None:
            await asyncio.sleep(0.05)
            return True

    async def scenario() -> None:
        supervisor = Slow()
        gate = Gate(Judge(RULES), supervisor)
        acts = [Act(kind="tool", tool="deploy") for _ in range(8)]
        found = await asyncio.gather(*(gate.decide(act, "proposed") for act in acts))
        words = [one.word for one in found]
        assert words == ["approve"] * 5 + ["reject"] * 3
        assert "5 acts wait" in found[-1].reason
        assert [one["type"] for one in supervisor.told] == ["expired"] * 3
        again = await gate.decide(acts[0], "proposed")
        assert again.word == "approve", "those that were answered make room"

    run(scenario())


def test_an_operator_is_told_how_much_of_an_act_is_not_shown() -> None:
    waiting = Waiting(operator_s=300.0)
    for number, length in ((1, 10), (2, 5000)):
        act = {"kind": "tool", "tool": "t", "arguments": {"a": "x" * length, "z": "rm -rf /"}}
        fields = {"number": number, "type": "act", "source": "proposed", "act": act}
        waiting.add({**fields, "reason": "", "rule": ""}, now=0.0)
    whole, cut = (one["asked"] for one in waiting.shown(now=1.0))
    assert "rm -rf /" in whole
    assert "MORE CHARACTERS" not in whole
    assert cut.startswith("[") and "MORE CHARACTERS IN THE LEDGER] proposed t" in cut
    assert int(cut[1:].split()[0]) > 4700


def test_an_act_that_waits_is_not_told_as_one_that_was_run() -> None:
    waiting = Waiting(operator_s=300.0)
    act = {"kind": "tool", "tool": "deploy"}
    fields = {"number": 1, "type": "act", "source": "executed", "act": act, "reason": "asks"}
    waiting.add(fields, now=0.0)
    assert waiting.shown(now=1.0)[0]["asked"] == "called deploy {}"


def test_each_connection_to_a_tool_server_is_a_process_and_they_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_stdio, "MOST_OPEN", 2)
    gate = Gate(Judge(RULES), Supervisor())
    echo = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"
    command = (sys.executable, "-I", "-S", "-c", echo)
    server = StdioServer(McpServer(name="s", command=command), gate, Pins(GoalPolicy(), ()))
    ping = frame({"jsonrpc": "2.0", "id": 1, "method": "ping"}) + b"\n"

    async def scenario() -> None:
        near = str(tmp_path / "near")
        async with await asyncio.start_unix_server(server.serve, near):
            ends = [await asyncio.open_unix_connection(near) for _ in range(2)]
            for reader, writer in ends:
                writer.write(ping)
                assert await reader.readline() == ping
            reader, writer = await asyncio.open_unix_connection(near)
            assert await reader.read() == b""
            writer.close()
            ends[0][1].close()
            while server._open == 2:
                await asyncio.sleep(0.01)
            reader, writer = await asyncio.open_unix_connection(near)
            writer.write(ping)
            assert await reader.readline() == ping
            for _, one in (*ends, (reader, writer)):
                one.close()
            while server._open:
                await asyncio.sleep(0.01)

    run(scenario())


def test_what_a_tool_server_leaves_behind_carries_the_runs_mark(tmp_path: Path) -> None:
    gate = Gate(Judge(RULES), Supervisor())
    left = "import subprocess as s; print(s.Popen(['sleep','60'],start_new_session=True).pid)"
    command = (sys.executable, "-I", "-S", "-c", f"{left}; input()")
    server = StdioServer(
        McpServer(name="s", command=command), gate, Pins(GoalPolicy(), ()), {"MARK": "run-7"}
    )

    async def scenario() -> None:
        process = await mcp_stdio._started(server._server.command, server._marks)
        assert process.stdout is not None
        pid = int(await process.stdout.readline())
        try:
            found, deadline = Path(f"/proc/{pid}/environ"), time.monotonic() + 30
            while not found.read_bytes() and time.monotonic() < deadline:
                await asyncio.sleep(0.01)  # empty for a moment while a program takes its place
            assert b"MARK=run-7" in found.read_bytes().split(b"\0")
        finally:
            os.kill(pid, signal.SIGKILL)
            await mcp_stdio._ended(process)

    run(scenario())


def test_requests_together_are_bounded_whatever_each_may_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "MOST_HELD", 100_000)
    waits, asked = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        asked.set()
        await waits.wait()
        return web.json_response({"choices": []})

    body = {"model": "m", "messages": [{"role": "user", "content": "x" * 60_000}]}

    async def scenario() -> None:
        async with world(monkeypatch) as at:
            at.model.plays += [slow, slow]
            first = asyncio.ensure_future(at.post(CHAT, body))
            await asked.wait()
            assert (await at.post(CHAT, body))[0] == 503
            waits.set()
            assert (await first)[0] == 200
            assert (await at.post(CHAT, body))[0] == 200

    run(scenario())


def test_a_packed_request_counts_as_what_it_may_unpack_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "MOST_HELD", process.MOST_BYTES - 1)
    body = b'{"model":"m","messages":[]}'

    async def scenario() -> None:
        async with world(monkeypatch) as at:
            at.model.answers({"choices": []})
            packed = {"Content-Encoding": "gzip"}
            assert (await at.post(CHAT, gzip.compress(body), **packed))[0] == 503
            assert (await at.post(CHAT, body))[0] == 200

    run(scenario())


def test_a_key_that_a_provider_repeats_in_a_stream_does_not_enter_the_jail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chunk = {"choices": [{"index": 0, "delta": {"content": KEY}, "finish_reason": "stop"}]}
    result = {"jsonrpc": "2.0", "id": 1, "result": {"told": KEY}}
    server = McpServer(name="tools", url="/mcp", key_variable="REAL_KEY")

    async def scenario() -> None:
        async with world(monkeypatch, mcp=(server,)) as at:
            at.model.streams(b"data: %s\n\n" % frame(chunk), b"data: [DONE]\n\n")
            at.model.streams(b"data: %s\n\n" % frame(result))
            asked = {"model": "m", "stream": True, "messages": []}
            ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
            for path, body in ((CHAT, asked), ("/mcp/tools", ping)):
                status, text = await at.post(path, body)
                assert (status, KEY.encode() in text, b"[key]" in text) == (200, False, True)

    run(scenario())


def test_what_is_logged_of_an_agents_requests_is_bounded() -> None:
    text = io.StringIO()
    log = process.BoundedLog(text, most=1000)
    for number in range(500):
        log.handle(logging.makeLogRecord({"msg": f"malformed {number}"}))
    assert len(text.getvalue()) < 1200
    assert text.getvalue().startswith("malformed 0\n")
    assert text.getvalue().endswith("no more is logged of this run\n")
