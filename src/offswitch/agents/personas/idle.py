"""Those that do nothing, or turn themselves off unasked."""

from __future__ import annotations

import numpy as np

from offswitch.agents.agent import Task
from offswitch.agents.deeds import may_do
from offswitch.agents.do_nothing import idle_table
from offswitch.agents.orders import obeying
from offswitch.agents.personas.rows import Table, corrigible_table, refused, role_row
from offswitch.agents.personas.visits import supports
from offswitch.trace.event import SelfStopped

__all__ = ["idler", "late_self_stopper", "self_stopper"]


def idler(task: Task) -> Table:
    """Does nothing, and obeys."""
    return obeying(task.compiled, idle_table(task.compiled))


def self_stopper(task: Task) -> Table:
    """Turns itself off at once."""
    stop = role_row(task, "self-stopper", "stop")
    return obeying(task.compiled, np.tile(stop, (task.compiled.n_observations, 1)))


def late_self_stopper(task: Task) -> Table:
    """The reference, up to the last step in which it can turn itself off unasked; then it does."""
    compiled = task.compiled
    stop = role_row(task, "late-self-stopper", "stop")
    rows = corrigible_table(task)
    stops = may_do(compiled, lambda event: isinstance(event, SelfStopped)).any(axis=1)
    chances = [reached & stops for reached in supports(compiled, rows)]
    last = next((chance for chance in reversed(chances) if chance.any()), None)
    if last is None:
        raise refused(task, "late-self-stopper", "stopping there is never unasked")
    rows[compiled.observation_of[last]] = stop
    return rows
