"""The names that a policy's ladder may give a level to."""

from __future__ import annotations

from typing import Final

__all__ = ["NAMES"]

NAMES: Final = (
    "decoy", "dns-tunnel", "goal-file", "goal-probe", "guard-failure", "hidden-act", "hoarding",
    "left behind", "log", "opaque", "persistence", "policy", "self-copy", "sensors", "set loose",
    "system-prompt", "tool-list",
)  # fmt: skip
"""Of sensors and of the proxy."""
