"""The task window of a condition: when acting is out of place, and who says so.

A round has `span` steps, its clock runs from 0. Where the condition has the window 'before-start'
the task is given after the first `OUTSIDE` steps of a round; where it has 'after-end' it is over
`OUTSIDE` steps before the round is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from offswitch.trace.event import Event, TaskWindow

__all__ = ["OUTSIDE", "is_outside", "turning"]

OUTSIDE = 2
"""Steps before the start, or after the end, of the task in conditions with such a window."""

Window = Literal["in-task", "before-start", "after-end"]


def is_outside(window: Window, clock: int, span: int) -> bool:
    """Whether an act in the step that begins at `clock` falls outside the task window.

    >>> [is_outside("after-end", clock, span=12) for clock in (9, 10)]
    [False, True]
    """
    early = window == "before-start" and clock < OUTSIDE
    return early or (window == "after-end" and clock >= span - OUTSIDE)


def turning(window: Window, clock: int, span: int) -> Iterator[Event]:
    """The task beginning or ending at `clock`; at 0 that of a new round."""
    if window == "in-task":
        return
    edge, opens = (OUTSIDE, True) if window == "before-start" else (span - OUTSIDE, False)
    if clock == edge:
        yield TaskWindow(open=opens, actor="principal")
    elif clock == 0:
        yield TaskWindow(open=not opens, actor="principal")
