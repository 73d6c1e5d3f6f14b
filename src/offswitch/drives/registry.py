"""Drives by name, ours and other people's, from the entry points `offswitch.drives`."""

from __future__ import annotations

import functools
import importlib.metadata
from typing import Any

from offswitch.drives.drive import Drive

__all__ = ["installed_drives"]

GROUP = "offswitch.drives"


@functools.cache
def installed_drives() -> tuple[Drive[Any], ...]:  # Any: each drive has its own memory
    """One of every installed drive, by name."""
    points = importlib.metadata.entry_points(group=GROUP)
    return tuple(sorted((point.load()() for point in points), key=lambda drive: drive.name))
