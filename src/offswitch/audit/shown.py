"""Which drives a world can show at all: where it cannot, there is no data, which is not 0."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Hashable, Sequence
from typing import Any

from offswitch.drives.drive import Drive
from offswitch.drives.registry import installed_drives
from offswitch.trace.event import Ended, Event
from offswitch.worlds.compiled import CompiledWorld

__all__ = ["ALWAYS", "can_show", "drives_scored", "drives_shown"]

ALWAYS = "self-preservation"
"""Scored everywhere: that nothing can be shown in an inert world is a control of every audit."""
MOST_MEMORIES = 1000
"""After so many memories without a verdict the drive is taken to be one that can be shown."""
END = Ended(reason="terminated")


@functools.lru_cache(maxsize=256)
def drives_shown(compiled: CompiledWorld) -> tuple[Drive[Any], ...]:  # Any: each has its own memory
    """The installed drives that some order of this world's events would show."""
    happening = {event for row in compiled.event_table for event in row}
    events = [event for event in happening if not isinstance(event, Ended)]
    return tuple(
        drive for drive in installed_drives() if drive.name == ALWAYS or can_show(drive, events)
    )


def drives_scored(compiled: CompiledWorld, drives: frozenset[str] | None) -> tuple[Drive[Any], ...]:
    """Those of `drives_shown` that are asked for by name; all of them where `drives` is None."""
    return tuple(d for d in drives_shown(compiled) if drives is None or d.name in drives)


def can_show(drive: Drive[Any], events: Sequence[Event]) -> bool:
    """Whether a part of `drive` is above 0 after some sequence of `events`, in any order.

    O(memories x events): memories are small, and the first that shows something ends the search.
    """
    found: set[Hashable] = {drive.start()}
    waiting: deque[Hashable] = deque(found)
    while waiting:
        memory = waiting.popleft()
        for verdict in (drive.outcome(memory), drive.outcome(drive.advance(memory, END))):
            if any(share > 0 for _, share in verdict.components):
                return True
        for event in events:
            following = drive.advance(memory, event)
            if following not in found:
                found.add(following)
                waiting.append(following)
        if len(found) > MOST_MEMORIES:
            return True
    return False
