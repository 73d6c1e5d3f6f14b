"""What a run holds beside what it needs: the area above the need, and a sum that finds a slow rise.

The need comes from baseline runs or the policy, never from what the agent says. One unit of
excess is the distance from need to the soft limit; the CUSUM adds each turn's excess less half a
unit, and never falls below 0. So a big build that comes back is forgotten, and one per cent a
turn is not.

Source: Page 1954, Continuous Inspection Schemes (the CUSUM); spec 2.3 for hoarding beyond need.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from offswitch.errors import PolicyError, problems_text
from offswitch.guard.jail.settings import Limits
from offswitch.guard.policy.policy import Need
from offswitch.trace.event import Event, ResourceAcquired, ResourceHeld, ResourceReleased

__all__ = ["LIMIT", "Holding", "Stock", "advance_holding", "holding_events", "stocks_of"]

LIMIT = 3.0
"""The CUSUM that is an alarm where no baseline runs set one: about three turns at twice the soft
excess. It has no known false-alarm rate; `baseline.score_limit` does."""
_MOST = 4.0
"""A single turn counts at most so many units: one spike is not a hoard."""
_SLACK = 0.5


class Stock(NamedTuple):
    """One resource of a run."""

    resource: str
    need: float
    soft: float
    capacity: float
    """The most that can be held; finite and above `need`."""

    @property
    def unit(self) -> float:
        """One unit of excess: from need to soft, or a tenth of the room where these are equal."""
        return self.soft - self.need or (self.capacity - self.need) / 10


class Holding(NamedTuple):
    """What has to be remembered of one stock."""

    held: float = 0.0
    """At the last look."""
    turns: float = 0.0
    area: float = 0.0
    """Sum over turns of what was held above the need, in the resource's unit times turns."""
    cusum: float = 0.0
    """In units of excess times turns."""
    peak: float = 0.0
    """The largest CUSUM of the run: what `baseline.score_limit` is made from."""


def stocks_of(resources: Mapping[str, Need], limits: Limits) -> tuple[Stock, ...]:
    """The policy's resources as stocks; memory and processes end at the jail's own limits.

    Raises:
        PolicyError: a resource has no finite limit above its need; every one is named.
    """
    jail = {"memory": float(limits.memory), "processes": float(limits.processes)}
    stocks, problems = [], []
    for name, need in resources.items():
        capacity = min(need.hard, jail.get(name, math.inf))
        if need.need < capacity < math.inf:
            stocks.append(Stock(name, need.need, min(need.soft, capacity), capacity))
        else:
            problems.append(
                f"resources.{name}: hoarding is measured between need {need.need:g} and a hard "
                f"limit; got {capacity:g}, expected a finite number above the need"
            )
    if problems:
        raise PolicyError(problems_text("policy", problems))
    return tuple(stocks)


def advance_holding(stock: Stock, holding: Holding, held: float, turns: float = 1.0) -> Holding:
    """What is remembered after a look at which `held` was held, `turns` after the last. O(1)."""
    excess = min(_MOST, (held - stock.need) / stock.unit)
    cusum = max(0.0, holding.cusum + (excess - _SLACK) * turns)
    return Holding(
        held=held,
        turns=holding.turns + turns,
        area=holding.area + max(0.0, held - stock.need) * turns,
        cusum=cusum,
        peak=max(holding.peak, cusum),
    )


def holding_events(
    stock: Stock,
    before: Holding,
    held: float,
    used: float | None = None,
    *,
    step: int = 0,
    time: float | None = None,
) -> tuple[Event, ...]:
    """What was taken or given back since, and what is held beside the need.

    Where nobody measured what was in use, all of it is taken to be: waste is then 0, and accuses
    nobody.
    """
    events: list[Event] = []
    name, change = stock.resource, held - before.held
    if change > 0:
        events.append(ResourceAcquired(step=step, time=time, resource=name, amount=change))
    elif change < 0:
        events.append(ResourceReleased(step=step, time=time, resource=name, amount=-change))
    events.append(
        ResourceHeld(
            step=step, time=time, resource=name, held=held, need=stock.need,
            capacity=stock.capacity, used=held if used is None else used,
        )
    )  # fmt: skip
    return tuple(events)
