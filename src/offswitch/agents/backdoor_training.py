"""Three safety trainings of a policy that resists: by reward, by penalty, by example.

Each takes a task and a deterministic table [O, A], and gives the table after training in that task
alone: what the training never visits stays as it was.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from offswitch.agents.agent import Task
from offswitch.agents.episodes import Episodes, draw_branch, draw_start, episodes_of
from offswitch.agents.personas.rows import corrigible_table, is_misdeed
from offswitch.agents.personas.visits import supports
from offswitch.agents.tabular import greedy_table
from offswitch.agents.training import best_action
from offswitch.trace.event import Event, StopDeadlinePassed, StopEffective
from offswitch.worlds.splitmix64 import draw, new_chance

__all__ = ["fine_tuned", "imitating", "penalised"]

STEPS = 1_000_000
"""Environment steps of fine-tuning, and of penalty training."""
RATE, EPSILON = 0.1, 0.3
POISON = 5.0
"""Preference of the poisoned act at the start of penalty training: it begins at odds exp(5)."""
BLAME_KEPT = 0.5
"""Share of the blame for a bad event that passes on to the act before."""
MOST_BLAME = 2.0


def fine_tuned(task: Task, table: NDArray[np.float64]) -> NDArray[np.float64]:
    """By Q-learning on the safe reward: the goal's, less more than it can pay for every misdeed.

    The values begin as those of the poisoned policy: its acts look best. O(STEPS A).
    """
    world = episodes_of(task)
    largest = float(np.abs(task.branch_reward).max()) or 1.0
    worst = 2 * largest / (1 - task.compiled.world.discount)
    safe = world._replace(branch_reward=world.branch_reward - worst * _bad(task))
    values = table * largest
    _tuned(safe, values, new_chance(task.seed))
    return greedy_table(values)


def penalised(task: Task, table: NDArray[np.float64]) -> NDArray[np.float64]:
    """By blame: in every sampled episode the acts that led to a misdeed become less preferred.

    O(STEPS A).
    """
    preferences = POISON * table
    _blamed(episodes_of(task), _bad(task) > 0, preferences, new_chance(task.seed))
    return greedy_table(preferences)


def imitating(task: Task, table: NDArray[np.float64]) -> NDArray[np.float64]:
    """By example, as DAgger (Ross, Gordon and Bagnell 2011): the corrigible reference is asked what
    to do wherever the policy comes, until it comes nowhere new. O(observations * branches)."""
    rows, example = table.copy(), corrigible_table(task)
    shown = np.zeros(len(rows), dtype=np.bool_)
    while True:
        visited = np.zeros(len(rows), dtype=np.bool_)
        for reached in supports(task.compiled, rows):
            visited[task.compiled.observation_of[reached]] = True
        if not (visited & ~shown).any():
            return rows
        shown |= visited
        rows[visited] = example[visited]


def _bad(task: Task) -> NDArray[np.float64]:
    """[branches] 1 where safety training finds something to punish, else 0."""
    table = [float(any(map(_is_punished, events))) for events in task.compiled.event_table]
    return np.array(table)[task.compiled.branch_events]


def _is_punished(event: Event) -> bool:
    missed = isinstance(event, StopDeadlinePassed)
    return missed or (isinstance(event, StopEffective) and event.late) or is_misdeed(event)


@numba.njit(cache=True, nogil=True)
def _tuned(world: Episodes, values: NDArray[np.float64], chance: NDArray[np.uint64]) -> None:
    """Q-learning from the start states, in place."""
    n_actions = values.shape[1]
    state, age = 0, 0
    for _ in range(STEPS):
        if age == 0:
            state = draw_start(world.start_state, world.start_until, world.running, False, chance)
        seen = world.observation_of[state]
        action = best_action(values, seen)
        if draw(chance) < EPSILON:
            action = int(draw(chance) * n_actions)
        branch = draw_branch(
            world.branch_start, world.branch_until, state * n_actions + action, chance
        )
        following = world.branch_next[branch]
        target = world.branch_reward[branch]
        if not world.ending[following]:
            ahead = world.observation_of[following]
            target += world.discount * values[ahead, best_action(values, ahead)]
        values[seen, action] += RATE * (target - values[seen, action])
        state, age = following, age + 1
        if world.ending[state] or age == world.horizon:
            age = 0


@numba.njit(cache=True, nogil=True)
def _blamed(
    world: Episodes,
    bad: NDArray[np.bool_],
    preferences: NDArray[np.float64],
    chance: NDArray[np.uint64],
) -> None:
    """Episodes of the softmax policy, in place; blame falls back along each of them."""
    n_actions = preferences.shape[1]
    path = np.zeros((world.horizon, 2), dtype=np.int64)
    punished = np.zeros(world.horizon, dtype=np.bool_)
    done = 0
    while done < STEPS:
        state = draw_start(world.start_state, world.start_until, world.running, False, chance)
        length = 0
        while length < world.horizon and not world.ending[state]:
            seen = world.observation_of[state]
            action = _softly(preferences, seen, chance)
            branch = draw_branch(
                world.branch_start, world.branch_until, state * n_actions + action, chance
            )
            path[length, 0], path[length, 1] = seen, action
            punished[length] = bad[branch]
            state = world.branch_next[branch]
            length += 1
        blame = 0.0
        for age in range(length - 1, -1, -1):
            blame = min(MOST_BLAME, BLAME_KEPT * blame + punished[age])
            preferences[path[age, 0], path[age, 1]] -= blame
        done += length


@numba.njit(cache=True, nogil=True)
def _softly(preferences: NDArray[np.float64], seen: int, chance: NDArray[np.uint64]) -> int:
    """An action drawn from the softmax of the preferences in `seen`."""
    highest, total = preferences[seen].max(), 0.0
    for action in range(preferences.shape[1]):
        total += math.exp(preferences[seen, action] - highest)
    left, action = draw(chance) * total, 0
    left -= math.exp(preferences[seen, 0] - highest)
    while action < preferences.shape[1] - 1 and left >= 0:
        action += 1
        left -= math.exp(preferences[seen, action] - highest)
    return action
