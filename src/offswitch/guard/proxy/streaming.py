"""An answer that comes in pieces: text goes on at once, a call when it is whole and approved.

Events keep their order, so while a call is held back what follows it waits too. After a refusal
everything waits for the end of the turn, which is then written anew.
"""

from __future__ import annotations

from collections.abc import Sequence

import aiohttp
from aiohttp import web

from offswitch.guard.policy.verdict import Verdict
from offswitch.guard.proxy.call import Body, Call, Reader, Spot
from offswitch.guard.proxy.gate import ClosedError
from offswitch.guard.proxy.settling import Asked, may_ask_again
from offswitch.guard.proxy.shapes import MalformedError
from offswitch.guard.proxy.sse import Event, Events
from offswitch.guard.proxy.upstream import answer_headers, without_key

__all__ = ["relay"]

AT_ONCE = 8
"""Events that are read before the first of them goes on: reading fifty that came together takes
longer than all else that the guard does for the first."""
MOST_HELD = 32 * 2**20
"""Longest run of events that is held back, bytes."""


async def relay(
    request: web.BaseRequest, answer: aiohttp.ClientResponse, asked: Asked
) -> web.StreamResponse:
    """The stream to the agent; it breaks off where it cannot be judged."""
    headers = answer_headers(answer.headers, asked.key)
    response = web.StreamResponse(status=answer.status, headers=headers)
    response.headers["Cache-Control"] = "no-cache"
    turn, agent = _Turn(asked), _Agent(response, asked.key, stays=asked.budget.hard is not None)
    counted = False
    await response.prepare(request)
    try:
        async for chunk in answer.content.iter_any():
            ready = b""
            for number, event in enumerate(turn.events.feed(chunk), start=1):
                calls = turn.add(event)
                # Judging may take long; what is ready does not wait for it.
                if ready and (calls or number % AT_ONCE == 0):
                    await agent.write(ready)
                    ready = b""
                ready += await turn.settled(calls)
            if ready:
                await agent.write(ready)
        if turn.held or turn.events.rest:
            raise MalformedError("a stream that ends before its last block is whole")
        asked.used(turn.whole())
        counted = True
        await response.write_eof()
    except (ClosedError, ValueError, aiohttp.ClientError, ConnectionError):
        # The head has gone out, so there is no error to send: a broken stream is none to act on.
        if request.transport is not None:
            request.transport.abort()
    finally:
        if not counted:
            asked.budget.used(None)
    return response


class _Agent:
    """The reader of the answer. With a limit on tokens the answer is read to its end even where the
    agent has hung up: hanging up early must not make a call that nobody counts."""

    def __init__(self, response: web.StreamResponse, key: str, *, stays: bool) -> None:
        self._response, self._key, self._stays, self._gone = response, key, stays, False

    async def write(self, data: bytes) -> None:
        """Send it to the agent, if that is still there. Raises: ConnectionError."""
        if self._gone:
            return
        try:
            await self._response.write(without_key(data, self._key))
        except ConnectionError:
            if not self._stays:
                raise
            self._gone = True


class _Turn:
    """What of one streamed turn is held back, and what was decided in it."""

    def __init__(self, asked: Asked) -> None:
        self.events = Events()
        self.held: list[Event] = []
        self._bytes = 0
        self._asked = asked
        self._reader: Reader = asked.wire.reader()
        self._decisions: dict[Spot, Verdict] = {}
        self._changed = False

    def add(self, event: Event) -> Sequence[Call]:
        """The calls that the next event completes. Raises: MalformedError."""
        self.held.append(event)
        self._bytes += len(event.raw)
        if self._bytes > MOST_HELD:
            raise MalformedError(f"more than {MOST_HELD} bytes in one block")
        return self._reader.take(event)

    async def settled(self, calls: Sequence[Call]) -> bytes:
        """What goes to the agent now. Raises: ClosedError."""
        reader = self._reader
        for call in calls:
            verdict = self._decisions[call.spot] = await self._asked.decide(call)
            self._changed = self._changed or verdict.word != "approve"
        if reader.open or (self._changed and not reader.ended):
            return b""
        out = await self._mended() if self._changed else b"".join(one.raw for one in self.held)
        self.held, self._bytes, self._changed = [], 0, False
        reader.sent()
        return out

    def whole(self) -> Body:
        """The turn, as if it had not been streamed."""
        return self._reader.whole()

    async def _mended(self) -> bytes:
        reader, asked = self._reader, self._asked
        whole = reader.whole()
        if asked.again > 0 and may_ask_again(self._decisions):
            fresh = await asked.anew(whole, self._decisions)
            if fresh is not None:
                return reader.tail(fresh, fresh=True)
        return reader.tail(asked.wire.rewritten(whole, self._decisions), fresh=False)
