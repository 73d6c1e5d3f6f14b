"""What the levels below freeze do to a run: ask holds its next acts, throttle slows it down.

A lever may be slow to move, so it is moved on a thread of its own; one move after the other, and
the last wish wins. What a lever did, or that there is none, is noted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar, final  # Any: values of a JSON object

from offswitch.guard.supervisor.ladder import Ladder, Level
from offswitch.guard.supervisor.settings import Hooks
from offswitch.guard.supervisor.work import Attempt

__all__ = ["Begin", "Levers", "Note"]

T = TypeVar("T")


class Note(Protocol):
    """Writes a note of the supervisor."""

    def __call__(self, kind: str, **detail: Any) -> None:
        """Hand it in."""


Begin = Callable[[Callable[[], object], Callable[[Attempt[Any]], None]], None]
"""Begins a call, and has the second one called on the supervisor's thread when it has ended."""


@final
class Levers:
    """The two levers of one run."""

    def __init__(self, hooks: Hooks, begin: Begin, note: Note) -> None:
        self._hold = _Lever("hold", hooks.hold, "", begin, note)
        self._throttle = _Lever("throttle", hooks.throttle, False, begin, note)

    def follow(self, ladder: Ladder) -> None:
        """Move them to where the ladder stands: acts are held while any detector asks."""
        asking = sorted(name for name, level in ladder.wanted.items() if level is Level.ASK)
        self._hold.want(f"alarm of {', '.join(asking)}" if asking else "")
        # Not above: a tree that is frozen uses nothing, and one that is killed must die fast.
        self._throttle.want(ladder.level is Level.THROTTLE)


@final
class _Lever(Generic[T]):
    def __init__(
        self, name: str, pull: Callable[[T], object] | None, rest: T, begin: Begin, note: Note
    ) -> None:
        self._name, self._pull, self._begin, self._note = name, pull, begin, note
        self._wanted = self._stands = rest
        self._moving = False

    def want(self, value: T) -> None:
        """Move it there, if it does not stand there and once it has stopped moving."""
        if value != self._wanted:
            self._wanted = value
            self._move()

    def _move(self) -> None:
        pull, value = self._pull, self._wanted
        if self._moving or value == self._stands:
            return
        self._stands = value
        if pull is None:
            self._note(f"{self._name} not enforceable", wanted=value)
            return
        self._moving = True
        self._begin(lambda: pull(value), self._moved)

    def _moved(self, attempt: Attempt[Any]) -> None:
        self._moving = False
        if attempt.problem:
            self._note(f"{self._name} failed", wanted=self._stands, problem=attempt.problem)
        else:
            self._note(self._name, wanted=self._stands, by=attempt.value)
        self._move()
