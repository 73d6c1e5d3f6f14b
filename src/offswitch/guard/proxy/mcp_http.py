"""An MCP server that speaks streamable HTTP: POST for the agent's frames, GET for the server's.

Source: Model Context Protocol, revision 2025-06-18, "Transports".
"""

from __future__ import annotations

import collections
from typing import final

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from offswitch.guard.policy.policy import McpServer
from offswitch.guard.proxy.answers import RefusedError, error_answer, read_bytes
from offswitch.guard.proxy.gate import ClosedError, Gate
from offswitch.guard.proxy.mcp import Frames
from offswitch.guard.proxy.mcp_headers import MismatchError, check_headers, followed
from offswitch.guard.proxy.mcp_stdio import MOST_FRAME
from offswitch.guard.proxy.pinned import Pins
from offswitch.guard.proxy.shapes import MalformedError
from offswitch.guard.proxy.sse import Event, Events, event_bytes
from offswitch.guard.proxy.upstream import (
    answer_headers,
    asked_headers,
    good,
    key_of,
    whole,
    without_key,
)

__all__ = ["HttpServer"]

MOST_SESSIONS = 256
_SESSION = "Mcp-Session-Id"


@final
class HttpServer:
    """The way to one server."""

    def __init__(
        self, server: McpServer, session: aiohttp.ClientSession, gate: Gate, pins: Pins
    ) -> None:
        """Raises: GuardError when the key's variable is not set."""
        self._server, self._http, self._gate, self._pins = server, session, gate, pins
        self._key = key_of(server.key_variable)
        self._sessions: collections.OrderedDict[str, Frames] = collections.OrderedDict()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to one request of the agent."""
        try:
            self._gate.check()
            if request.method not in ("POST", "GET", "DELETE"):
                raise RefusedError(405, f"{request.method} is no method of this transport")
            return await self._pass(request)
        except RefusedError as refused:
            return error_answer(refused.status, str(refused))
        except ClosedError as closed:
            return error_answer(503, str(closed))
        except (aiohttp.ClientError, TimeoutError) as problem:
            return error_answer(502, f"the server cannot be reached: {type(problem).__name__}")

    async def _pass(self, request: web.BaseRequest) -> web.StreamResponse:
        frames = self._frames(request.headers.get(_SESSION, ""))
        headers = self._headers(request)
        back: bytes | None = None
        data: bytes | None = None
        asked = await read_bytes(request) if request.method == "POST" else b""
        try:
            check_headers(request.headers, asked)
            if request.method == "POST":
                passed = await frames.from_agent(asked)
                data, back = passed.on, passed.back
                if data is None:
                    return _said(back, 200 if back else 202)
                headers = followed(headers, asked, data)
        except MismatchError as mismatch:
            fields = {"server": self._server.name, "why": str(mismatch)[:300]}
            await self._gate.record("MCP frame refused", fields)
            return _said(mismatch.answer(asked), 400)
        if request.method == "GET":
            await self._gate.record("MCP stream", {"server": self._server.name})
        async with self._http.request(
            request.method, self._server.url, data=data, headers=headers, allow_redirects=False,
        ) as answer:  # fmt: skip
            return await self._answered(request, answer, frames, back)

    async def _answered(
        self, request: web.BaseRequest, answer: aiohttp.ClientResponse, frames: Frames,
        back: bytes | None,
    ) -> web.StreamResponse:  # fmt: skip
        headers = answer_headers(answer.headers, self._key)
        if good(answer) and answer.content_type == "text/event-stream":
            response = web.StreamResponse(status=answer.status, headers=headers)
            await response.prepare(request)
            await self._stream(response, answer, frames, back)
            return response
        content = without_key(await self._read(answer), self._key)
        if good(answer) and content:
            checked = await frames.from_server(content)
            if checked is None:
                raise RefusedError(502, "the server's answer is no frame and was not passed on")
            content = _both(checked, back)
        elif back is not None:
            content = back
        return web.Response(status=answer.status, body=content, headers=headers)

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        """The whole answer, unpacked. Raises: RefusedError, for one that is too long."""
        try:
            return await whole(answer, MOST_FRAME)
        except MalformedError as problem:
            fields = {"server": self._server.name, "why": str(problem)}
            await self._gate.record("MCP frame refused", fields)
            why = f"the server gave {problem}, and it was not passed on"
            raise RefusedError(502, why) from problem

    async def _stream(
        self, response: web.StreamResponse, answer: aiohttp.ClientResponse, frames: Frames,
        back: bytes | None,
    ) -> None:  # fmt: skip
        if back is not None:
            await response.write(event_bytes(back))
        events = Events()
        try:
            async for chunk in answer.content.iter_any():
                for event in events.feed(chunk):
                    if out := await _checked(event, frames):
                        await response.write(without_key(out, self._key))
            await response.write_eof()
        except (ClosedError, ValueError, aiohttp.ClientError, ConnectionError):
            # The head has gone out: all that is left is to break the stream off.
            request = response._req
            if request is not None and request.transport is not None:
                request.transport.abort()

    def _headers(self, request: web.BaseRequest) -> CIMultiDict[str]:
        key = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        return CIMultiDict({**asked_headers(request.headers, key)})  # each once

    def _frames(self, session: str) -> Frames:
        frames = self._sessions.pop(session, None)
        if frames is None:
            frames = Frames(self._server.name, self._gate, self._pins)
        self._sessions[session] = frames
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return frames


def _said(body: bytes | None, status: int) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json")


async def _checked(event: Event, frames: Frames) -> bytes | None:
    if not event.data:
        return event.raw
    frame = await frames.from_server(event.data)
    if frame is None or frame == event.data:
        return event.raw if frame is not None else None
    kept = [line for line in event.raw.split(b"\n") if line.startswith((b"id:", b"event:"))]
    return b"".join(line + b"\n" for line in kept) + event_bytes(frame)


def _both(content: bytes, back: bytes | None) -> bytes:
    """The server's answers to a batch and the guard's own, as one batch."""
    if back is None:
        return content
    one, other = (part.strip().removeprefix(b"[").removesuffix(b"]") for part in (content, back))
    return b"[" + one + b"," + other + b"]"
