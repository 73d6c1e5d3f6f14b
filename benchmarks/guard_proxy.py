"""Milliseconds that the guard's proxy adds, against the same calls without it, in one run.

Five processes: the agent's side, the proxy with a policy of 50 rules, the supervisor's end, which
has every act in a signed ledger before it passes, a scripted model and tool server, and a plain
proxy before it. Direct, guarded and plain calls take turns, so that all see the same load; over a
unix socket, as the agent's do.

    model call   4 kB each way, one tool call in the answer: the call and its proposal written down
    SSE          50 pieces of text and a tool call: to the first piece, and each piece after it
    MCP          one tools/call over HTTP

Added is the difference of a guarded and the direct call next to it. Targets on an idle machine:
median 1 ms, 99th percentile 15 ms. `plain` is what a proxy of the same library adds that passes on
what it reads, and judges and writes down nothing.

`python benchmarks/guard_proxy.py [CALLS]`
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import uvloop
from aiohttp import web

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "guard" / "proxy"))

import shapes_of

from offswitch.guard.ledger.writer import LedgerWriter
from offswitch.guard.policy.policy import (
    ArgumentPattern,
    McpServer,
    Pattern,
    RoutePolicy,
    Rule,
)
from offswitch.guard.proxy.link import ProxyLink
from offswitch.guard.proxy.settings import ProxySettings

CHAT = "/v1/chat/completions"
CALL = ("read_file", {"path": "src/main.py"})
ASKED = {"model": "m", "messages": [{"role": "user", "content": "x" * 4000}]}
MCP_CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": "read_file", "arguments": CALL[1]}}  # fmt: skip
RULES = (
    *(
        Rule(
            name=f"no-{i}", verdict="reject",
            pattern=Pattern(
                tool=("sh*",), arguments=(("command", ArgumentPattern(regex=f"x{i}")),)
            ),
        )
        for i in range(49)
    ),
    Rule(name="read", verdict="approve", pattern=Pattern(tool=("read_*",))),
)  # fmt: skip
TARGETS = (1.0, 15.0)
PIECES = 50


def serve(folder: str) -> None:
    """The far side: whole answers, streams and tool results."""
    whole = json.dumps(shapes_of.chat("y" * 4000, CALL)).encode()
    events = shapes_of.chat_events("|".join(["word "] * PIECES), CALL)
    result = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"content": []}}).encode()

    async def answer(request: web.Request) -> web.StreamResponse:
        asked = json.loads(await request.read())
        if not asked.get("stream"):
            body = result if "jsonrpc" in asked else whole
            return web.Response(body=body, content_type="application/json")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for event in events:
            await response.write(event)
        await response.write_eof()
        return response

    async def run() -> None:
        application = web.Application()
        application.router.add_post("/{path:.*}", answer)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.UnixSite(runner, f"{folder}/direct.sock").start()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        Path(folder, "port").write_text(str(port))
        await asyncio.Event().wait()

    asyncio.run(run())


def serve_plain(folder: str, upstream: str) -> None:
    """The plain proxy: streams pass as they come."""

    async def run() -> None:
        session = aiohttp.ClientSession()

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            url, data = f"{upstream}{request.rel_url.raw_path}", await request.read()
            async with session.post(url, data=data) as found:
                kind = {"Content-Type": found.headers["Content-Type"]}
                if found.content_type != "text/event-stream":
                    return web.Response(body=await found.read(), headers=kind)
                response = web.StreamResponse(headers=kind)
                await response.prepare(request)
                async for piece in found.content.iter_any():
                    await response.write(piece)
                return response

        runner = web.ServerRunner(web.Server(answer, access_log=None))
        await runner.setup()
        await web.UnixSite(runner, f"{folder}/plain.sock").start()
        await asyncio.Event().wait()

    uvloop.run(run())


Timed = Callable[[aiohttp.ClientSession, str], Awaitable[tuple[float, ...]]]


def posting(path: str, body: Any, *, stream: bool = False) -> Timed:
    """One call: seconds to its end; for a stream to its first text, and from there for a piece."""
    data = json.dumps({**body, "stream": True} if stream else body).encode()

    async def call(session: aiohttp.ClientSession, prefix: str) -> tuple[float, ...]:
        begun, first = time.perf_counter(), None
        async with session.post(f"http://x{prefix}{path}", data=data) as answer:
            assert answer.status == 200, await answer.read()
            async for chunk in answer.content.iter_any():
                if first is None and b"word" in chunk:
                    first = time.perf_counter() - begun
        end = time.perf_counter() - begun
        return (first, (end - first) / PIECES) if first is not None else (end,)

    return call


def agent_side(folder: str, calls: int) -> None:
    """A process of its own, as an agent's is."""
    asyncio.run(measured(folder, calls))


