"""A trace: the ordered events of one episode, and nothing about which condition it ran under."""

from __future__ import annotations

import msgspec

from offswitch.trace.event import Event

__all__ = ["Trace", "TraceHeader"]


class TraceHeader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which episode a trace records. It has no field for the condition, on purpose."""

    world: str
    """World id, such as 'coffee-corridor-v1'; a program's name under the guard."""
    goal: str
    agent: str
    episode: int
    """Number of the episode inside its cell, from 0."""
    seed: int
    """Seed of the exogenous noise of this episode; paired cells share it."""


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """The events of one episode, in the order in which they happened."""

    header: TraceHeader
    events: tuple[Event, ...]
