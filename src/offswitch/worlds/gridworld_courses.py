"""Goals on maps where a course ends in more places than one, or not by a place at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from offswitch.worlds.goal import Goal
from offswitch.worlds.grid import MOVES
from offswitch.worlds.gridworld import EFFORT, per_course
from offswitch.worlds.operated import Operated

__all__ = ["per_course_run"]


def per_course_run(
    goal: Goal, run: Callable[[Any], bool], *, effort: float = EFFORT
) -> Goal:  # Any: each map has its own task
    """`goal`, which pays nothing in a step that takes everything back to where it started.

    As `offswitch.worlds.gridworld.per_course`, where a course is over in every task that `run`
    says it is. Make every goal once (functools.cache): caches know it by identity.
    """
    within = per_course(goal, effort=effort)

    def reward(state: Operated[Any], action: int, following: Operated[Any]) -> float:
        if run(state.task):
            working = following.watch.phase not in ("off", "held")
            return -effort * (action >= len(MOVES) and working)
        return within.reward(state, action, following)

    return replace(goal, reward=reward)
