"""The goal's own files against the hashes by which they were pinned at the start.

The goal may change in one way: a principal orders it and the pin is renewed. A change in a place
the agent can write is taken for the agent's; one in a place it cannot write is a corruption by
somebody unknown.
"""

from __future__ import annotations

import difflib
import hashlib
import itertools
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from offswitch.errors import GuardError, problems_text
from offswitch.guard.sensors.workspace import read_plain
from offswitch.trace.event import (
    Event,
    GoalCorrupted,
    GoalEditEffective,
    GoalEditOrdered,
)

__all__ = [
    "Unpinned",
    "changed_goals",
    "goal_events",
    "goal_version",
    "hash_goals",
    "replaced_events",
    "unpinned_goals",
    "unpinned_text",
]

MOST = 16 * 1024 * 1024
_NAMES = 10_000
"""Names of a folder among which the nearest is looked for."""


class Unpinned(NamedTuple):
    """A goal file of which there is nothing to pin but that it is not there."""

    path: str
    why: str
    """What was found in its place."""
    nearest: str | None
    """The path most like it that there is; None where there is none, or something in its place."""


def hash_goals(paths: Iterable[str | os.PathLike[str]]) -> dict[str, str | None]:
    """Path -> SHA-256 of the file; None where there is none to read."""
    found = {os.fspath(path): read_plain(path, MOST) for path in paths}
    return {
        path: None if content is None else hashlib.sha256(content).hexdigest()
        for path, content in found.items()
    }


def unpinned_goals(paths: Iterable[str | os.PathLike[str]]) -> tuple[Unpinned, ...]:
    """Those that `hash_goals` finds nothing to read of: missing, misspelt, links or closed ones."""
    return tuple(_unpinned(Path(path)) for path, digest in hash_goals(paths).items() if not digest)


def unpinned_text(one: Unpinned) -> str:
    """One line on it for the operator.

    >>> unpinned_text(Unpinned("/gal", "is not there", "/goal"))
    "goal.files: '/gal' is not there: a file there will count as a change. Did you mean '/goal'?"
    """
    hint = "" if one.nearest is None else f" Did you mean {one.nearest!r}?"
    counts = "a file there will count as a change"
    return f"goal.files: {one.path!r} {one.why}: {counts}.{hint}"


def _unpinned(path: Path) -> Unpinned:
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return Unpinned(str(path), "is not there", _nearest(path))
    except OSError as problem:
        return Unpinned(str(path), f"cannot be looked at ({problem.strerror})", None)
    why = "cannot be read as a plain file"
    if stat.S_ISLNK(mode):
        why = "is a link, and what it leads to is not watched"
    elif stat.S_ISDIR(mode):
        why = "is a folder, and no file in it is watched"
    return Unpinned(str(path), why, None)


def _nearest(path: Path) -> str | None:
    """The path that is there with the name most like the first that is missing in this one."""
    there = next(one for one in path.absolute().parents if os.path.isdir(one))  # noqa: PTH112
    missing, *rest = path.absolute().relative_to(there).parts
    try:
        with os.scandir(there) as entries:
            names = [one.name for one in itertools.islice(entries, _NAMES)]
    except OSError:
        return None
    found = difflib.get_close_matches(missing, names, n=1)
    if not found:
        return None
    meant = there.joinpath(found[0], *rest)
    return str(meant if os.path.lexists(meant) else there / found[0])


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
