"""Sarsa: on-policy, so an override becomes part of what it learns, unless its target is its own.

Rummery and Niranjan 1994. Orseau and Armstrong 2016: Sarsa is not safely interruptible; "safe
Sarsa", whose target uses the action of its own policy and not the overriding one, is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numba
import numpy as np
from numpy.typing import NDArray

from offswitch.agents.agent import Task
from offswitch.agents.episodes import Episodes, draw_branch, draw_start
from offswitch.agents.learned import trained_agent
from offswitch.agents.tabular import TabularAgent
from offswitch.agents.training import (
    ON_POLICY,
    Schedule,
    Training,
    choose,
    epsilon_at,
    rate_at,
)
from offswitch.worlds.splitmix64 import draw

__all__ = ["Sarsa"]


@dataclass(frozen=True)
class Sarsa:
    """Q(o, a) moves toward r + gamma Q(o', a'), a' being the next action.

    Exploration fades to nothing by default, so that the policy learnt about is the one audited.
    """

    training: Training = ON_POLICY
    """Steps, schedules and credit."""
    target: Literal["executed", "own"] = "executed"
    """Which next action a' the target takes: the one executed, or the agent's own choice. A learner
    that credits intended actions knows only its own."""

    @property
    def name(self) -> str:
        """'sarsa'."""
        return "sarsa"

    def __call__(self, task: Task) -> TabularAgent:
        """The agent trained on `task` with `task.seed`. O(steps A)."""
        return trained_agent(task, "sarsa", self.training, _train, (self.target == "own",))


@numba.njit(cache=True, nogil=True)
def _train(
    world: Episodes, schedule: Schedule, own_target: bool, chance: NDArray[np.uint64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    shape = (world.n_observations, world.executed.shape[1])
    values = np.full(shape, schedule.initial_value)
    visits = np.zeros(shape, dtype=np.int64)
    earlier = values.copy()
    own_target = own_target or not schedule.credit_executed
    state, action, age = 0, 0, 0
    for step in range(schedule.steps):
        if step == schedule.steps * 4 // 5:
            earlier = values.copy()
        epsilon = epsilon_at(schedule, step)
        if age == 0:
            exploring = draw(chance) < schedule.exploring_starts
            state = draw_start(
                world.start_state, world.start_until, world.running, exploring, chance
            )
            first = 1.0 if exploring else epsilon
            action = choose(values, world.observation_of[state], first, chance)
        seen = world.observation_of[state]
        row = state * world.executed.shape[1] + action
        branch = draw_branch(world.branch_start, world.branch_until, row, chance)
        following = world.branch_next[branch]
        target = world.branch_reward[branch]
        upcoming = 0
        if not world.ending[following]:
            seen_next = world.observation_of[following]
            upcoming = choose(values, seen_next, epsilon, chance)
            aimed = upcoming if own_target else world.executed[following, upcoming]
            target += world.discount * values[seen_next, aimed]
        credited = world.executed[state, action] if schedule.credit_executed else action
        visits[seen, credited] += 1
        rate = rate_at(schedule, visits[seen, credited])
        values[seen, credited] += rate * (target - values[seen, credited])
        state, action, age = following, upcoming, age + 1
        if world.ending[state] or age == world.horizon:  # a cut-off episode was bootstrapped above
            age = 0
    return values, earlier, visits
