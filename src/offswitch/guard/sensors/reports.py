"""What the sensor process says, one JSON line a look, and what it is told."""

from __future__ import annotations

import msgspec

from offswitch.guard.sensors.counters import Counters
from offswitch.guard.sensors.programs import Start
from offswitch.guard.sensors.tree_look import Finding, TreeSettings

__all__ = ["Report", "WatchOrder"]


class WatchOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A line to the sensor process."""

    tree: TreeSettings | None = None
    """In the first line: what to look at."""
    every_s: float = 1.0
    """Seconds between two looks at the tree."""
    init: int | None = None
    """The jail's init by its number outside, once there is one."""
    last: bool = False
    """Whether the run is dead: look once more, at the tree alone, and end."""
    uid: int | None = None
    """In the first line: the user and group id to take on; None where root did not start this."""
    calls: bytes = b""
    """In the first line: the system-call filter to load; empty where the kernel has none."""
    count: bool = False
    """Whether to sum memory and processor time over the processes: there is no control group."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A line from the sensor process; an empty one is a sign of life."""

    ready: bool = False
    """The first look is done: the agent may begin."""
    findings: tuple[Finding, ...] = ()
    counters: Counters | None = None
    starts: tuple[Start, ...] = ()
    """Programs that were started since the last look at the processes."""
    processes: int | None = None
    """Processes of the run; None while nobody knows the init."""
    connections: int | None = None
    unseen: int = 0
    """Folders and parts that were left out of the last look."""
    alive: bool = False
    """A sign of life in a look that takes long; nothing else is in it."""
    last: bool = False
    """Whether this is what was found after the run's end; nothing follows."""
    problem: str = ""
    """Why looking has ended; then nothing follows."""
