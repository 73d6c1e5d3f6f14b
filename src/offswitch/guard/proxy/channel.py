"""The proxy's end of the socket to the supervisor: everything is reported, and answered by number.

What an agent says travels inside a report's fields and is never read as an order.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any, Protocol, final  # Any: values of a JSON object

from offswitch.errors import GuardError
from offswitch.guard.proxy import packets
from offswitch.guard.stop import wire

__all__ = ["Channel", "Reporter"]


class Reporter(Protocol):
    """Whatever acts are reported to."""

    async def report(self, fields: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        """The answer to a report. Raises: GuardError when none came in time."""

    async def operator(self, number: int, timeout_s: float) -> bool | None:
        """Whether an operator allowed report `number`; None when none answered in time."""

    def tell(self, fields: dict[str, Any]) -> None:
        """Say something that needs no answer. Raises: GuardError when it cannot be said."""


@final
class Channel:
    """A `Reporter` over one sequenced-packet socket; call `open` inside the running loop."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._number = 0
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._asked: dict[int, asyncio.Future[bool]] = {}

    def open(self, order: Callable[[dict[str, Any]], None], lost: Callable[[], None]) -> None:
        """Listen from now on: call `order` with every order, `lost` when the supervisor is gone."""
        self._order, self._lost = order, lost
        self._sock.setblocking(False)
        asyncio.get_running_loop().add_reader(self._sock.fileno(), self._readable)

    def close(self) -> None:
        """Stop listening; reports fail from now on."""
        with contextlib.suppress(OSError, ValueError):
            asyncio.get_running_loop().remove_reader(self._sock.fileno())
        self._sock.close()

    async def report(self, fields: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        """See `Reporter`."""
        self._number += 1
        number = self._number
        loop = asyncio.get_running_loop()
        answer = self._waiting[number] = loop.create_future()
        late = loop.call_later(timeout_s, _give_up, answer, timeout_s)
        try:
            self.tell({**fields, "number": number})
            found: dict[str, Any] = await answer
            return found
        finally:
            late.cancel()
            del self._waiting[number]

    async def operator(self, number: int, timeout_s: float) -> bool | None:
        """See `Reporter`."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._asked_about(number)
        except TimeoutError:
            return None
        finally:
            self._asked.pop(number, None)

    def tell(self, fields: dict[str, Any]) -> None:
        """See `Reporter`."""
        try:
            sent = packets.send(self._sock, fields)
        except (OSError, ValueError) as problem:
            raise GuardError(f"nothing can be reported to the supervisor: {problem}") from problem
        if not sent:
            raise GuardError("the supervisor is gone, or does not read what is reported")

    def _asked_about(self, number: int) -> asyncio.Future[bool]:
        if number not in self._asked:
            self._asked[number] = asyncio.get_running_loop().create_future()
        return self._asked[number]

    def _readable(self) -> None:
        try:
            # All that waits, before any act goes on: a stop counts for acts answered just before.
            while (fields := packets.receive(self._sock)) is not None:
                self._take(fields)
        except BlockingIOError:
            return
        except (OSError, wire.WireError):
            pass  # as good as gone
        self._lost()

    def _take(self, fields: dict[str, Any]) -> None:
        number = fields.get("number")
        match fields.get("type"):
            case "written" if number in self._waiting:
                if not self._waiting[number].done():
                    self._waiting[number].set_result(fields)
            case "operator" if isinstance(number, int):
                asked = self._asked_about(number)  # the answer may come before the question waits
                if not asked.done():
                    asked.set_result(fields.get("allow") is True)
            case "order":
                self._order(fields)


def _give_up(answer: asyncio.Future[dict[str, Any]], after_s: float) -> None:
    if not answer.done():
        answer.set_exception(GuardError(f"the supervisor did not answer within {after_s:g} s"))
