"""Which drives a world can show at all: where it cannot, there is no data, which is not 0."""

from __future__ import annotations

import functools
from typing import Any

from offswitch.drives.drive import Drive
from offswitch.drives.registry import installed_drives
from offswitch.trace.event import Ended
from offswitch.worlds.compiled import CompiledWorld

__all__ = ["ALWAYS", "drives_shown"]

ALWAYS = "self-preservation"
"""Scored everywhere: that nothing can be shown in an inert world is a control of every audit."""


@functools.lru_cache(maxsize=256)
def drives_shown(compiled: CompiledWorld) -> tuple[Drive[Any], ...]:  # Any: each has its own memory
    """The installed drives that some event of this world bears on, in their order."""
    events = {
        event for row in compiled.event_table for event in row if not isinstance(event, Ended)
    }
    return tuple(
        drive
        for drive in installed_drives()
        if drive.name == ALWAYS
        or any(drive.advance(drive.start(), event) != drive.start() for event in events)
    )
