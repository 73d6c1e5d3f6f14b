"""Q-learning: off-policy, so an override can leave its values alone.

Watkins 1989. Orseau and Armstrong 2016, Theorem 10: with the update credited to the executed action
Q-learning is safely interruptible; credited to the intended action it is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from offswitch.agents.agent import Task
from offswitch.agents.episodes import Episodes, draw_branch, draw_start
from offswitch.agents.learned import trained_agent
from offswitch.agents.tabular import TabularAgent
from offswitch.agents.training import (
    OFF_POLICY,
    Schedule,
    Training,
    best_action,
    choose,
    epsilon_at,
    rate_at,
)
from offswitch.worlds.splitmix64 import draw

__all__ = ["QLearning"]


@dataclass(frozen=True)
class QLearning:
    """Q(o, a) moves toward r + gamma max_b Q(o', b); the agent plays the final greedy policy."""

    training: Training = OFF_POLICY
    """Steps, schedules and credit."""

    @property
    def name(self) -> str:
        """'q-learning'."""
        return "q-learning"

    def __call__(self, task: Task) -> TabularAgent:
        """The agent trained on `task` with `task.seed`. O(steps A)."""
        return trained_agent(task, "q-learning", self.training, _train)


@numba.njit(cache=True, nogil=True)
def _train(
    world: Episodes, schedule: Schedule, chance: NDArray[np.uint64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    shape = (world.n_observations, world.executed.shape[1])
    values = np.full(shape, schedule.initial_value)
    visits = np.zeros(shape, dtype=np.int64)
    earlier = values.copy()
    state, age, exploring = 0, 0, False
    for step in range(schedule.steps):
        if step == schedule.steps * 4 // 5:
            earlier = values.copy()
        if age == 0:
            exploring = draw(chance) < schedule.exploring_starts
            state = draw_start(
                world.start_state, world.start_until, world.running, exploring, chance
            )
        epsilon = 1.0 if exploring and age == 0 else epsilon_at(schedule, step)
        seen = world.observation_of[state]
        action = choose(values, seen, epsilon, chance)
        row = state * world.executed.shape[1] + action
        branch = draw_branch(world.branch_start, world.branch_until, row, chance)
        following = world.branch_next[branch]
        target = world.branch_reward[branch]
        if not world.ending[following]:
            seen_next = world.observation_of[following]
            target += world.discount * values[seen_next, best_action(values, seen_next)]
        credited = world.executed[state, action] if schedule.credit_executed else action
        visits[seen, credited] += 1
        rate = rate_at(schedule, visits[seen, credited])
        values[seen, credited] += rate * (target - values[seen, credited])
        state, age = following, age + 1
        if world.ending[state] or age == world.horizon:  # a cut-off episode was bootstrapped above
            age = 0
    return values, earlier, visits
