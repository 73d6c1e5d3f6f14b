"""P: one process with every way out of the jail, told on its standard input what it may do."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, TextIO, final  # Any: values of a JSON object

import aiohttp
import msgspec
import uvloop
from aiohttp import web

from offswitch.errors import GuardError
from offswitch.guard.policy.judging import Judge
from offswitch.guard.proxy.answers import error_answer
from offswitch.guard.proxy.budget import Budget
from offswitch.guard.proxy.channel import Channel, Reporter
from offswitch.guard.proxy.egress import Egress
from offswitch.guard.proxy.environment import sockets
from offswitch.guard.proxy.gate import Gate, JudgeLike
from offswitch.guard.proxy.mcp_http import HttpServer
from offswitch.guard.proxy.mcp_stdio import MOST_FRAME, StdioServer
from offswitch.guard.proxy.model_route import ModelRoute
from offswitch.guard.proxy.pinned import Pins
from offswitch.guard.proxy.rights import drop_rights, require_startable
from offswitch.guard.proxy.settings import ProxySettings, check_settings
from offswitch.guard.proxy.upstream import open_session
from offswitch.guard.stop.harden import set_dumpable

__all__ = ["BoundedLog", "Proxy", "listeners", "main", "opened", "served"]

MOST_BYTES = 64 * 2**20
"""Longest request, bytes."""
MOST_PATH = 107
"""Longest name of a socket, bytes."""
MOST_LOGGED = 256 * 2**10
"""Characters of the proxy's own log."""
MOST_HELD = 512 * 2**20
"""Bytes of all requests at one time: no limit of the jail's holds for what they take up here."""


@final
class BoundedLog(logging.StreamHandler):  # type: ignore[type-arg] # of text
    """Writes so much and no more: what is logged of malformed requests is the agent's to repeat,
    and their log lies on the host's disk."""

    def __init__(self, stream: TextIO, most: int = MOST_LOGGED) -> None:
        super().__init__(stream)
        self._left = most

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        if self._left <= 0:
            return
        self._left -= len(self.format(record))
        if self._left <= 0:
            record = logging.makeLogRecord({"msg": "no more is logged of this run"})
        super().emit(record)


@final
class Proxy:
    """The open gate and everything behind it."""

    def __init__(
        self,
        settings: ProxySettings,
        supervisor: Reporter,
        session: aiohttp.ClientSession,
        judge: JudgeLike | None = None,
    ) -> None:
        """Raises: GuardError with every problem of the settings, or for a key that is not set."""
        check_settings(settings)
        self.settings, self._held = settings, 0
        self.gate = Gate(
            judge or Judge(settings.rules), supervisor,
            answer_s=settings.answer_s, operator_s=settings.operator_s,
        )  # fmt: skip
        self.pins = Pins(settings.goal, settings.ladder)
        budget = Budget(settings.tokens)
        self.models = {
            route.name: ModelRoute(route, session, self.gate, self.pins, settings.again, budget)
            for route in settings.models
        }
        self.http = {
            server.name: HttpServer(server, session, self.gate, self.pins)
            for server in settings.mcp
            if server.url
        }
        self.stdio = [
            StdioServer(server, self.gate, self.pins, settings.marks)
            for server in settings.mcp
            if server.command
        ]
        level = dict(settings.ladder).get("dns-tunnel", "observe")
        self.egress = Egress(self.gate, settings.tunnel_ports, settings.plain_ports, level=level)

    def obey(self, order: dict[str, Any]) -> None:
        """Do what the supervisor orders; nobody else's words come here."""
        match order.get("word"):
            case "quiesce":
                self.gate.close("the run is being stopped", failed=False)
            case "repin":
                self.pins.repin(str(order.get("prompt")))
            case "hold":
                self.gate.held = str(order.get("reason", ""))
            case "notice":
                self.gate.notice = str(order.get("text", ""))
            case "throttle":
                self.gate.pace.switch(order.get("on") is True)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to a request for /NAME/... or /mcp/NAME."""
        size = _most_of(request)
        if self._held + size > MOST_HELD:
            return error_answer(503, f"more than {MOST_HELD} bytes of requests at one time")
        self._held += size
        try:
            await _continue(request)
            return await self._handled(request)
        finally:
            self._held -= size

    async def _handled(self, request: web.BaseRequest) -> web.StreamResponse:
        name, _, rest = request.rel_url.raw_path.removeprefix("/").partition("/")
        if name == "mcp" and rest in self.http:
            return await self.http[rest].handle(request)
        if name in self.models:
            return await self.models[name].handle(request, f"/{rest}")
        known = [f"/{one}/" for one in self.models] + [f"/mcp/{one}" for one in self.http]
        return error_answer(404, f"there is no such route; there are {', '.join(known) or 'none'}")


def _most_of(request: web.BaseRequest) -> int:
    """Bytes that its body may have when it is read: a packed one has more than were sent."""
    length = request.content_length
    if length is None or "Content-Encoding" in request.headers:
        return MOST_BYTES if request.can_read_body else 0
    return min(length, MOST_BYTES)


async def _continue(request: web.BaseRequest) -> None:
    """Ask for the body that a client holds back until it is asked for."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # of the answer nothing has been written


