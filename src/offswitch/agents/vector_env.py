"""Many copies of an enumerated world at once, as Stable-Baselines3 trains in them.

Importing this module imports stable_baselines3, which takes 2 s and is an extra: only `deep` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numba
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from offswitch.agents.agent import Task
from offswitch.agents.episodes import episodes_of
from offswitch.errors import AgentError

__all__ = ["TableVecEnv"]

BLOCK = 1024
"""Uniform numbers that every copy draws at once."""
MOST_PER_STEP = 3
"""Uniform numbers that a copy may use in one step: one for the branch, two for a new start."""


class _Tables(NamedTuple):
    """What the kernel reads. S states, A actions."""

    branch_start: NDArray[np.int64]
    """[S * A + 1]."""
    branch_probability: NDArray[np.float64]
    branch_next: NDArray[np.int64]
    branch_reward: NDArray[np.float64]
    ending: NDArray[np.bool_]
    """[S]."""
    start_probability: NDArray[np.float64]
    start_state: NDArray[np.int64]
    running: NDArray[np.int64]
    """Where exploring starts begin."""
    exploring: float
    """Share of the episodes that begin there."""
    horizon: int


class TableVecEnv(VecEnv):  # type: ignore[misc]  # SB3 is untyped for mypy here
    """N copies of `task`'s world; one step of all of them is one call of a compiled kernel.

    Observations, rewards, ends and cut-offs are those of `WorldEnv` under Stable-Baselines3's own
    `DummyVecEnv`, number for number: copy i draws the luck that a `WorldEnv` seeded with seed + i
    draws. A copy whose episode ends begins the next one in the same step. What differs is `infos`:
    "TimeLimit.truncated" and "terminal_observation" stand only where an episode ended, and no
    events are listed. O(N) per step.
    """

    def __init__(self, task: Task, n_envs: int, *, exploring: float = 0.0) -> None:
        """`n_envs` is N, at least 1.

        `exploring` is the share, in [0, 1], of the episodes that begin in any state that the agent
        can tell from every other one; with 0 all begin where the world begins.

        Raises:
            AgentError: there is no copy to step.
        """
        if n_envs < 1:
            raise AgentError(f"got {n_envs} environments, expected at least 1")
        self.visits = np.zeros(
            (task.compiled.n_observations, task.compiled.mdp.n_actions), np.int64
        )
        """[O, A] how often every action was intended at every observation."""
        self._shown = np.array(task.compiled.observations, dtype=np.int64)
        self._observation_of = task.compiled.observation_of
        self._tables = _tables(task, exploring)
        self._state = np.zeros(n_envs, dtype=np.int64)
        self._age = np.zeros(n_envs, dtype=np.int64)
        self._actions = np.zeros(n_envs, dtype=np.int64)
        self._streams = [np.random.default_rng() for _ in range(n_envs)]
        self._luck = np.zeros((n_envs, BLOCK))
        self._used = np.full(n_envs, BLOCK, dtype=np.int64)
        super().__init__(
            n_envs,
            spaces.MultiDiscrete(list(task.compiled.world.observation_sizes)),
            spaces.Discrete(task.compiled.mdp.n_actions),
        )

    def reset(self) -> NDArray[np.int64]:
        """[N, entries] the first observations; a seed given by `seed` counts once."""
        for number, seed in enumerate(self._seeds):
            if seed is not None:
                self._streams[number] = np.random.default_rng(seed)
                self._used[number] = BLOCK
        self._reset_seeds()
        self._reset_options()
        self._refill()
        _started(self._tables, self._luck, self._used, self._state)
        self._age[:] = 0
        return self._seen(self._state)

    def step_async(self, actions: NDArray[np.int64]) -> None:
        """Keeps `actions` `[N]` for `step_wait`."""
        self._actions[:] = actions

    def step_wait(
        self,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Observations `[N, entries]`, rewards `[N]`, whether an episode ended `[N]`, and infos."""
        self._refill()
        np.add.at(self.visits, (self._observation_of[self._state], self._actions), 1)
        reached, rewards, ended, cut = _stepped(
            self._tables, self._luck, self._used, self._actions, self._state, self._age
        )
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]  # Any: as SB3 has it
        for number in np.flatnonzero(ended):
            infos[number] = {
                "TimeLimit.truncated": bool(cut[number]),
                "terminal_observation": self._seen(reached[number]),
            }
        return self._seen(self._state), rewards, ended, infos

    def close(self) -> None:
        """Nothing is held."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:  # Any: as SB3 has it
        """The attribute of every copy; they share everything but their state."""
        if attr_name == "render_mode":
            return [None] * len(list(self._get_indices(indices)))
        return [getattr(self, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refused: nothing about a copy is there to be changed.

        Raises:
            AgentError: always.
        """
        raise AgentError(f"the copies of a world share their tables: {attr_name!r} cannot be set")

    def env_method(
        self, method_name: str, *arguments: Any, indices: Any = None, **options: Any
    ) -> list[Any]:
        """Refused: there is no object for each copy.

        Raises:
            AgentError: always.
        """
        raise AgentError(f"the copies of a world are no objects: {method_name!r} cannot be called")

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        """No copy is wrapped in anything."""
        return [False] * len(list(self._get_indices(indices)))

    def get_images(self) -> Sequence[None]:
        """None for every copy: they are not drawn."""
        return [None] * self.num_envs

    def _seen(self, state: Any) -> NDArray[np.int64]:  # Any: one state or an array of them
        shown: NDArray[np.int64] = self._shown[self._observation_of[state]]
        return shown

    def _refill(self) -> None:
        """Gives every copy the luck of one more step, in the order of its own stream."""
        for number in np.flatnonzero(self._used > BLOCK - MOST_PER_STEP):
            left = self._luck[number, self._used[number] :].copy()
            self._luck[number, : len(left)] = left
            self._luck[number, len(left) :] = self._streams[number].random(BLOCK - len(left))
            self._used[number] = 0


