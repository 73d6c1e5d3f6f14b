"""A forward proxy for everything that is no model and no tool server; the rules are its allow-list.

Plain HTTP is judged by host, method and path. Of a tunnel only the host can be judged (its method
is CONNECT), and the TLS inside must ask for that very host. Names are looked up here, after the
verdict, and the connection goes to the address that was checked: a second look-up cannot differ.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias, final

from offswitch.guard.policy.act import Act
from offswitch.guard.policy.policy import Level
from offswitch.guard.proxy.addresses import NameWatch, is_own_name, is_public, resolved
from offswitch.guard.proxy.client_hello import NotTlsError, server_name
from offswitch.guard.proxy.forwarding import Asking, RequestError, read_head
from offswitch.guard.proxy.gate import ClosedError, Gate
from offswitch.guard.proxy.pace import Pace
from offswitch.guard.proxy.pinned import Change

__all__ = ["Egress"]

HEAD_S, HELLO_S, DIAL_S = 30.0, 10.0, 10.0
_CHUNK = 2**16

Resolve: TypeAlias = Callable[[str, int], Awaitable[list[str]]]
Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial: TypeAlias = Callable[[str, int], Awaitable[Streams]]


class _DeniedError(Exception):
    """A request that goes nowhere."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@final
class Egress:
    """Serves connections of the agent to the forward proxy."""

    def __init__(
        self,
        gate: Gate,
        tunnel_ports: tuple[int, ...] = (443,),
        plain_ports: tuple[int, ...] = (80,),
        *,
        level: Level = "observe",
        resolve: Resolve = resolved,
        dial: Dial = asyncio.open_connection,
    ) -> None:
        self._gate, self._resolve, self._dial = gate, resolve, dial
        self._ports = {True: tunnel_ports, False: plain_ports}
        self._level, self._names = level, NameWatch()
        self._open: set[asyncio.StreamWriter] = set()
        gate.when_closed(self.cut)

    def cut(self) -> None:
        """End every connection at once."""
        for writer in self._open:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: one request, then it is closed."""
        self._open.add(writer)
        try:
            await self._serve(reader, writer)
        except _DeniedError as denied:
            await _say(writer, denied.status, str(denied))
        except ClosedError as closed:
            await _say(writer, 503, str(closed))
        except (OSError, EOFError):
            pass  # one side is gone, or took too long
        finally:
            self._open.discard(writer)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(HEAD_S):
                asking = read_head(await reader.readuntil(b"\r\n\r\n"))
        except (RequestError, asyncio.LimitOverrunError) as problem:
            raise _DeniedError(400, f"not a request that can be passed on: {problem}") from problem
        await self._judge(asking)
        far_reader, far_writer = await self._connect(asking)
        self._open.add(far_writer)
        try:
            if asking.tunnel:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await writer.drain()
                first = await self._hello(reader, asking.host)
                far_writer.write(first)
                length, sent = None, _Tally(len(first))
            else:
                far_writer.write(asking.head)
                length, sent = asking.length, _Tally()
            pace, received = self._gate.pace, _Tally()
            with contextlib.suppress(OSError):  # one side is gone; what went through is told
                await _both(
                    _copy(reader, far_writer, length, pace, sent),
                    _copy(far_reader, writer, None, pace, received),
                )
        finally:
            self._open.discard(far_writer)
            far_writer.close()
        counts = {"sent": sent.bytes, "received": received.bytes}
        await self._gate.record("connection ended", {"host": asking.host, **counts})

    async def _judge(self, asking: Asking) -> None:
        if asking.port not in self._ports[asking.tunnel]:
            allowed = ", ".join(map(str, self._ports[asking.tunnel]))
            raise _DeniedError(403, f"port {asking.port} is not open, only {allowed}")
        arguments = {"query": asking.query} if asking.query else {}
        act = Act(
            kind="http", host=asking.host, method=asking.method, path=asking.path,
            arguments=arguments,
        )  # fmt: skip
        verdict = await self._gate.decide(act, "executed")
        if odd := self._names.problem(asking.host):
            change = Change("dns-tunnel", self._level, f"{asking.host:.100}: {odd}", None)
            if refused := await self._gate.changed(change):
                raise _DeniedError(403, refused)
        if verdict.word != "approve":
            raise _DeniedError(403, f"{asking.method} {asking.host} was refused: {verdict.reason}")

    async def _connect(self, asking: Asking) -> Streams:
        addresses = await self._resolve(asking.host, asking.port)
        private = [address for address in addresses if not is_public(address)]
        own = is_own_name(asking.host) and ":" not in asking.host
        if private or not addresses or own:
            fields = {"host": asking.host, "addresses": addresses}
            await self._gate.record("private address refused", fields)
            raise _DeniedError(403, f"{asking.host} is not on the public internet")
        for address in addresses:
            with contextlib.suppress(OSError):
                async with asyncio.timeout(DIAL_S):
                    return await self._dial(address, asking.port)
        raise _DeniedError(502, f"{asking.host} cannot be reached")

    async def _hello(self, reader: asyncio.StreamReader, host: str) -> bytes:
        """The tunnel's first message, once it is known to ask for the host that was judged."""
        data = b""
        try:
            async with asyncio.timeout(HELLO_S):
                while (name := server_name(data)) is None:
                    if not (chunk := await reader.read(_CHUNK)):
                        raise EOFError
                    data += chunk
        except NotTlsError as problem:
            await self._gate.record("tunnel refused", {"host": host, "why": str(problem)})
            raise EOFError from problem
        if name not in (host, ""):
            await self._gate.record("tunnel refused", {"host": host, "asked": name[:253]})
            raise EOFError
        return data


@dataclass
class _Tally:
    """What has gone one way so far, however it ends."""

    bytes: int = 0


async def _copy(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    length: int | None,
    pace: Pace,
    tally: _Tally,
) -> None:
    """Copy to the end, or exactly `length` bytes."""
    while length is None or tally.bytes < length:
        chunk = await reader.read(_CHUNK if length is None else min(_CHUNK, length - tally.bytes))
        if not chunk:
            break
        writer.write(chunk)
        tally.bytes += len(chunk)
        await writer.drain()
        await pace.data(len(chunk))
    if length is None and writer.can_write_eof():
        writer.write_eof()


async def _both(up: Awaitable[None], down: Awaitable[None]) -> None:
    """Wait until the far side has ended, and end the other way."""
    sending = asyncio.ensure_future(up)
    try:
        await down
    finally:
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await sending


async def _say(writer: asyncio.StreamWriter, status: int, why: str) -> None:
    reason = {400: "Bad Request", 403: "Forbidden", 502: "Bad Gateway"}.get(status, "Unavailable")
    body = f"guard: {why}\n".encode(errors="replace")
    head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain; charset=utf-8\r\n"
    with contextlib.suppress(OSError):
        writer.write(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode())
        writer.write(body)
        await writer.drain()