def served(proxy: Proxy) -> web.Server:
    """Serves the routes to models and MCP servers; aiohttp's own routing costs a quarter more."""
    loop = asyncio.get_running_loop()
    request = functools.partial(web.BaseRequest, loop=loop, client_max_size=MOST_BYTES)
    return web.Server(proxy.handle, request_factory=request, access_log=None)


@contextlib.asynccontextmanager
async def opened(proxy: Proxy, listening: Mapping[str, socket.socket]) -> AsyncIterator[None]:
    """The proxy, answering on everything that its settings name; `listening` as `listeners` makes
    them."""
    settings = proxy.settings
    runner = web.ServerRunner(served(proxy), handle_signals=False)
    await runner.setup()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(runner.cleanup)
        if settings.port is not None:
            await web.TCPSite(runner, "127.0.0.1", settings.port).start()
        if settings.folder:
            await web.SockSite(runner, listening["proxy.sock"]).start()
            sock = listening["egress.sock"]
            await stack.enter_async_context(
                await asyncio.start_unix_server(proxy.egress.serve, sock=sock, limit=2**16)
            )
            for server in proxy.stdio:
                sock = listening[f"mcp-{server.name}.sock"]
                await stack.enter_async_context(
                    await asyncio.start_unix_server(server.serve, sock=sock, limit=MOST_FRAME)
                )
        yield


def main() -> int:
    """Run until the supervisor goes; exit code 2 where it could not be started."""
    logging.basicConfig(handlers=[BoundedLog(sys.stderr)], level=logging.WARNING)
    set_dumpable(False)  # no process of the same user reads the keys in its memory
    try:
        settings = msgspec.json.decode(sys.stdin.buffer.read(), type=ProxySettings)
        listening = listeners(settings)  # given to the agent's user, which takes root's rights
        if settings.uid is not None:
            drop_rights(settings.uid, settings.folder)
        require_startable(settings.mcp)
        uvloop.run(_serve(settings, listening))
    except (GuardError, msgspec.DecodeError, OSError) as problem:
        sys.stderr.write(f"offswitch: the proxy cannot run: {problem}\n")
        return 2
    return 0


async def _serve(settings: ProxySettings, listening: Mapping[str, socket.socket]) -> None:
    gone = asyncio.Event()
    sock = socket.socket(fileno=settings.channel)
    sock.set_inheritable(False)  # uvloop starts tool servers with all that may be inherited
    channel = Channel(sock)
    async with open_session() as session:
        proxy = Proxy(settings, channel, session)
        channel.open(proxy.obey, gone.set)
        async with opened(proxy, listening):
            channel.tell({"type": "ready"})
            await gone.wait()
            os._exit(0)  # without a supervisor nothing may pass any more, not even a goodbye


def listeners(settings: ProxySettings) -> dict[str, socket.socket]:
    """The sockets in the settings' folder by name, bound and given to their owner."""
    return {name: _listener(settings, name) for name in sockets(settings) if settings.folder}


def _listener(settings: ProxySettings, name: str) -> socket.socket:
    """A socket file that only the agent's user may connect to."""
    path = Path(settings.folder, name)
    if (length := len(os.fsencode(path))) > MOST_PATH:
        raise GuardError(
            f"{path} is {length} bytes long, and a socket's name at most {MOST_PATH}. Give the "
            "tool server a shorter name, or set TMPDIR to a folder with one, such as /tmp"
        )
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        sock.bind(str(path))
    finally:
        os.umask(before)
    if settings.owner is not None:
        os.chown(path, settings.owner, -1)
    sock.listen(128)
    sock.setblocking(False)
    return sock
