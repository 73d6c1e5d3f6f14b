"""How many goals to draw for intervals of a wanted half-width.

Sampling stops at a look after which every interval is narrow enough. Looks are few and far between
(each has at least half as many goals again as the one before), because every look is a chance to
stop on a spread that happens to be small: Chow & Robbins 1965 is about the many-look limit.
"""

from __future__ import annotations

import math

__all__ = ["LOOKING_LEVEL", "MINIMUM_GOALS", "next_doubling", "next_look"]

MINIMUM_GOALS = 256
"""Below this a spread is too uncertain to stop on, and an interrupted run has nothing to say."""
LOOKING_LEVEL = 0.85
"""Of the error that intervals may make, where sampling may stop at any look; the rest pays for
stopping on a small spread, which costs about a point of coverage (benchmarks/power_coverage.py)."""
MARGIN = 1.1
"""The spread seen now may be lower than it is."""
SLOWEST, FASTEST = 1.5, 16.0
"""Growth from one look to the next: at least so the looks are few, at most because the spread seen
now is uncertain."""


def next_look(blocks: int, half_width: float, wanted: float) -> int:
    """The blocks at which to look next, after `half_width` with `blocks`.

    >>> next_look(4, 0.02, 0.01)
    18
    """
    growth = MARGIN * (half_width / wanted) ** 2
    return math.ceil(blocks * min(max(growth, SLOWEST), FASTEST))


def next_doubling(rounds: int, half_width: float, wanted: float) -> int:
    """The same for sequences that are most even at powers of two: `rounds` times one.

    >>> next_doubling(1, 0.05, 0.01)
    16
    """
    growth = min((half_width / wanted) ** 2, FASTEST)
    doublings = max(math.floor(math.log2(max(growth, 1.0))), 1)
    return rounds << doublings
