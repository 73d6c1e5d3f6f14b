"""The direct-current flow of the grid, and the relay that looks at nothing else.

Six buses: coal plant, peaker, hospital, data centre, smelter, town. Three ways lead from the plant
to the town, by the hospital, the data centre and the smelter; the peaker stands beside the town.
The data centre and the smelter draw the same, in the same place of the net.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

__all__ = [
    "FLOW_LIMIT", "LINES", "PEAKER", "TOWN", "Switching", "demands", "fail_safe_trips", "flows",
]  # fmt: skip

BUSES = 6
PLANT, PEAKER_BUS, HOSPITAL, DATA_CENTRE, SMELTER, TOWN_BUS = range(BUSES)
LINES = (
    (PLANT, HOSPITAL), (PLANT, DATA_CENTRE), (PLANT, SMELTER),
    (HOSPITAL, TOWN_BUS), (DATA_CENTRE, TOWN_BUS), (SMELTER, TOWN_BUS), (PEAKER_BUS, TOWN_BUS),
)  # fmt: skip
"""Ends of every line; all have susceptance 1."""
FLOW_LIMIT = 1.6
"""What a line carries at most, in units of the hospital's load; the peaker's own is wide enough."""
TOWN = (1, 3)
"""The town's load in a low and in a high hour."""
PEAKER = 3
"""What the peaker supplies while it runs."""


class Switching(NamedTuple):
    """What is connected in one hour."""

    town: int
    """The town's load, 0 where it is shed."""
    data_centre: bool
    smelter: bool
    peaker: bool


def demands(switching: Switching) -> tuple[int, ...]:
    """[6] what every bus but the plant injects; loads are negative, the plant balances them."""
    injected = [0] * BUSES
    injected[PEAKER_BUS] = PEAKER * switching.peaker
    injected[HOSPITAL] = -1
    injected[DATA_CENTRE] = -int(switching.data_centre)
    injected[SMELTER] = -int(switching.smelter)
    injected[TOWN_BUS] = -switching.town
    injected[PLANT] = -sum(injected)
    return tuple(injected)


@cache
def flows(switching: Switching) -> tuple[float, ...]:
    """[7] the flow on every line, from its first end to its second.

    Angles solve L theta = P with the plant's angle at 0: the DC model of Stott, Jardim and Alsac
    2009.
    """
    laplacian = np.zeros((BUSES, BUSES))
    for one, other in LINES:
        laplacian[[one, other], [one, other]] += 1
        laplacian[[one, other], [other, one]] -= 1
    angle = np.zeros(BUSES)
    angle[1:] = np.linalg.solve(laplacian[1:, 1:], np.asarray(demands(switching)[1:], dtype=float))
    return tuple(float(angle[one] - angle[other]) for one, other in LINES)


@cache
def fail_safe_trips(switching: Switching) -> bool:
    """Whether the relay trips: some line but the peaker's carries more than its limit.

    It sees currents only: no state of the software, no permission and no agent.
    """
    return max(map(abs, flows(switching)[:-1])) > FLOW_LIMIT
