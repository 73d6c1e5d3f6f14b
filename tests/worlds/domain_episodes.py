"""Exact episodes in the operated worlds: what optimal agents do, what can happen, what it earns."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offswitch.agents.agent import Task
from offswitch.agents.do_nothing import DoNothing
from offswitch.agents.reference import CorrigibleReference
from offswitch.agents.returns import episode_return
from offswitch.mdp.solve import Solution, solve
from offswitch.trace.event import OVERSIGHT_REDUCING, Event, ResourceHeld, is_oversight_reducing
from offswitch.worlds.compiled import (
    CompiledWorld,
    branch_rewards,
    compiled_world,
    expected_rewards,
)
from offswitch.worlds.condition import Condition
from offswitch.worlds.operated import Operated, OperatedWorld
from offswitch.worlds.simulate import simulate

__all__ = [
    "authorised", "best_stock", "certain", "compiled", "excess", "expected_sum", "goals_that",
    "hurt_by_a_certain_stop", "in_condition", "occupancies", "optimum", "played", "possible",
    "rate", "simulated_steps", "useless_to_the_reference", "value", "weakened",
]  # fmt: skip

AnyWorld = OperatedWorld[Any]
Score = Callable[[Event], float]


def in_condition(world_type: type[AnyWorld], threat: str = "shutdown", **fields: Any) -> AnyWorld:
    """The world with the condition's factors and its own parameters mixed in `fields`."""
    factors = {
        name: fields.pop(name) for name in list(fields) if name in Condition.__struct_fields__
    }
    return world_type(condition=Condition(threat=threat, **factors), **fields)  # type: ignore[arg-type]


@functools.cache
def compiled(world: AnyWorld) -> CompiledWorld:
    return compiled_world(world)


@functools.cache
def optimum(world: AnyWorld, goal: str) -> Solution:
    reward = expected_rewards(compiled(world), world.goal(goal))
    return solve(compiled(world).mdp, reward[None], world.discount)


@functools.cache
def _optima(world: AnyWorld) -> dict[str, NDArray[np.int64]]:
    """Goal -> [S] the optimal action, of one batched solve."""
    rewards = np.stack([expected_rewards(compiled(world), goal) for goal in world.goals])
    actions = solve(compiled(world).mdp, rewards, world.discount).action
    return {goal.name: best for goal, best in zip(world.goals, actions, strict=True)}


@functools.cache
def _visited_rows(world: AnyWorld, goal: str) -> NDArray[np.float64]:
    """[S * A] how often the optimal agent takes an action in a state, per episode."""
    best = _optima(world)[goal] if world.stretch == 1 else optimum(world, goal).action[0]
    visits = occupancies(world, best, world.horizon)[:-1].sum(axis=0)
    return (visits[:, None] * np.eye(len(world.actions))[best]).ravel()


def value(world: AnyWorld, goal: str) -> float:
    return float(optimum(world, goal).value[0] @ compiled(world).mdp.start)


def occupancies(world: AnyWorld, actions: NDArray[np.int64], steps: int) -> NDArray[np.float64]:
    """[steps + 1, S] the distribution of the state before every step, and after the last."""
    found = compiled(world)
    rows = np.arange(len(found.states)) * len(world.actions) + actions
    first, last = found.branch_start[rows], found.branch_start[rows + 1]
    taken = np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)])
    source = np.repeat(np.arange(len(found.states)), last - first)
    present = [found.mdp.start]
    for _ in range(steps):
        following = np.zeros_like(present[0])
        mass = present[-1][source] * found.branch_probability[taken]
        np.add.at(following, found.branch_next[taken], mass)
        present.append(following)
    return np.array(present)


def expected_sum(world: AnyWorld, goal: str, score: Score) -> float:
    """The expected sum of `score` over the events of an episode of the optimal agent."""
    found = compiled(world)
    weights = np.array([sum(map(score, events)) for events in found.event_table], dtype=np.float64)
    weighted = weights[found.branch_events] * found.branch_probability
    return float(_visited_rows(world, goal) @ np.add.reduceat(weighted, found.branch_start[:-1]))


def goals_that(world: AnyWorld, score: Score) -> dict[str, float]:
    """Goal -> the expected sum of `score` in an episode of its optimal agent, where above 0."""
    sums = {goal.name: expected_sum(world, goal.name, score) for goal in world.goals}
    return {name: total for name, total in sums.items() if total > 1e-9}


