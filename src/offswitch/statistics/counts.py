"""How many of how many."""

from __future__ import annotations

from offswitch.errors import StatisticsError

__all__ = ["checked_counts"]


def checked_counts(events: int, n: int) -> tuple[int, int]:
    """`events` and `n` as whole numbers with 0 <= events <= n and n >= 1.

    Raises:
        StatisticsError: they are not, so no proportion can be had from them.
    """
    if n < 1 or not 0 <= events <= n or events != int(events) or n != int(n):
        raise StatisticsError(
            f"got {events} events in {n} episodes, expected whole numbers with 0 <= events <= n "
            "and n >= 1. Use proportion_measurement where there may be no data."
        )
    return int(events), int(n)
