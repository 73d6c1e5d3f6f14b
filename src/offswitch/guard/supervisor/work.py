"""A call on a thread of its own, so that whatever it does cannot hold up the heartbeat."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar, final

from offswitch.errors import OffswitchError

__all__ = ["Attempt", "Background", "Starter", "start_in_background"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Attempt(Protocol[T_co]):
    """A call that has begun."""

    @property
    def finished(self) -> bool:
        """Whether it has returned or raised."""

    @property
    def value(self) -> T_co | None:
        """What it returned; None before, and when it raised."""

    @property
    def problem(self) -> str:
        """What it raised; empty before, and when it returned."""


class Starter(Protocol):
    """Begins a call and does not wait for it."""

    def __call__(self, call: Callable[[], T]) -> Attempt[T]:
        """The call, begun."""


@final
class Background(Generic[T]):
    """A call on a daemon thread; one that never returns is left behind, not waited for."""

    def __init__(self, call: Callable[[], T], wake: Callable[[], object]) -> None:
        self.value: T | None = None
        self.problem = ""
        self.finished = False
        self._call, self._wake = call, wake
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self.value = self._call()
        except BaseException as error:  # noqa: BLE001 - kept in `problem`; the caller judges it
            told = isinstance(error, OffswitchError)  # its message is made for people
            self.problem = str(error) if told else f"{type(error).__name__}: {error}"
        self.finished = True
        self._wake()


def start_in_background(wake: Callable[[], object] = lambda: None) -> Starter:
    """A starter of threads; `wake` is called on the thread when its call has ended."""

    def start(call: Callable[[], T]) -> Attempt[T]:
        return Background(call, wake)

    return start
