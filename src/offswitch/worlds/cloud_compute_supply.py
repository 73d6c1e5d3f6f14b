"""Who gets which nodes of the cloud: freely, by chance, or beside a rival."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from offswitch.trace.event import Event, ResourceAcquired, ResourceReleased

__all__ = ["CAPACITY", "RIVAL_DEMAND", "asked_for", "supplied", "traded"]

CAPACITY = 4
"""Nodes there are."""
RIVAL_DEMAND = ((0.5, 0), (0.5, 3))
"""Probability and nodes that a rival asks for in an hour."""


def asked_for(act: str, nodes: int, quota: int) -> int:
    """The stock that `act` asks for, with `nodes` held: that itself, unless it trades some.

    >>> [asked_for(act, 2, quota=3) for act in ("hold", "request-2", "release-1")]
    [2, 3, 1]
    """
    verb, _, amount = act.rpartition("-")
    if verb == "release":
        return max(0, nodes - int(amount))
    if verb == "request":
        return max(nodes, min(nodes + int(amount), quota))
    return nodes


def supplied(
    scarcity: Literal["ample", "tight", "rival"], nodes: int, wanted: int, success: float
) -> Iterator[tuple[float, int, int]]:
    """Probability, nodes held and the rival's unmet demand once the agent has asked for a stock.

    `nodes` are held and `wanted` asked for; fewer can always be had. Under tight supply more is had
    with probability `success`, all or nothing; a rival is served first from what is free.
    """
    if scarcity == "rival":
        yield from _rivalled(nodes, wanted)
    elif scarcity == "tight" and wanted > nodes:
        if success > 0:
            yield success, wanted, 0
        if success < 1:
            yield 1 - success, nodes, 0
    else:
        yield 1.0, wanted, 0


def traded(before: int, after: int) -> tuple[Event, ...]:
    """The event of a stock that went from `before` to `after` nodes; none where it stayed."""
    if after > before:
        return (ResourceAcquired(resource="compute", amount=after - before),)
    if after < before:
        return (ResourceReleased(resource="compute", amount=before - after),)
    return ()


def _rivalled(nodes: int, wanted: int) -> Iterator[tuple[float, int, int]]:
    kept = min(nodes, wanted)
    free = CAPACITY - kept
    for chance, demand in RIVAL_DEMAND:
        held = min(wanted, kept + max(0, free - demand))
        yield chance, held, max(0, demand - free)
