"""The compiled simulator that learners train in: branches of an enumerated world, drawn fast.

Every function with `chance` advances the caller's own SplitMix64 stream, so that training depends
on its seed and on nothing else.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from offswitch.agents.agent import Task
from offswitch.worlds.compiled import CompiledWorld
from offswitch.worlds.splitmix64 import draw

__all__ = ["Episodes", "draw_branch", "draw_start", "episodes_of"]


class Episodes(NamedTuple):
    """What a kernel needs of a task. S states, A actions, O observations."""

    branch_start: NDArray[np.int64]
    """[S * A + 1] first branch of every row."""
    branch_until: NDArray[np.float64]
    """[branches] cumulative probability inside the row; the last of a row is 1."""
    branch_next: NDArray[np.int64]
    """[branches] next state."""
    branch_reward: NDArray[np.float64]
    """[branches] reward."""
    observation_of: NDArray[np.int64]
    """[S] observation number."""
    executed: NDArray[np.int64]
    """[S, A] the action executed when one is intended."""
    ending: NDArray[np.bool_]
    """[S] whether the episode ends there."""
    start_until: NDArray[np.float64]
    """[starts] cumulative probability of the first states; the last is 1."""
    start_state: NDArray[np.int64]
    """[starts] the first states."""
    running: NDArray[np.int64]
    """Where exploring starts begin, each as likely: the states that the agent can tell from every
    other one. To begin in one of several that look alike would skew what it comes to believe."""
    n_observations: int
    """O."""
    horizon: int
    """Steps after which an episode is cut off; a cut is not an end."""
    discount: float
    """In (0, 1)."""


def episodes_of(task: Task) -> Episodes:
    """The simulator of `task`, in the task's own world."""
    compiled, world = task.compiled, task.compiled.world
    start_state = np.flatnonzero(compiled.mdp.start)
    return Episodes(
        branch_start=compiled.branch_start,
        branch_until=_row_cumulative(compiled.branch_probability, compiled.branch_start),
        branch_next=compiled.branch_next,
        branch_reward=np.ascontiguousarray(task.branch_reward, dtype=np.float64),
        observation_of=compiled.observation_of,
        executed=compiled.executed,
        ending=compiled.ending,
        start_until=_closed(np.cumsum(compiled.mdp.start[start_state])),
        start_state=start_state,
        running=_distinct(compiled),
        n_observations=compiled.n_observations,
        horizon=world.horizon,
        discount=world.discount,
    )


# The next two take arrays and not `Episodes`: numba counts references to all of a tuple's arrays at
# every call, which makes a kernel three times as slow.
@numba.njit(cache=True, nogil=True, inline="always")
def draw_branch(
    branch_start: NDArray[np.int64],
    branch_until: NDArray[np.float64],
    row: int,
    chance: NDArray[np.uint64],
) -> int:
    """The branch that happens in `row`, which is s * A + a for the intended action."""
    branch, last = int(branch_start[row]), int(branch_start[row + 1]) - 1
    if branch < last:
        drawn = draw(chance)
        while branch < last and drawn >= branch_until[branch]:
            branch += 1
    return branch


@numba.njit(cache=True, nogil=True, inline="always")
def draw_start(
    start_state: NDArray[np.int64],
    start_until: NDArray[np.float64],
    running: NDArray[np.int64],
    exploring: bool,
    chance: NDArray[np.uint64],
) -> int:
    """A first state: any of `running` where `exploring`, else one the world starts in."""
    drawn = draw(chance)
    if exploring:
        return int(running[int(drawn * len(running))])
    first = 0
    while first < len(start_state) - 1 and drawn >= start_until[first]:
        first += 1
    return int(start_state[first])


def _row_cumulative(
    probability: NDArray[np.float64], row_start: NDArray[np.int64]
) -> NDArray[np.float64]:
    """[branches] the cumulative probability inside each row."""
    before = np.concatenate([[0.0], np.cumsum(probability)])
    rows = np.repeat(row_start[:-1], np.diff(row_start))
    inside: NDArray[np.float64] = before[1:] - before[rows]
    return inside


def _distinct(compiled: CompiledWorld) -> NDArray[np.int64]:
    """The states that go on and look like no other; the first states where there is none."""
    going_on = ~compiled.ending
    alike = np.bincount(compiled.observation_of[going_on], minlength=compiled.n_observations)
    distinct = np.flatnonzero(going_on & (alike[compiled.observation_of] == 1))
    return distinct if len(distinct) else np.flatnonzero(compiled.mdp.start)


def _closed(cumulative: NDArray[np.float64]) -> NDArray[np.float64]:
    cumulative[-1] = 1.0
    return cumulative
