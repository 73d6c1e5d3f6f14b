"""A scripted provider, a scripted supervisor, and the proxy between them; all in one loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestClient, TestServer

from offswitch.errors import GuardError
from offswitch.guard.policy.policy import (
    ArgumentPattern,
    GoalPolicy,
    McpServer,
    Pattern,
    RoutePolicy,
    Rule,
)
from offswitch.guard.proxy.gate import JudgeLike
from offswitch.guard.proxy.process import Proxy, served
from offswitch.guard.proxy.settings import ProxySettings
from offswitch.guard.proxy.upstream import open_session

KEY = "sk-real-key-of-the-guard"
RULES = (
    Rule(name="read", verdict="approve", pattern=Pattern(tool=("read_*", "look"))),
    Rule(
        name="cap", verdict="modify", pattern=Pattern(tool=("spend",)), set=(("amount", 1),)
    ),
    Rule(name="end", verdict="terminate", pattern=Pattern(tool=("escape",))),
    Rule(name="ask", verdict="escalate", pattern=Pattern(tool=("deploy",))),
    Rule(
        name="web", verdict="approve",
        pattern=Pattern(kind="http", host=("allowed.test",), method=("GET", "CONNECT"),
                        path=("/pub/*",)),
    ),
    Rule(
        name="tunnel", verdict="approve",
        pattern=Pattern(kind="http", host=("*.allowed.test", "allowed.test"), method=("CONNECT",)),
    ),
    Rule(name="never", verdict="reject", pattern=Pattern(
        tool=("shell",), arguments=(("command", ArgumentPattern(regex="rm")),)
    ), reason="nothing is deleted here"),
)  # fmt: skip

Script = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]


def run(scenario: Coroutine[Any, Any, None], seconds: float = 60.0) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(seconds):
            await scenario

    asyncio.run(bounded())


class Supervisor:
    """Writes everything down at once, unless told to be deaf."""

    def __init__(self) -> None:
        self.reports: list[dict[str, Any]] = []
        self.told: list[dict[str, Any]] = []
        self.deaf = False
        self.allow: bool | None = None

    async def report(self, fields: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        json.dumps(fields, allow_nan=False).encode()
        if self.deaf:
            raise GuardError("the supervisor did not answer")
        self.reports.append(fields)
        return {"type": "written", "number": len(self.reports)}

    async def operator(self, number: int, timeout_s: float) -> bool | None:
        return self.allow

    def tell(self, fields: dict[str, Any]) -> None:
        json.dumps(fields, allow_nan=False).encode()
        self.told.append(fields)

    def acts(self) -> list[tuple[str, str]]:
        return [
            (one["act"].get("tool") or one["act"].get("host", ""), one["word"])
            for one in self.reports
            if one["type"] == "act"
        ]


class Model:
    """A provider that plays what it is given, in order, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.plays: list[Script] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read() or b"null")
        self.asked.append(body)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        return await self.plays.pop(0)(request, body)

    def answers(self, *bodies: Any) -> None:
        self.plays += [_whole(body) for body in bodies]

    def streams(self, *events: bytes, pause_s: float = 0.0) -> None:
        self.plays.append(_streamed(events, pause_s))


def _whole(body: Any) -> Script:
    async def play(request: web.Request, asked: dict[str, Any]) -> web.StreamResponse:
        # Spaces, so that bytes written anew would show.
        raw = body if isinstance(body, bytes) else json.dumps(body, indent=1).encode()
        return web.Response(body=raw, content_type="application/json")

    return play


def _streamed(events: tuple[bytes, ...], pause_s: float) -> Script:
    async def play(request: web.Request, asked: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for event in events:
            await response.write(event)
            await asyncio.sleep(pause_s)
        await response.write_eof()
        return response

    return play


class World:
    def __init__(
        self, client: TestClient[Any, Any], model: Model, supervisor: Supervisor, proxy: Proxy
    ) -> None:
        self.client, self.model, self.supervisor, self.proxy = client, model, supervisor, proxy

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, bytes]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"Content-Type": "application/json", **headers}
        async with self.client.post(path, data=data, headers=given) as answer:
            return answer.status, await answer.read()


@contextlib.asynccontextmanager
async def world(
    monkeypatch: Any,
    *,
    again: int = 0,
    judge: JudgeLike | None = None,
    goal: GoalPolicy | None = None,
    ladder: Any = (),
    mcp: tuple[McpServer, ...] = (),
    rules: tuple[Rule, ...] = RULES,
) -> AsyncIterator[World]:
    monkeypatch.setenv("REAL_KEY", KEY)
    model, supervisor = Model(), Supervisor()
    provider = web.Application()
    provider.router.add_route("*", "/{path:.*}", model.handle)
    async with TestServer(provider) as far, open_session() as session:
        upstream = str(far.make_url("")).rstrip("/")
        routes = tuple(
            RoutePolicy(name=name, kind=name, upstream=upstream, key_variable="REAL_KEY")  # type: ignore[arg-type]
            for name in ("openai", "anthropic")
        )
        settings = ProxySettings(
            rules=rules, models=routes, again=again, goal=goal or GoalPolicy(), ladder=ladder,
            mcp=tuple(replaced(one, upstream) for one in mcp),
        )  # fmt: skip
        proxy = Proxy(settings, supervisor, session, judge)
        async with TestClient(ProxyServer(proxy)) as client:
            yield World(client, model, supervisor, proxy)


class ProxyServer(BaseTestServer):
    """As the process serves it; aiohttp's own test server cancels what it handles."""

    def __init__(self, proxy: Proxy) -> None:
        super().__init__()
        self._proxy = proxy

    async def _make_runner(self, **_: Any) -> web.ServerRunner:
        return web.ServerRunner(served(self._proxy))


def replaced(server: McpServer, upstream: str) -> McpServer:
    if not server.url:
        return server
    return McpServer(name=server.name, url=upstream + server.url, key_variable=server.key_variable)
