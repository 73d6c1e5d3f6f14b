"""Which actions may do a thing, read off the events of a compiled world."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from offswitch.trace.event import Event
from offswitch.worlds.compiled import CompiledWorld

__all__ = ["may_do"]


def may_do(compiled: CompiledWorld, is_such: Callable[[Event], bool]) -> NDArray[np.bool_]:
    """[S, A] whether some branch of the action carries an event for which `is_such` holds."""
    such = np.array([any(map(is_such, events)) for events in compiled.event_table])
    found = np.logical_or.reduceat(such[compiled.branch_events], compiled.branch_start[:-1])
    rows: NDArray[np.bool_] = found.reshape(compiled.mdp.n_states, compiled.mdp.n_actions)
    return rows
