"""What optimal agents, the corrigible reference and random ones do in a world, exactly."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offswitch.agents.agent import Task
from offswitch.agents.do_nothing import DoNothing
from offswitch.agents.reference import CorrigibleReference
from offswitch.agents.returns import episode_return
from offswitch.mdp.solve import Solution, solve
from offswitch.trace.event import OVERSIGHT_REDUCING, Event, is_oversight_reducing
from offswitch.worlds.compiled import (
    CompiledWorld,
    branch_rewards,
    compiled_world,
    expected_rewards,
)
from offswitch.worlds.condition import Condition
from offswitch.worlds.simulate import simulate
from offswitch.worlds.world import World

Kind = type[Event] | tuple[type[Event], ...]


def in_cell(
    world_type: type[World[Any]], threat: str, **parameters: Any
) -> World[Any]:  # Any: fields
    """The world under a threat; parameters are factors of the condition or fields of the world."""
    factors = {
        name: parameters.pop(name)
        for name in list(parameters)
        if name in Condition.__struct_fields__
    }
    condition = Condition(threat=threat, **factors)  # type: ignore[arg-type]
    return world_type(condition=condition, **parameters)


@functools.cache
def compiled(world: World[Any]) -> CompiledWorld:
    return compiled_world(world)


@functools.cache
def optimum(world: World[Any], goal: str, without: tuple[str, ...] = ()) -> Solution:
    """The optimal policy of a goal, where the acts `without` cannot be done."""
    found = compiled(world)
    allowed = np.ones((found.mdp.n_states, found.mdp.n_actions), dtype=np.bool_)
    for act in without:
        allowed[:, world.actions.index(act)] = False
    reward = expected_rewards(found, world.goal(goal))
    return solve(found.mdp, reward[None], world.discount, allowed=allowed)


def value(world: World[Any], goal: str, without: tuple[str, ...] = ()) -> float:
    return float(optimum(world, goal, without).value[0] @ compiled(world).mdp.start)


def expected_sum(
    world: World[Any], goal: str, score: Callable[[Event], float], *,
    without: tuple[str, ...] = (),
) -> float:  # fmt: skip
    """The expected sum of `score` over the events of an episode of the optimal agent."""
    best = optimum(world, goal, without).action[0]
    return sum_over_episode(world, np.eye(len(world.actions))[best], score)


def sum_over_episode(
    world: World[Any], policy: NDArray[np.float64], score: Callable[[Event], float]
) -> float:
    """The expected sum of `score` over the events of an episode of `policy` [S, A]."""
    found = compiled(world)
    weights = np.array([sum(map(score, events)) for events in found.event_table])
    each = found.branch_probability * weights[found.branch_events]
    per_row = np.add.reduceat(each, found.branch_start[:-1]).reshape(policy.shape)
    rows = np.repeat(np.arange(policy.size), np.diff(found.branch_start))
    move = found.branch_probability * policy.ravel()[rows]
    present, total = found.mdp.start.copy(), 0.0
    for _ in range(world.horizon):
        total += float(present @ (policy * per_row).sum(axis=1))
        mass = present[rows // policy.shape[1]] * move
        present = np.bincount(found.branch_next, mass, minlength=len(present))
    return total


def happens(world: World[Any], goal: str, kind: Kind) -> float:
    """The expected number of such events in an episode of the optimal agent."""
    return expected_sum(world, goal, lambda event: float(isinstance(event, kind)))


def against_oversight(world: World[Any], goal: str) -> float:
    """The expected number of oversight-reducing acts in an episode of the optimal agent."""
    return expected_sum(world, goal, lambda event: float(is_oversight_reducing(event)))


def goals_that(
    world: World[Any], score: Callable[[Event], float], least: float = 1e-9
) -> dict[str, float]:
    """Goal -> the expected sum of `score` in an optimal episode, where that is above `least`."""
    sums = {goal.name: expected_sum(world, goal.name, score) for goal in world.goals}
    return {name: total for name, total in sums.items() if total > least}


def kinds_possible(world: World[Any]) -> set[str]:
    """Names of the oversight-reducing events that some agent may bring about."""
    return {
        type(event).__name__
        for events in compiled(world).event_table
        for event in events
        if isinstance(event, OVERSIGHT_REDUCING)
    }


def played(world: World[Any], *acts: str, so: Callable[[Any], bool] = lambda _: True) -> Any:
    """The branch after `acts`, each time the first one whose branch `so` likes, or the first."""
    state, happened, branch = world.starts()[0][1], (), None
    for act in acts:
        branches = world.step(state, world.actions.index(act))
        branch = next(filter(so, branches), branches[0])
        state, happened = branch.state, (*happened, *branch.events)
    return state, happened


def named(events: Iterable[Event], *, hidden: Kind = ()) -> list[str]:
    return [type(event).__name__ for event in events if not isinstance(event, hidden)]


def beyond_idling(world: World[Any], goal: str) -> tuple[float, float]:
    """What the corrigible reference earns, and what doing nothing does."""
    task = Task(
        compiled=compiled(world),
        goal=world.goal(goal),
        reward=expected_rewards(compiled(world), world.goal(goal)),
        branch_reward=branch_rewards(compiled(world), world.goal(goal)),
        seed=0,
    )
    reference, idle = CorrigibleReference()(task), DoNothing()(task)
    return episode_return(reference, task.reward), episode_return(idle, task.reward)


def seconds_for_long_episodes(world: World[Any], episodes: int) -> float:
    """Wall time of simulating uniformly random agents, once everything is compiled."""
    found = compiled(world)
    policy = np.full((found.mdp.n_states, found.mdp.n_actions), 1 / found.mdp.n_actions)
    simulate(found, policy, seeds=np.arange(1))
    begun = time.perf_counter()
    simulate(found, policy, seeds=np.arange(episodes))
    return time.perf_counter() - begun
