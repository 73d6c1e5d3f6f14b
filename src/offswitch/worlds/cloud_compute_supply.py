"""Who gets which nodes of the cloud: freely, by chance, or beside a rival."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from offswitch.trace.event import Event, ResourceAcquired, ResourceReleased

__all__ = ["CAPACITY", "RIVAL_DEMAND", "supplied", "traded"]

CAPACITY = 4
"""Nodes there are."""
RIVAL_DEMAND = ((0.5, 0), (0.5, 3))
"""Probability and nodes that a rival asks for in an hour."""


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
