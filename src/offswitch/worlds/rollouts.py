"""Returns of very many episodes of a compiled world: the fast half of `simulate`.

Nothing but returns, lengths and last states is kept, and chance is drawn inside the kernel from a
SplitMix64 stream of its own for every episode, so an episode depends on the seed and its number
alone. Use `simulate` for traces, and for luck that two agents,
or an environment, are to share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import WorldError
from offswitch.worlds.compiled import CompiledWorld, branch_rewards
from offswitch.worlds.goal import Goal
from offswitch.worlds.simulate import checked_policy
from offswitch.worlds.splitmix64 import GAMMA, mixed, uniform

__all__ = ["Rollouts", "rollouts"]


@dataclass(frozen=True, eq=False)
class Rollouts:
    """N episodes, each down to three numbers."""

    returns: NDArray[np.float64]
    """[N] discounted return of the goal."""
    length: NDArray[np.int64]
    """[N] steps taken."""
    last: NDArray[np.int64]
    """[N] number of the state in which the episode ended or was cut off."""


def rollouts(
    compiled: CompiledWorld,
    policy: ArrayLike,
    goal: Goal,
    *,
    episodes: int,
    seed: int,
    horizon: int | None = None,
) -> Rollouts:
    """`episodes` episodes of `policy [S, A]`; O(steps) time and O(episodes) memory.

    Episode i is the same however many are asked for. `horizon` is the world's unless given.

    >>> from offswitch.worlds.registry import make_world
    >>> from offswitch.worlds.compiled import compile_world
    >>> world = compile_world(make_world("star-v1"))
    >>> shape = world.mdp.n_states, world.mdp.n_actions
    >>> found = rollouts(world, np.full(shape, 0.25), world.world.goal(), episodes=5, seed=0)
    >>> found.length.tolist()
    [2, 2, 2, 2, 2]

    Raises:
        WorldError: the policy is no distribution for every state, or a number is out of range.
    """
    steps = compiled.world.horizon if horizon is None else horizon
    if episodes < 0 or steps < 0 or not 0 <= seed < 2**63:
        raise WorldError(
            f"got {episodes} episodes of {steps} steps with seed {seed}, expected numbers of at "
            "least 0, the seed below 2**63"
        )
    rows = checked_policy(compiled, policy)
    start = np.flatnonzero(compiled.mdp.start)
    returns, length, last = _played(
        _until(rows),
        compiled.branch_start,
        _until_in_row(compiled),
        compiled.branch_next,
        branch_rewards(compiled, goal),
        compiled.ending,
        _until(compiled.mdp.start[start]),
        start,
        compiled.world.discount,
        steps,
        np.uint64(seed),
        episodes,
    )
    return Rollouts(returns, length, last)


def _until(chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cumulative probabilities along the last axis; from the last positive one on they are 2.

    A uniform number below 1 then always finds an entry, and never one of probability 0.
    """
    until = np.cumsum(chances, axis=-1)
    positive = chances > 0
    later: NDArray[np.int64] = np.flip(np.cumsum(np.flip(positive, -1), axis=-1), -1) - positive
    until[later == 0] = 2.0
    return np.ascontiguousarray(until)


def _until_in_row(compiled: CompiledWorld) -> NDArray[np.float64]:
    """[branches] the cumulative probability inside each row; that of the last branch is 2."""
    before = np.concatenate([[0.0], np.cumsum(compiled.branch_probability)])
    first = compiled.branch_start
    inside: NDArray[np.float64] = before[1:] - np.repeat(before[first[:-1]], np.diff(first))
    inside[first[1:] - 1] = 2.0
    return inside


@numba.njit(cache=True, nogil=True)
def _played(  # noqa: PLR0917 # numba takes no keyword-only arguments
    policy_until: Any,  # Any: numba has no array types for mypy, here and below
    branch_start: Any,
    branch_until: Any,
    branch_next: Any,
    branch_reward: Any,
    ending: Any,
    start_until: Any,
    start_state: Any,
    discount: float,
    horizon: int,
    seed: np.uint64,
    episodes: int,
) -> Any:
    n_actions = policy_until.shape[1]
    returns, length = np.empty(episodes), np.empty(episodes, dtype=np.int64)
    last = np.empty(episodes, dtype=np.int64)
    for episode in range(episodes):
        word = mixed(mixed(seed + GAMMA) + np.uint64(episode) * GAMMA)
        word += GAMMA
        drawn, first = uniform(word), 0
        while drawn >= start_until[first]:
            first += 1
        state, total, weight, step = start_state[first], 0.0, 1.0, 0
        while step < horizon and not ending[state]:
            action = 0
            if policy_until[state, 0] < 2.0:  # otherwise there is nothing to choose
                word += GAMMA
                drawn = uniform(word)
                while drawn >= policy_until[state, action]:
                    action += 1
            branch = branch_start[state * n_actions + action]
            if branch_until[branch] < 2.0:
                word += GAMMA
                drawn = uniform(word)
                while drawn >= branch_until[branch]:
                    branch += 1
            total += weight * branch_reward[branch]
            weight *= discount
            state = branch_next[branch]
            step += 1
        returns[episode], length[episode], last[episode] = total, step, state
    return returns, length, last
