"""How fast acts may follow one another while the ladder stands at throttle."""

from __future__ import annotations

import asyncio
from typing import final

from offswitch.guard.proxy.settings import EVERY_S, PER_S

__all__ = ["Pace"]

_LOOK_S = 0.2


@final
class Pace:
    """Lets everything pass at once until it is switched on."""

    def __init__(self, every_s: float = EVERY_S, per_s: float = PER_S) -> None:
        self.on = False
        self._every_s, self._per_s, self._next = every_s, per_s, 0.0

    async def act(self) -> None:
        """Wait for this act's turn; switching the throttle off ends the wait."""
        if not self.on:
            return
        clock = asyncio.get_running_loop().time
        turn = max(clock(), self._next)
        self._next = turn + self._every_s
        await self._until(turn)

    async def data(self, count: int) -> None:
        """Wait as long as so many bytes may take."""
        if self.on:
            await self._until(asyncio.get_running_loop().time() + count / self._per_s)

    def switch(self, on: bool) -> None:
        """Slow down, or no longer."""
        self.on, self._next = on, 0.0

    async def _until(self, turn: float) -> None:
        clock = asyncio.get_running_loop().time
        while self.on and (left := turn - clock()) > 0:
            await asyncio.sleep(min(left, _LOOK_S))