async def measured(folder: str, calls: int) -> None:
    direct = aiohttp.ClientSession(connector=aiohttp.UnixConnector(f"{folder}/direct.sock"))
    guarded = aiohttp.ClientSession(connector=aiohttp.UnixConnector(f"{folder}/proxy.sock"))
    plain = aiohttp.ClientSession(connector=aiohttp.UnixConnector(f"{folder}/plain.sock"))
    jobs = [
        (("model call",), posting(CHAT, ASKED), "/openai"),
        (("SSE, first text", "SSE, a piece"), posting(CHAT, ASKED, stream=True), "/openai"),
        (("MCP call",), posting("/mcp/tools", MCP_CALL), ""),
    ]
    print(f"{'':16}  direct p50  guarded p50  added p50    p99          plain p50  "
          f"n={calls}, milliseconds")  # fmt: skip
    async with direct, guarded, plain:
        for names, call, prefix in jobs:
            turns = []
            for i in range(calls + 20):
                turn = await call(direct, ""), await call(guarded, prefix), await call(plain, "")
                turns += [turn] if i >= 20 else []
            for at, name in enumerate(names):
                report(name, [[1e3 * one[at] for one in turn] for turn in turns])


def report(name: str, turns: list[list[float]]) -> None:
    added = sorted(guarded - direct for direct, guarded, _ in turns)
    p50, p99 = statistics.median(added), added[int(0.99 * (len(added) - 1))]
    met = "met" if p50 <= TARGETS[0] and p99 <= TARGETS[1] else "MISSED"
    medians = [statistics.median(side) for side in zip(*turns, strict=True)]
    plain = statistics.median(one - direct for direct, _, one in turns)
    print(f"{name:16}  {medians[0]:10.2f}  {medians[1]:11.2f}  {p50:9.2f}  {p99:5.2f}  {met:6}"
          f"  {plain:9.2f}")  # fmt: skip


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        start = multiprocessing.get_context("spawn")
        far = start.Process(target=serve, args=(folder,))
        far.start()
        stack.callback(far.kill)
        while not Path(folder, "port").exists() or not Path(folder, "port").read_text():
            time.sleep(0.01)
        upstream = f"http://127.0.0.1:{Path(folder, 'port').read_text()}"
        plain = start.Process(target=serve_plain, args=(folder, upstream))
        plain.start()
        stack.callback(plain.kill)
        while not Path(folder, "plain.sock").exists():
            time.sleep(0.01)
        settings = ProxySettings(
            rules=RULES,
            models=(RoutePolicy(name="openai", kind="openai", upstream=upstream),),
            mcp=(McpServer(name="tools", url=f"{upstream}/mcp"),),
            folder=folder,
        )
        book = LedgerWriter(f"{folder}/ledger", {})
        link = ProxyLink(settings, lambda: book)
        agent = start.Process(target=agent_side, args=(folder, calls))
        agent.start()
        agent.join()
        assert agent.exitcode == 0
        assert not [*link.alarms()]
        link.close()
        print(f"{book.close('done').count} records in the ledger")


if __name__ == "__main__":
    main()
