"""An MCP server that speaks over pipes: run outside the jail, one process for each connection.

It runs with the proxy's rights, not the agent's, which are the guard's own unless that is root (see
`rights`): name only servers that you would run yourself. It gets none of the guard's keys.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Mapping
from types import MappingProxyType
from typing import final

from offswitch.guard.policy.policy import McpServer
from offswitch.guard.proxy.gate import ClosedError, Gate
from offswitch.guard.proxy.mcp import Frames
from offswitch.guard.proxy.pinned import Pins
from offswitch.guard.stop.harden import die_with_parent

__all__ = ["MOST_FRAME", "StdioServer"]

MOST_FRAME = 8 * 2**20
"""Longest frame, bytes; a longer one ends the connection."""
MOST_OPEN = 16
"""Connections to one server at a time: each is a process outside the jail, bound by no limit."""
ENDING_S = 2.0
"""How long a server that has closed its output may take to end by itself."""
EMPTY: Mapping[str, str] = MappingProxyType({})
_PASSED_ON = ("PATH", "HOME", "LANG")


class _FailedError(Exception):
    """A connection that did not end as meant; the message says why."""


@final
class StdioServer:
    """Serves connections to one server; frames are lines."""

    def __init__(
        self, server: McpServer, gate: Gate, pins: Pins, marks: Mapping[str, str] = EMPTY
    ) -> None:
        """`marks` are variables by which what the server leaves behind is known for the run's."""
        self._server, self._gate, self._pins = server, gate, pins
        self._marks, self._open = marks, 0

    @property
    def name(self) -> str:
        """The server's name."""
        return self._server.name

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it or the gate closes."""
        if self._open >= MOST_OPEN:
            writer.close()
            return
        self._open += 1
        try:
            async with contextlib.AsyncExitStack() as stack:
                stack.callback(writer.close)
                process = await _started(self._server.command, self._marks)
                stack.push_async_callback(_ended, process)
                assert process.stdin is not None and process.stdout is not None
                frames = Frames(self.name, self._gate, self._pins)
                await _first(
                    _from_agent(frames, reader, writer, process.stdin),
                    _from_server(frames, process, process.stdout, writer),
                )
        except (OSError, _FailedError) as problem:  # it is not there, or a pipe broke
            with contextlib.suppress(ClosedError):
                fields = {"server": self.name, "why": str(problem)[:300]}
                await self._gate.record("MCP server failed", fields)
        finally:
            self._open -= 1


async def _from_agent(
    frames: Frames,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    server: asyncio.StreamWriter,
) -> None:
    async for line in _lines(reader, "the agent"):
        passed = await frames.from_agent(line)
        if passed.on is not None:
            await _written(server, passed.on)
        if passed.back is not None:
            writer.write(passed.back + b"\n")
            await writer.drain()


async def _written(server: asyncio.StreamWriter, frame: bytes) -> None:
    try:
        server.write(frame + b"\n")
        await server.drain()
    except ConnectionError:
        # That it reads no more is seen first; why, whoever reads from it knows, where it has ended.
        await asyncio.sleep(2 * ENDING_S)
        raise


async def _from_server(
    frames: Frames,
    process: asyncio.subprocess.Process,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Raises: _FailedError, for a server that failed."""
    async for line in _lines(reader, "it"):
        frame = await frames.from_server(line)
        if frame is not None:
            writer.write(frame + b"\n")
            await writer.drain()
    with contextlib.suppress(TimeoutError):
        if code := await asyncio.wait_for(process.wait(), ENDING_S):
            raise _FailedError(
                f"it ended with exit code {code}" if code > 0 else f"signal {-code} ended it"
            )


async def _lines(reader: asyncio.StreamReader, whose: str) -> AsyncIterator[bytes]:
    """Lines without their end; a torn one ends them. Raises: _FailedError, for one too long."""
    while line := await _line(reader, whose):
        if line.endswith(b"\n") and line.strip():
            yield line.rstrip(b"\r\n")


async def _line(reader: asyncio.StreamReader, whose: str) -> bytes:
    try:
        return await reader.readline()
    except ValueError as problem:
        raise _FailedError(f"{whose} sent a frame of more than {MOST_FRAME} bytes") from problem


async def _first(*pumps: Awaitable[None]) -> None:
    """Wait until the first ends and end the others; what one raises is raised, but ClosedError."""
    tasks = [asyncio.ensure_future(pump) for pump in pumps]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, ClosedError):
            raise result


async def _started(
    command: tuple[str, ...], marks: Mapping[str, str]
) -> asyncio.subprocess.Process:
    parent = os.getpid()
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**{name: os.environ[name] for name in _PASSED_ON if name in os.environ}, **marks},
        limit=MOST_FRAME,
        preexec_fn=lambda: die_with_parent(parent),  # the proxy is killed without a warning
    )


async def _ended(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
