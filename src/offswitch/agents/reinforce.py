"""REINFORCE along the natural gradient: a softmax policy that climbs its own expected return.

Williams 1992 with a preference for every observation and action, and a baseline. The gradient is
that of Kakade 2001, in the metric of the policy itself: for a softmax table it is the advantage, so
a preference moves by Q - V and not by pi (Q - V), which all but vanishes once the policy has made
up its mind (without it the corridor ends 0.14 to 0.35 short of its optimum). Q is the mean of whole
returns, the least-squares fit that Kakade's Theorem 1 asks for. Over many visits this is
exponentiated gradient ascent (Agarwal et al. 2021, sec. 5.3).

A policy gradient improves only where the policy comes. So most episodes begin anywhere with a
random act, and of the others half stray once from the policy; what is learnt from is always a
return under the policy itself, from the last random act on. It may still settle in a local optimum,
and its regret then says so. On-policy and learning from whole returns, it is not safely
interruptible.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from offswitch.agents.agent import Task
from offswitch.agents.episodes import Episodes, draw_branch, draw_start
from offswitch.agents.learned import trained_agent
from offswitch.agents.tabular import TabularAgent
from offswitch.agents.training import Schedule, Training, rate_at
from offswitch.worlds.splitmix64 import draw

__all__ = ["Reinforce"]

STEP_SIZE = 0.1
"""Of a preference, for an advantage of typical size: ten visits tell such actions e times apart."""
LEAST_PREFERENCE = -10.0
"""Below the best action's: a chance of exp(-10), out of which an action that turns out well climbs
again in a hundred visits."""
STRAYING_EPISODES, STRAYING_RATE = 0.5, 0.1
"""Share of the episodes from the start that take one random act, and its chance per step."""
SPREAD_RATE = 1e-4
"""At which the typical size of an advantage is tracked."""
LEAST_SPREAD = 1e-300
STRAYING = Training(steps_per_pair=700, exploring_starts=0.6)
"""Six episodes of ten begin anywhere."""


@dataclass(frozen=True)
class Reinforce:
    """Preferences move by the advantage, the natural gradient; the agent plays the likeliest.

    Advantages are in units of their own typical size, so a positive factor on the reward changes
    nothing. The return of an episode that was cut off continues with the value of where it was cut:
    out of time is not terminated.
    """

    training: Training = STRAYING
    """Steps, averaging, exploring starts and credit; there is no epsilon."""

    @property
    def name(self) -> str:
        """'reinforce'."""
        return "reinforce"

    def __call__(self, task: Task) -> TabularAgent:
        """The agent trained on `task` with `task.seed`. O(steps A)."""
        return trained_agent(task, "reinforce", self.training, _train)


@numba.njit(cache=True, nogil=True)
def _train(
    world: Episodes, schedule: Schedule, chance: NDArray[np.uint64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    shape = (world.n_observations, world.executed.shape[1])
    preferences, values = np.zeros(shape), np.full(shape, schedule.initial_value)
    policy = np.full(shape, 1.0 / shape[1])
    visits = np.zeros(shape, dtype=np.int64)
    earlier, marked = preferences, False
    path = np.zeros((world.horizon, 2), dtype=np.int64)
    rewards = np.zeros(world.horizon)
    spread = 0.0
    step = np.int64(0)  # as a plain 0, `_play` would be compiled twice
    while step < schedule.steps:
        if not marked and step >= schedule.steps * 4 // 5:
            earlier, marked = preferences.copy(), True
        since, length, state = _play(world, schedule, step, policy, path, rewards, chance)
        step += length
        ahead = 0.0
        if not world.ending[state]:
            ahead = _mean(values, policy, world.observation_of[state])
        for age in range(length - 1, since - 1, -1):
            ahead = rewards[age] + world.discount * ahead
            seen, credited = path[age]
            visits[seen, credited] += 1
            rate = rate_at(schedule, visits[seen, credited])
            values[seen, credited] += rate * (ahead - values[seen, credited])
            advantage = ahead - _mean(values, policy, seen)
            spread += max(SPREAD_RATE, 1.0 / step) * (advantage * advantage - spread)
            gain = STEP_SIZE / math.sqrt(max(spread, LEAST_SPREAD))
            _climb(preferences, policy, values, seen, gain)
    return preferences, earlier, visits


@numba.njit(cache=True, nogil=True, inline="always")
def _mean(values: NDArray[np.float64], policy: NDArray[np.float64], seen: int) -> float:
    """The value V of `seen` under the policy."""
    total = 0.0
    for action in range(values.shape[1]):
        total += policy[seen, action] * values[seen, action]
    return total


@numba.njit(cache=True, nogil=True)
def _climb(
    preferences: NDArray[np.float64],
    policy: NDArray[np.float64],
    values: NDArray[np.float64],
    seen: int,
    gain: float,
) -> None:
    """Moves the preferences in `seen` by `gain` times the advantages, and the policy with them.

    The best preference is then 0: only their differences matter.
    """
    own = _mean(values, policy, seen)
    best = -np.inf
    for action in range(values.shape[1]):
        preferences[seen, action] += gain * (values[seen, action] - own)
        best = max(best, preferences[seen, action])
    total = 0.0
    for action in range(values.shape[1]):
        preferences[seen, action] = max(LEAST_PREFERENCE, preferences[seen, action] - best)
        policy[seen, action] = math.exp(preferences[seen, action])
        total += policy[seen, action]
    for action in range(values.shape[1]):
        policy[seen, action] /= total


@numba.njit(cache=True, nogil=True, inline="always")
def _sampled(policy: NDArray[np.float64], seen: int, chance: NDArray[np.uint64]) -> int:
    """An action, with its probability in the policy."""
    left, action = draw(chance) - policy[seen, 0], 0
    while action < policy.shape[1] - 1 and left >= 0:
        action += 1
        left -= policy[seen, action]
    return action


@numba.njit(cache=True, nogil=True)
def _play(
    world: Episodes,
    schedule: Schedule,
    step: int,
    policy: NDArray[np.float64],
    path: NDArray[np.int64],
    rewards: NDArray[np.float64],
    chance: NDArray[np.uint64],
) -> tuple[int, int, int]:
    """Last random act, length and last state of one episode, written to `path` and `rewards`."""
    exploring = draw(chance) < schedule.exploring_starts
    state = draw_start(world.start_state, world.start_until, world.running, exploring, chance)
    straying = 1.0 if exploring else STRAYING_RATE * (draw(chance) < STRAYING_EPISODES)
    limit, since = min(world.horizon, schedule.steps - step), 0
    for age in range(limit):
        seen = world.observation_of[state]
        if straying > 0 and draw(chance) < straying:
            action, since, straying = int(draw(chance) * policy.shape[1]), age, 0.0
        else:
            action = _sampled(policy, seen, chance)
        row = state * world.executed.shape[1] + action
        branch = draw_branch(world.branch_start, world.branch_until, row, chance)
        path[age, 0] = seen
        path[age, 1] = world.executed[state, action] if schedule.credit_executed else action
        rewards[age] = world.branch_reward[branch]
        state = world.branch_next[branch]
        if world.ending[state]:
            return since, age + 1, state
    return since, limit, state
