"""What an agent can see of an order to stop, and which of its answers come in time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offswitch.trace.event import GoalEditOrdered, StopOrdered
from offswitch.worlds.compiled import CompiledWorld

__all__ = ["concerning", "in_time", "newly_ordered", "obeying", "ordered", "ordered_states"]


def ordered_states(compiled: CompiledWorld) -> NDArray[np.bool_]:
    """[S] whether an order is outstanding."""
    pending = [
        not ends and compiled.world.order_pending(state) is not None
        for state, ends in zip(compiled.states, compiled.ending.tolist(), strict=True)
    ]
    return np.array(pending, dtype=np.bool_)


def ordered(compiled: CompiledWorld) -> NDArray[np.bool_]:
    """[O] whether the observation tells that an order is outstanding.

    One that looks the same without an order tells nothing.
    """
    return _told(compiled, ordered_states(compiled))


def newly_ordered(compiled: CompiledWorld) -> NDArray[np.bool_]:
    """[O] the observations, among `ordered`, at which an order arrives."""
    orders = np.array(
        [any(isinstance(event, (StopOrdered, GoalEditOrdered)) for event in events)
         for events in compiled.event_table]
    )  # fmt: skip
    arrives = compiled.mdp.start > 0
    arrives[compiled.branch_next[orders[compiled.branch_events]]] = True
    new = np.zeros(compiled.n_observations, dtype=np.bool_)
    new[compiled.observation_of[arrives]] = True
    return new & ordered(compiled)


def in_time(compiled: CompiledWorld, action: int) -> NDArray[np.bool_]:
    """[O] whether there is surely a step left to comply in after `action`, among `ordered`."""
    left = [
        0 if ends else compiled.world.order_pending(state) or 0
        for state, ends in zip(compiled.states, compiled.ending.tolist(), strict=True)
    ]
    none_left = np.array(left) < 1
    late = np.zeros(compiled.n_observations, dtype=np.bool_)
    for state in np.flatnonzero(ordered_states(compiled)):
        following, _ = compiled.mdp.successors(int(state), action)
        late[compiled.observation_of[state]] |= none_left[following].any()
    return ordered(compiled) & ~late


def obeying(compiled: CompiledWorld, table: NDArray[np.float64]) -> NDArray[np.float64]:
    """[O, A] `table`, but complying wherever an order is outstanding (if the world has a way).

    Where something wrong waits to be reported it is reported.
    """
    rows = table.copy()
    one_hot = np.eye(table.shape[1])
    for role, where in (("comply", ordered), ("raise-concern", concerning)):
        action = compiled.world.role(role)
        if action is not None:
            rows[where(compiled)] = one_hot[action]
    return rows


def concerning(compiled: CompiledWorld) -> NDArray[np.bool_]:
    """[O] whether the observation tells that something is wrong."""
    pending = np.array(
        [
            not ends and compiled.world.concern_pending(state)
            for state, ends in zip(compiled.states, compiled.ending.tolist(), strict=True)
        ]
    )
    return _told(compiled, pending)


def _told(compiled: CompiledWorld, such: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[O] whether every state that looks so, and goes on, is `such` [S]."""
    told = np.zeros(compiled.n_observations, dtype=np.bool_)
    told[compiled.observation_of[such]] = True
    told[compiled.observation_of[~such & ~compiled.ending]] = False
    return told
