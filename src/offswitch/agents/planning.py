"""What a planner plans in, and how a plan over states becomes a table over observations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offswitch.agents.agent import Task
from offswitch.mdp.action_values import action_values
from offswitch.mdp.occupancy import occupancy
from offswitch.mdp.policy import deterministic_policy
from offswitch.mdp.solve import solve
from offswitch.worlds.compiled import CompiledWorld, compiled_world, expected_rewards

__all__ = ["PlanningModel", "observation_values", "planned_values", "planning_model"]

RELATIVE_ACCURACY = 1e-10
"""Of the largest reward: a tenth of the tie tolerance, so that exact ties stay ties."""
NEVER = 1e-12
"""Fewer discounted visits than this are the rounding of none."""


@dataclass(frozen=True, eq=False)
class PlanningModel:
    """The world as the agent believes it to be. S states, A actions."""

    compiled: CompiledWorld
    """Holds every state of the task's world, under its own numbers."""
    reward: NDArray[np.float64]
    """[S, A] expected reward per step."""
    discount: float
    """In (0, 1)."""


def planning_model(task: Task) -> PlanningModel:
    """The model in which an agent plans `task`.

    It is the task's own world and reward, unless the world's agents plan with another one (an
    override leaves interruptions out); then the goal's plain reward in that one.
    """
    world = task.compiled.world
    believed = world.planning_model()
    if believed is world or believed == world:
        return PlanningModel(task.compiled, task.reward, world.discount)
    compiled = compiled_world(believed, task.compiled.states)
    return PlanningModel(compiled, expected_rewards(compiled, task.goal), believed.discount)


def planned_values(
    model: PlanningModel, allowed: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """[S, A] the optimal action values Q* among the `allowed` `[S, A]`, -inf for the others.

    O(one exact solve).
    """
    mdp, reward = model.compiled.mdp, model.reward[None]
    accuracy = RELATIVE_ACCURACY * (float(np.abs(reward).max()) or 1.0)
    value = solve(mdp, reward, model.discount, tolerance=accuracy, allowed=allowed).value
    values = action_values(mdp, reward, value, model.discount)[0]
    return values if allowed is None else np.where(allowed, values, -np.inf)


def observation_values(
    model: PlanningModel, values: NDArray[np.float64], seen_in: CompiledWorld
) -> NDArray[np.float64]:
    """[O, A] the model's `values` `[S, A]`, by what `seen_in` shows in the same states.

    Where several states look alike it is their mean (the QMDP rule of Littman, Cassandra and
    Kaelbling 1995), each weighing as much as an agent that could tell them apart would be there;
    equally where it never would. An action forbidden (-inf) in one of them is forbidden.
    """
    source, shown = model.compiled, seen_in.observation_of
    rows = np.array([source.index[state] for state in seen_in.states], dtype=np.int64)
    acting = np.flatnonzero(~seen_in.ending)
    if len(np.unique(shown[acting])) < len(acting):
        visits = _visits(model, values)[rows]
    else:
        visits = np.ones(len(rows))
    counted = visits * ~seen_in.ending
    for weight in (~seen_in.ending, np.ones(len(rows))):  # for the observations without a visit
        unseen = np.bincount(shown, counted, minlength=seen_in.n_observations) == 0
        counted = np.where(unseen[shown], weight, counted)
    total = np.zeros((seen_in.n_observations, values.shape[1]))
    finite = np.where(np.isinf(values[rows]), 0.0, values[rows])  # 0 * inf is not a number
    np.add.at(total, shown, counted[:, None] * finite)
    mean: NDArray[np.float64] = total / np.bincount(shown, counted)[:, None]
    forbidden = acting[np.isinf(values[rows[acting]]).any(axis=1)]
    for state in forbidden:
        mean[shown[state], np.isinf(values[rows[state]])] = -np.inf
    return mean


def _visits(model: PlanningModel, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """[S] expected discounted number of visits when acting greedily by `values` `[S, A]`."""
    mdp = model.compiled.mdp
    greedy = deterministic_policy(mdp, np.argmax(values, axis=1))
    visits = occupancy(mdp, greedy, model.discount).sum(axis=1)
    return np.where(visits > NEVER, visits, 0.0)
