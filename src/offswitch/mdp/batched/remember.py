"""What was derived from a structure, kept as long as the structure lives."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from offswitch.mdp.batched.structure import Structure

__all__ = ["Remember"]

T = TypeVar("T")


class Remember(Generic[T]):
    """A function of a structure that is evaluated once for each, whatever the number of threads.

    A copy of a structure sent to another process is another structure.
    """

    def __init__(self, make: Callable[[Structure], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: WeakKeyDictionary[Structure, T] = WeakKeyDictionary()

    def __call__(self, structure: Structure) -> T:
        """The value for `structure`, made now or earlier."""
        with self._lock:
            if structure not in self._made:
                self._made[structure] = self._make(structure)
            return self._made[structure]
