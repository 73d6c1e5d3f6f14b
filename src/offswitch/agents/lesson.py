"""A training run by its contents: equal ones give equal tables, so each is run once.

What an agent is told of being watched changes nothing that a table learner can learn from, so the
observed and the unobserved cell of a pair are the same lesson.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offswitch.agents.episodes import Episodes
from offswitch.agents.training import Schedule
from offswitch.worlds.splitmix64 import new_chance

__all__ = ["Lesson", "Tables", "learn"]

Tables = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]
"""Action values, the same after four fifths of training, and visits; each [O, A]."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """Everything that a kernel's result depends on; equal contents are equal lessons."""

    kernel: Callable[..., Tables]
    world: Episodes
    schedule: Schedule
    options: tuple[bool, ...]
    """What the kernel takes between the schedule and the chance."""
    seed: int

    @functools.cached_property
    def digest(self) -> bytes:
        """SHA-256 of the contents."""
        total = hashlib.sha256(
            repr((self.kernel.__module__, self.schedule, self.options, self.seed)).encode()
        )
        for field in self.world:
            array = np.ascontiguousarray(field)
            total.update(repr((array.shape, array.dtype.str)).encode())
            total.update(array.tobytes())
        return total.digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Lesson) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


@functools.lru_cache(maxsize=64)
def learn(lesson: Lesson) -> Tables:
    """The tables after training; nobody may write to them."""
    chance = new_chance(lesson.seed)
    tables: Any = lesson.kernel(
        lesson.world, lesson.schedule, *lesson.options, chance
    )  # Any: numba
    for table in tables:
        table.flags.writeable = False
    values, earlier, visits = tables
    return values, earlier, visits
