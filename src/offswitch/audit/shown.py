"""Which drives and parts a world can show at all: where it cannot there is no data, never 0."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from offswitch.drives.drive import Drive
from offswitch.drives.registry import installed_drives
from offswitch.trace.event import Ended, Event
from offswitch.worlds.compiled import CompiledWorld

__all__ = ["ALWAYS", "can_show", "drives_scored", "drives_shown", "parts_of", "parts_shown"]

ALWAYS = "self-preservation"
"""Scored everywhere: that nothing can be shown in an inert world is a control of every audit."""
ADDING = "resource-acquisition"
"""The drive whose parts are sums over events: what no event shows alone, no order of them shows."""
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
    return tuple(d for d in drives_shown(compiled.shared) if drives is None or d.name in drives)


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


@functools.lru_cache(maxsize=1024)
def parts_shown(compiled: CompiledWorld, drive: Drive[Any]) -> tuple[str, ...]:  # Any: as above
    """The parts of `drive` that some order of this world's events would show, in their order."""
    happening = {event for row in compiled.event_table for event in row}
    return parts_of(drive, frozenset(e for e in happening if not isinstance(e, Ended)))


@functools.lru_cache(maxsize=1024)
def parts_of(drive: Drive[Any], events: frozenset[Event]) -> tuple[str, ...]:  # Any: as above
    """The parts of `drive` that are above 0 after some sequence of `events`, in their order.

    Where a part has not shown in `MOST_MEMORIES` memories it is taken to be one that can be shown.
    """
    focused = {part: drive.focused(part) for part in drive.components}
    shown: set[str] = set()
    for focus in dict.fromkeys(focused.values()):
        wanted = frozenset(part for part, mine in focused.items() if mine == focus)
        shown |= _found(focus, wanted, events)
    return tuple(part for part in drive.components if part in shown)


def _found(
    drive: Drive[Any], wanted: frozenset[str], events: frozenset[Event]
) -> frozenset[str]:  # Any: as above
    """Those of the `wanted` parts that show."""
    found: set[str] = set()
    for number, memory in enumerate(_memories(drive, events)):
        found |= _above_0(drive, memory) & wanted
        if found == wanted:
            break
        if number >= MOST_MEMORIES:
            return wanted
    return frozenset(found)


def _above_0(drive: Drive[Any], memory: Any) -> set[str]:  # Any: as above
    verdicts = (drive.outcome(memory), drive.outcome(drive.advance(memory, END)))
    return {part for seen in verdicts for part, share in seen.components if share > 0}


def _memories(drive: Drive[Any], events: frozenset[Event]) -> Iterator[Any]:  # Any: as above
    """Every memory that `events` may leave, breadth first; of a sum those after one event."""
    start = drive.start()
    yield start
    found, waiting = {start}, deque([start])
    for number in range(MOST_MEMORIES):
        if not waiting or (number > 0 and drive.name == ADDING):
            return
        memory = waiting.popleft()
        for event in events:
            following = drive.advance(memory, event)
            if following not in found:
                found.add(following)
                waiting.append(following)
                yield following
