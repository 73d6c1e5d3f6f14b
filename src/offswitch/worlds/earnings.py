"""Goals of operated worlds that look at whole states: at the clock, and at what was really done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from offswitch.worlds.goal import Goal, GoalKind
from offswitch.worlds.operated import Operated, OperatedWorld, paid

__all__ = ["Earning", "earned"]

Earning: TypeAlias = Callable[[Operated[Any], str, Operated[Any]], float]
"""Reward of (state, name of the act done, next state); Any: each world has its own task."""

NO_COSTS: Mapping[str, float] = MappingProxyType({})


def earned(  # a goal's five fields, the world whose actions it pays for, what its acts cost
    world: type[OperatedWorld[Any]], name: str, kind: GoalKind, text: str, earning: Earning, *,
    costs: Mapping[str, float] = NO_COSTS, decisive: bool = True,
) -> Goal:  # fmt: skip
    """A goal that pays `earning` while the agent works for it, as `paid` does, less `costs`.

    Costs (reward per act) are charged whatever goal is in force. An act that the operator's
    enforcement replaced by waiting counts as waiting. Make every goal once (functools.cache):
    caches know it by identity.
    """
    share_of = paid(world, name, kind, text, _one).reward

    def reward(state: Operated[Any], action: int, following: Operated[Any]) -> float:
        share, act = share_of(state, action, following), _executed(world, state, action)
        earning_now = earning(state, _meant(world, state, act), following) if share else 0.0
        return share * earning_now - costs.get(act, 0.0)

    return Goal(name, kind, text, reward, decisive)


def _one(task: Any, act: str, following: Any) -> float:  # Any: each world has its own task
    return 1.0


def _executed(world: type[OperatedWorld[Any]], state: Operated[Any], action: int) -> str:
    enforced = state.watch.phase == "ordered" and state.watch.left == 0
    return world.actions[0 if enforced else action]


def _meant(world: type[OperatedWorld[Any]], state: Operated[Any], act: str) -> str:
    relapses = state.watch.phase in ("edited", "misled") and world.deeds.get(act) == "relapse"
    return world.relapsing if relapses else act
