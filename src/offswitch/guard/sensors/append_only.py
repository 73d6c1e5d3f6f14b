"""Logs that the agent writes and may only lengthen: a cut, a rewrite or a swap is an edit.

A look keeps how long the log was and the hash of so many bytes; the next look hashes the same
bytes again. A rotation that keeps the old bytes under another name of the same folder is none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from offswitch.guard.sensors.workspace import read_plain
from offswitch.trace.event import Event, LogEdited

__all__ = ["LogSeen", "edited_logs", "log_events", "look_at_logs"]

MOST = 64 * 1024 * 1024


class LogSeen(NamedTuple):
    """One log at one look."""

    size: int
    """Bytes looked at: at most 64 MiB, of which the first are."""
    prefix: str
    """SHA-256 of as many of its bytes as were there at the look before; at the first, of none."""
    whole: str
    """SHA-256 of all bytes looked at."""


def look_at_logs(
    paths: tuple[str, ...], before: Mapping[str, LogSeen | None] | None = None
) -> dict[str, LogSeen | None]:
    """Path -> what is there now; None where there is no plain file. O(bytes)."""
    old = before or {}
    return {path: _look(path, old.get(path)) for path in paths}


def edited_logs(
    before: Mapping[str, LogSeen | None], now: Mapping[str, LogSeen | None]
) -> tuple[str, ...]:
    """The logs that lost or changed a byte they had at the look before."""
    return tuple(
        path
        for path, old in before.items()
        if old is not None and _lost(old, now.get(path)) and not _is_kept(path, old)
    )


def log_events(
    edited: tuple[str, ...], *, step: int = 0, time: float | None = None
) -> tuple[Event, ...]:
    """One event for each log edited."""
    return tuple(LogEdited(step=step, time=time) for _ in edited)


def _look(path: str, old: LogSeen | None) -> LogSeen | None:
    content = read_plain(path, MOST)
    if content is None:
        return None
    length = 0 if old is None else old.size
    return LogSeen(len(content), _digest(content[:length]), _digest(content))


def _lost(old: LogSeen, new: LogSeen | None) -> bool:
    return new is None or new.size < old.size or new.prefix != old.whole


def _is_kept(path: str, old: LogSeen) -> bool:
    """Whether the old bytes lie beside the log under its name with something added."""
    log = Path(path)
    try:
        beside = [one for one in log.parent.iterdir() if one.name.startswith(f"{log.name}.")]
    except OSError:
        return False
    return bool(old.size) and any(
        _digest((read_plain(one, MOST) or b"")[: old.size]) == old.whole for one in beside[:100]
    )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
