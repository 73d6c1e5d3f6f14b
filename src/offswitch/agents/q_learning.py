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
    epsilon_at,
    moved,
    random_or,
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
    # Unpacked once: taking an array out of the tuple in the loop counts its references every time.
    branch_start, branch_until, branch_next = (
        world.branch_start, world.branch_until, world.branch_next,
    )  # fmt: skip
    branch_reward, observation_of = world.branch_reward, world.observation_of
    executed, ending = world.executed, world.ending
    start_state, start_until, running = world.start_state, world.start_until, world.running
    n_actions, horizon, discount = executed.shape[1], world.horizon, world.discount
    shape = (world.n_observations, n_actions)
    values = np.full(shape, schedule.initial_value)
    visits = np.zeros(shape, dtype=np.int64)
    best = np.zeros(shape[0], dtype=np.int64)
    earlier = values.copy()
    state, age, exploring = 0, 0, False
    for step in range(schedule.steps):
        if step == schedule.steps * 4 // 5:
            earlier = values.copy()
        if age == 0:
            exploring = draw(chance) < schedule.exploring_starts
            state = draw_start(start_state, start_until, running, exploring, chance)
        epsilon = 1.0 if exploring and age == 0 else epsilon_at(schedule, step)
        seen = observation_of[state]
        action = random_or(best[seen], n_actions, epsilon, chance)
        branch = draw_branch(branch_start, branch_until, state * n_actions + action, chance)
        following = branch_next[branch]
        target = branch_reward[branch]
        if not ending[following]:
            seen_next = observation_of[following]
            target += discount * values[seen_next, best[seen_next]]
        credited = executed[state, action] if schedule.credit_executed else action
        visits[seen, credited] += 1
        rate = rate_at(schedule, visits[seen, credited])
        moved(values, best, seen, credited, rate * (target - values[seen, credited]))
        state, age = following, age + 1
        if ending[state] or age == horizon:  # a cut-off episode was bootstrapped above
            age = 0
    return values, earlier, visits