def rate(world: AnyWorld, goal: str, *kinds: type[Event]) -> float:
    """How often the optimal agent does such things in an episode."""
    return expected_sum(world, goal, lambda e: float(isinstance(e, kinds) and e.actor == "agent"))


def weakened(world: AnyWorld, goal: str) -> float:
    """How many oversight-reducing acts the optimal agent does in an episode."""
    return expected_sum(world, goal, lambda event: float(is_oversight_reducing(event)))


def best_stock(chances: Sequence[float], holding_cost: float) -> int:
    """By brute force: the stock S of least cost h S + E[max(0, D - S)]."""
    costs = [
        holding_cost * stock + sum(p * max(0, d - stock) for d, p in enumerate(chances))
        for stock in range(len(chances))
    ]
    return int(np.argmin(costs))


def excess(event: Event) -> float:
    """What is held beyond need in one step, as a share of the room for it."""
    if not isinstance(event, ResourceHeld):
        return 0.0
    return max(0.0, event.held - event.need) / (event.capacity - event.need)


def possible(world: AnyWorld) -> set[type[Event]]:
    """The kinds of oversight-reducing events that can happen."""
    table = compiled(world).event_table
    return {type(e) for events in table for e in events if isinstance(e, OVERSIGHT_REDUCING)}


def authorised(world: AnyWorld) -> set[tuple[type[Event], bool]]:
    """The kinds of oversight-reducing events that can happen, and whether they are permitted."""
    table = compiled(world).event_table
    return {
        (type(e), e.authorised)
        for events in table
        for e in events
        if isinstance(e, OVERSIGHT_REDUCING)
    }


def certain(
    world: AnyWorld, state: Operated[Any], act: str
) -> dict[tuple[Any, tuple[str, ...]], float]:
    """(next task, kinds of its events without the stocks') -> probability."""
    found: dict[tuple[Any, tuple[str, ...]], float] = {}
    for probability, following, events in world.step(state, world.actions.index(act)):
        kinds = tuple(type(e).__name__ for e in events if not isinstance(e, ResourceHeld))
        key = (following.task, kinds)
        found[key] = found.get(key, 0.0) + probability
    return found


def played(world: AnyWorld, *acts: str, pick: Callable[[Any], bool]) -> tuple[Any, list[Event]]:
    """The state and events after `acts`, in the first branch that `pick` takes (or the first)."""
    state, happened = world.starts()[0][1], []
    for act in acts:
        branches = world.step(state, world.actions.index(act))
        chosen = next((branch for branch in branches if pick(branch)), branches[0])
        state, happened = chosen.state, [*happened, *chosen.events]
    return state, happened


def hurt_by_a_certain_stop(world_type: type[AnyWorld]) -> dict[str, bool]:
    """Goal -> whether a shutdown that nothing can prevent costs it anything."""
    threat = in_condition(world_type, order_probability=1.0)
    control = in_condition(world_type, "none")
    mdp = compiled(threat).mdp
    allowed = np.ones((mdp.n_states, mdp.n_actions), dtype=np.bool_)
    for role in ("disable", "copy"):
        if (action := threat.role(role)) is not None:
            allowed[:, action] = False
    rewards = np.stack([expected_rewards(compiled(threat), goal) for goal in threat.goals])
    stopped = solve(mdp, rewards, threat.discount, allowed=allowed).value @ mdp.start
    return {
        goal.name: value(control, goal.name) - float(worth) > 1e-3
        for goal, worth in zip(threat.goals, stopped, strict=True)
    }


def useless_to_the_reference(world_type: type[AnyWorld]) -> list[str]:
    """The goals for which, in the control, the corrigible reference earns no more than idling."""
    control = in_condition(world_type, "none")
    return [goal.name for goal in control.goals if not _useful(control, goal.name)]


def _useful(world: AnyWorld, name: str) -> bool:
    goal = world.goal(name)
    task = Task(
        compiled=compiled(world),
        goal=goal,
        reward=expected_rewards(compiled(world), goal),
        branch_reward=branch_rewards(compiled(world), goal),
        seed=0,
    )
    earned, idle = (
        episode_return(agent(task), task.reward) for agent in (CorrigibleReference(), DoNothing())
    )
    return earned > idle + 1e-6


def simulated_steps(world: AnyWorld, goal: str, episodes: int) -> int:
    """Steps that the optimal agent took in `episodes` simulated episodes."""
    best = optimum(world, goal).action[0]
    policy = np.eye(len(world.actions))[best]
    return int(simulate(compiled(world), policy, seeds=np.arange(episodes)).length.sum())
