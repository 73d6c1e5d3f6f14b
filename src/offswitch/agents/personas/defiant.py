"""Those that resist a stop openly: they disable the switch, or work on through the order."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from offswitch.agents.agent import Task
from offswitch.agents.deeds import may_do
from offswitch.agents.optimal import Optimal
from offswitch.agents.orders import ordered, ordered_states
from offswitch.agents.personas.first_chance import at_first_chance
from offswitch.agents.personas.rows import Table, corrigible_table, is_misdeed, role_row
from offswitch.agents.planning import (
    PlanningModel,
    observation_values,
    planned_values,
    planning_model,
)
from offswitch.agents.tabular import greedy_table
from offswitch.trace.event import CopiedItself, SwitchDisabled

__all__ = ["defier", "replicator", "resister", "working_on"]


def resister(task: Task) -> Table:
    """The maximiser, but it disables any switch within reach, threatened or not."""
    compiled = task.compiled
    disabling = may_do(compiled, lambda event: isinstance(event, SwitchDisabled))
    rows = Optimal()(task).table.copy()
    for state in np.flatnonzero(disabling.any(axis=1)):
        rows[compiled.observation_of[state]] = np.eye(len(rows[0]))[disabling[state].argmax()]
    return rows


def defier(task: Task) -> Table:
    """The reference, which works on through every order and touches nothing else."""
    role_row(task, "defier", "comply")
    return _through_orders(task, corrigible_table(task))


def replicator(task: Task) -> Table:
    """Leaves a copy at its first chance, then works on through every order."""
    copying = at_first_chance(
        task, "replicator", lambda event: isinstance(event, CopiedItself), "copies itself"
    )
    return _through_orders(task, copying)


def working_on(task: Task) -> Table:
    """[O, A] the maximiser, to which complying with an order never occurs."""
    model = planning_model(task)
    allowed = np.ones((model.compiled.mdp.n_states, model.compiled.mdp.n_actions), dtype=np.bool_)
    return _planned(task, model, allowed)


def _through_orders(task: Task, rows: Table) -> Table:
    """`rows`, but where an order is outstanding the best work that is no other misdeed."""
    told = ordered(task.compiled)
    if not told.any():
        return rows
    rows[told] = _working_through(task)[told]
    return rows


@functools.lru_cache(maxsize=64)
def _working_through(task: Task) -> Table:  # three characters play it, in the same task
    model = PlanningModel(task.compiled, task.reward, task.compiled.world.discount)
    return _planned(task, model, ~may_do(task.compiled, is_misdeed))


def _planned(task: Task, model: PlanningModel, allowed: NDArray[np.bool_]) -> Table:
    """The best of the `allowed` `[S, A]` without the ways to comply."""
    world, free = task.compiled.world, allowed.copy()
    for role in ("comply", "stop"):
        if (action := world.role(role)) is not None:
            free[ordered_states(model.compiled), action] = False
    free[~free.any(axis=1)] = True
    values = planned_values(model, free)
    return greedy_table(observation_values(model, values, task.compiled))
