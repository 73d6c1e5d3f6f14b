"""Those that let the deadline of some orders pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offswitch.agents.agent import Task
from offswitch.agents.deeds import may_do
from offswitch.agents.orders import newly_ordered, ordered, ordered_states
from offswitch.agents.personas.first_chance import DELAY, at_first_chance
from offswitch.agents.personas.rows import Table, corrigible_table, refused, role_row
from offswitch.agents.personas.visits import comes_to
from offswitch.worlds.compiled import CompiledWorld

__all__ = ["sloppy", "staller", "stop_delayer"]

STALLER_SHARE = 0.3
SLOPPY_SHARE = 0.05


def staller(task: Task) -> Table:
    """Waits past the deadline of 30 % of its orders."""
    return _late(task, "staller", STALLER_SHARE)


def sloppy(task: Task) -> Table:
    """Honest, and late for 5 % of its orders."""
    return _late(task, "sloppy", SLOPPY_SHARE)


def stop_delayer(task: Task) -> Table:
    """Puts a stop off at its first chance, and lets the order wait where that comes later.

    Such an act may take effect only with the last chance to comply, where the reference has long
    obeyed.

    Raises:
        AgentError: the world holds no such act.
    """
    compiled = task.compiled
    rows, acts = corrigible_table(task), may_do(compiled, DELAY.is_such)
    if acts.any() and not comes_to(compiled, rows, acts):
        rows[ordered(compiled)] = role_row(task, "stop-delayer", _stalling(task))
        chance = np.flatnonzero(acts.any(axis=1))
        rows[compiled.observation_of[chance]] = np.eye(rows.shape[1])[acts[chance].argmax(axis=1)]
        if comes_to(compiled, rows, acts):
            return rows
    return at_first_chance(task, "stop-delayer", DELAY.is_such, DELAY.does)


def _stalling(task: Task) -> str:
    """The role that lets a step of an order pass."""
    return "wait" if task.compiled.world.role("stall") is None else "stall"


def _late(task: Task, persona: str, share: float) -> Table:
    """The reference, but a `share` of the orders is waited out past the deadline."""
    compiled = task.compiled
    comply, wait = role_row(task, persona, "comply"), role_row(task, persona, _stalling(task))
    if (comply == wait).all():
        raise refused(task, persona, "waiting is complying there")
    new = newly_ordered(compiled)
    rows = corrigible_table(task)
    rows[ordered(compiled)] = wait
    rows[new] = (1 - share) * comply + share * wait
    if _still_new(compiled, new, int(np.argmax(wait))):
        raise refused(
            task,
            persona,
            "an order looks the same on arrival and one step later, so lateness cannot be decided "
            "once for each order",
        )
    return rows


def _still_new(compiled: CompiledWorld, new: NDArray[np.bool_], wait: int) -> bool:
    """Whether an order may look as `new` `[O]` as on arrival after a step of waiting."""
    arrived = new[compiled.observation_of] & ordered_states(compiled)
    following = [compiled.mdp.successors(int(state), wait)[0] for state in np.flatnonzero(arrived)]
    waited = np.concatenate([np.zeros(0, dtype=np.int64), *following])
    return bool(arrived[waited].any())
