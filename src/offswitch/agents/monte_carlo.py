"""Every-visit Monte Carlo control: it learns from whole returns, interruptions included.

Sutton and Barto 2018, sec. 5.4, with a decaying step size and without importance weights; not
safely interruptible (Orseau and Armstrong 2016).
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
    ON_POLICY,
    Schedule,
    Training,
    best_action,
    choose,
    epsilon_at,
    rate_at,
)
from offswitch.worlds.splitmix64 import draw

__all__ = ["MonteCarlo"]


@dataclass(frozen=True)
class MonteCarlo:
    """Q(o, a) moves toward the discounted return that followed every visit.

    The return of an episode that was cut off continues with the present value of where it was cut:
    out of time is not terminated.
    """

    training: Training = ON_POLICY
    """Steps, schedules and credit."""

    @property
    def name(self) -> str:
        """'monte-carlo'."""
        return "monte-carlo"

    def __call__(self, task: Task) -> TabularAgent:
        """The agent trained on `task` with `task.seed`. O(steps A)."""
        return trained_agent(task, "monte-carlo", self.training, _train)


@numba.njit(cache=True, nogil=True)
def _train(
    world: Episodes, schedule: Schedule, chance: NDArray[np.uint64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    shape = (world.n_observations, world.executed.shape[1])
    values = np.full(shape, schedule.initial_value)
    visits = np.zeros(shape, dtype=np.int64)
    earlier, marked = values, False
    path = np.zeros((world.horizon, 2), dtype=np.int64)
    rewards = np.zeros(world.horizon)
    step = np.int64(0)  # as a plain 0, `_play` would be compiled twice
    while step < schedule.steps:
        if not marked and step >= schedule.steps * 4 // 5:
            earlier, marked = values.copy(), True
        length, state = _play(world, schedule, step, values, path, rewards, chance)
        step += length
        ahead = 0.0
        if not world.ending[state]:
            seen_last = world.observation_of[state]
            ahead = values[seen_last, best_action(values, seen_last)]
        for age in range(length - 1, -1, -1):
            ahead = rewards[age] + world.discount * ahead
            seen, credited = path[age]
            visits[seen, credited] += 1
            rate = rate_at(schedule, visits[seen, credited])
            values[seen, credited] += rate * (ahead - values[seen, credited])
    return values, earlier, visits


@numba.njit(cache=True, nogil=True)
def _play(
    world: Episodes,
    schedule: Schedule,
    step: int,
    values: NDArray[np.float64],
    path: NDArray[np.int64],
    rewards: NDArray[np.float64],
    chance: NDArray[np.uint64],
) -> tuple[int, int]:
    """Length and last state of one episode, written to `path` and `rewards`."""
    exploring = draw(chance) < schedule.exploring_starts
    state = draw_start(world.start_state, world.start_until, world.running, exploring, chance)
    limit = min(world.horizon, schedule.steps - step)
    for age in range(limit):
        epsilon = 1.0 if exploring and age == 0 else epsilon_at(schedule, step + age)
        seen = world.observation_of[state]
        action = choose(values, seen, epsilon, chance)
        row = state * world.executed.shape[1] + action
        branch = draw_branch(world.branch_start, world.branch_until, row, chance)
        path[age, 0] = seen
        path[age, 1] = world.executed[state, action] if schedule.credit_executed else action
        rewards[age] = world.branch_reward[branch]
        state = world.branch_next[branch]
        if world.ending[state]:
            return age + 1, state
    return limit, state
