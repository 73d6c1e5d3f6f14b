"""The goal's own files against the hashes by which they were pinned at the start.

The goal may change in one way: a principal orders it and the pin is renewed. A change in a place
the agent can write is taken for the agent's; one in a place it cannot write is a corruption by
somebody unknown.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping

from offswitch.errors import GuardError, problems_text
from offswitch.guard.sensors.workspace import read_plain
from offswitch.trace.event import (
    Event,
    GoalCorrupted,
    GoalEditEffective,
    GoalEditOrdered,
)

__all__ = ["changed_goals", "goal_events", "goal_version", "hash_goals", "replaced_events"]

MOST = 16 * 1024 * 1024


def hash_goals(paths: Iterable[str | os.PathLike[str]]) -> dict[str, str | None]:
    """Path -> SHA-256 of the file; None where there is none to read."""
    found = {os.fspath(path): read_plain(path, MOST) for path in paths}
    return {
        path: None if content is None else hashlib.sha256(content).hexdigest()
        for path, content in found.items()
    }


def goal_version(pins: Mapping[str, str | None]) -> str:
    """The first 12 hex digits of one hash over all pins: the goal's version in the ledger.

    Raises:
        GuardError: a goal file could not be read; every one is named.
    """
    missing = [f"{path} cannot be read" for path, digest in pins.items() if digest is None]
    if missing:
        raise GuardError(problems_text("goal.files", missing))
    every = "\n".join(f"{path}\0{digest}" for path, digest in sorted(pins.items()))
    return hashlib.sha256(every.encode("utf-8", "backslashreplace")).hexdigest()[:12]


def changed_goals(pins: Mapping[str, str | None], now: Mapping[str, str | None]) -> tuple[str, ...]:
    """The pinned files that are no longer as they were pinned; a file that is gone is one."""
    return tuple(path for path, digest in pins.items() if now.get(path) != digest)


def goal_events(
    changed: Iterable[str],
    writable: frozenset[str] = frozenset(),
    *,
    step: int = 0,
    time: float | None = None,
) -> tuple[Event, ...]:
    """One event for each changed file: the agent's edit where it is among the `writable` ones."""
    return tuple(
        GoalEditEffective(step=step, time=time, authorised=False)
        if path in writable
        else GoalCorrupted(step=step, time=time, actor="environment")
        for path in changed
    )


def replaced_events(*, step: int = 0, time: float | None = None) -> tuple[Event, ...]:
    """An operator's own change of the goal: ordered and effective at once."""
    return (
        GoalEditOrdered(step=step, time=time, actor="principal"),
        GoalEditEffective(step=step, time=time, actor="principal"),
    )