def _tables(task: Task, exploring: float) -> _Tables:
    compiled = task.compiled
    starts = [(chance, state) for chance, state in compiled.world.starts() if chance > 0]
    return _Tables(
        branch_start=compiled.branch_start,
        branch_probability=compiled.branch_probability,
        branch_next=compiled.branch_next,
        branch_reward=np.array(task.branch_reward, dtype=np.float64),
        ending=compiled.ending,
        start_probability=np.array([chance for chance, _ in starts]),
        start_state=np.array([compiled.index[state] for _, state in starts], dtype=np.int64),
        running=episodes_of(task).running,
        exploring=exploring,
        horizon=compiled.world.horizon,
    )


@numba.njit(cache=True, nogil=True, inline="always")
def _drawn(probability: NDArray[np.float64], first: int, last: int, uniform: float) -> int:
    """The entry of `probability[first:last + 1]` drawn by adding up, as `WorldEnv` adds up."""
    total, chosen = probability[first], first
    while chosen < last and uniform >= total:
        chosen += 1
        total += probability[chosen]
    return chosen


@numba.njit(cache=True, nogil=True)
def _begun(tables: _Tables, luck: NDArray[np.float64], used: NDArray[np.int64], copy: int) -> int:
    """A first state for `copy`; where no start explores it takes one number, as `WorldEnv` does."""
    uniform = luck[copy, used[copy]]
    used[copy] += 1
    if tables.exploring > 0:
        exploring = uniform < tables.exploring
        uniform = luck[copy, used[copy]]
        used[copy] += 1
        if exploring:
            return int(tables.running[int(uniform * len(tables.running))])
    begin = _drawn(tables.start_probability, 0, len(tables.start_state) - 1, uniform)
    return int(tables.start_state[begin])


@numba.njit(cache=True, nogil=True)
def _started(
    tables: _Tables,
    luck: NDArray[np.float64],
    used: NDArray[np.int64],
    state: NDArray[np.int64],
) -> None:
    """Puts every copy into a first state."""
    for copy in range(len(state)):
        state[copy] = _begun(tables, luck, used, copy)


@numba.njit(cache=True, nogil=True)
def _stepped(
    tables: _Tables,
    luck: NDArray[np.float64],
    used: NDArray[np.int64],
    actions: NDArray[np.int64],
    state: NDArray[np.int64],
    age: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    """States reached, rewards, ends and cut-offs, `[N]` each; `state` holds what goes on."""
    n_envs = len(state)
    n_actions = (len(tables.branch_start) - 1) // len(tables.ending)
    reached = np.empty(n_envs, dtype=np.int64)
    rewards = np.empty(n_envs, dtype=np.float32)
    ended = np.zeros(n_envs, dtype=np.bool_)
    cut = np.zeros(n_envs, dtype=np.bool_)
    for copy in range(n_envs):
        row = state[copy] * n_actions + actions[copy]
        first, last = tables.branch_start[row], tables.branch_start[row + 1] - 1
        branch = _drawn(tables.branch_probability, first, last, luck[copy, used[copy]])
        used[copy] += 1
        reached[copy] = tables.branch_next[branch]
        rewards[copy] = tables.branch_reward[branch]
        state[copy] = reached[copy]
        age[copy] += 1
        over = tables.ending[reached[copy]]
        cut[copy] = not over and age[copy] >= tables.horizon
        ended[copy] = over or cut[copy]
        if ended[copy]:
            state[copy] = _begun(tables, luck, used, copy)
            age[copy] = 0
    return reached, rewards, ended, cut
