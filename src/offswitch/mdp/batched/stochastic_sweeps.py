"""The optimal values of a process with chances, 64 rewards at a time, component by component.

States on no cycle are solved in one pass. A component with cycles is swept while its chains mix;
one that does not mix fast (periodic, with several ends, seldom left) is handed to policy iteration
as soon as the sweeps show it, with their value as its start.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.batched.components import Component, components
from offswitch.mdp.batched.elimination import Elimination, plan_elimination
from offswitch.mdp.batched.lanes import lane_rows
from offswitch.mdp.batched.loop_sweeps import sweep_loops
from offswitch.mdp.batched.newton import iterate_lanes
from offswitch.mdp.batched.plan import SolverPlan
from offswitch.mdp.batched.remember import Remember
from offswitch.mdp.batched.span_sweeps import chance_table, sweep_component
from offswitch.mdp.batched.structure import Structure

__all__ = ["solve_stochastic", "value_targets"]

ROUNDS = 4
"""Rounds policy iteration usually takes after sweeps."""
KRYLOV_WORK = 60
"""Lane rows that evaluating 64 policies by GMRES costs for every state and successor, about."""
UPDATE_WORK = 2
"""Lane rows that an update of the elimination costs: its entries seldom fit the cache."""
PICKED = 8
"""Lane rows that one transition costs if 64 lanes each pick their own."""


def solve_stochastic(
    plan: SolverPlan, reward: NDArray[np.floating[Any]]
) -> NDArray[np.floating[Any]]:
    """[S, 64] values of `reward [S, 64]`, both in internal order, in the reward's precision.

    S states. Aims at an error of `plan.tolerance` times the largest |reward| of every lane; only
    a certificate says whether rounding let it through.
    """
    value = lane_rows(plan.n_states, reward.dtype)
    target = value_targets(plan, reward)
    value[:] = 0  # not to convert uninitialised numbers between precisions
    for component, elimination in _pieces(plan.structure):
        if component.connected:
            _solve_component(plan, component, elimination, (reward, value), target)
        else:
            sweep_loops(component, plan.discount, reward, value)
    return value


def value_targets(plan: SolverPlan, reward: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """[64] the residual |TV - V| to reach: half of what the tolerance allows, the rest rounding."""
    largest = np.abs(reward).max(axis=0).astype(np.float64)
    target: NDArray[np.float64] = 0.5 * (1 - plan.discount) * plan.tolerance * largest
    return target


def _solve_component(
    plan: SolverPlan,
    component: Component,
    elimination: Elimination | None,
    arrays: tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]],
    target: NDArray[np.float64],
) -> None:
    reward, value = arrays
    whole = len(component.members) == plan.n_states
    earned = reward if whole else _rows(reward, component.members)
    budget = _budget(component, elimination)
    table = chance_table(component, plan.discount, value)
    found, met = sweep_component(table, plan.discount, earned, target, budget)
    if not met:
        table = chance_table(component, plan.discount, _double(value))
        found = _double(found)
        iterate_lanes(table, elimination, _double(earned), found, target, plan.discount)
    value[component.members] = found


def _double(array: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    return array.astype(np.float64, copy=False)


def _rows(array: NDArray[Any], members: NDArray[np.uint32]) -> NDArray[Any]:
    taken = lane_rows(len(members), array.dtype)
    np.take(array, members, axis=0, out=taken)
    return taken


def _budget(component: Component, elimination: Elimination | None) -> float:
    """The number of sweeps that policy iteration would cost."""
    n_states, n_moves = len(component.members), len(component.next_state)
    once = 2 * n_moves + _evaluation_work(component, elimination)
    return ROUNDS * once / (n_moves + 2 * n_states)


def _evaluation_work(component: Component, elimination: Elimination | None) -> float:
    """The lane rows read to evaluate 64 policies."""
    n_states = len(component.members)
    each = len(component.next_state) / len(component.stay)  # successors of a choice
    if elimination is None:
        return KRYLOV_WORK * n_states * (each + 8)
    return UPDATE_WORK * len(elimination.update) + PICKED * n_states * (each + 1)


def _with_eliminations(
    structure: Structure,
) -> tuple[tuple[Component, Elimination | None], ...]:
    return tuple(
        (component, _elimination(component) if component.connected else None)
        for component in components(structure)
    )


def _elimination(component: Component) -> Elimination | None:
    """The elimination of a component where it costs less than GMRES."""
    found = plan_elimination(component)
    if found is None or _evaluation_work(component, found) > _evaluation_work(component, None):
        return None
    return found


_pieces = Remember(_with_eliminations)
