"""A world, enumerated: its decision process and the branches behind every transition."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offswitch.errors import WorldError
from offswitch.mdp.model import FiniteMDP
from offswitch.trace.event import Event
from offswitch.worlds.goal import Goal
from offswitch.worlds.world import World

__all__ = ["CompiledWorld", "branch_rewards", "compile_world", "expected_rewards"]


@dataclass(frozen=True)
class CompiledWorld:
    """S states and A actions of a world; row `s * A + a` owns a contiguous run of branches.

    Ending states loop on themselves without events, so every array has all S * A rows.
    """

    world: World[Any]  # Any: each world has its own state type
    mdp: FiniteMDP
    states: tuple[Any, ...]
    index: dict[Any, int]
    """State -> its number."""
    ending: NDArray[np.bool_]
    """[S] whether the episode ends there."""
    executed: NDArray[np.int64]
    """[S, A] the action executed when the agent intends one."""
    branch_start: NDArray[np.int64]
    """[S * A + 1] first branch of every row."""
    branch_probability: NDArray[np.float64]
    """[branches]."""
    branch_next: NDArray[np.int64]
    """[branches] next state."""
    branch_events: NDArray[np.int64]
    """[branches] index into `event_table`."""
    event_table: tuple[tuple[Event, ...], ...]
    """The distinct tuples of events; entry 0 is the empty one."""
    observations: tuple[tuple[int, ...], ...]
    """The O distinct observations."""
    observation_of: NDArray[np.int64]
    """[S] number of the observation seen in each state."""

    @property
    def n_observations(self) -> int:
        """O, the number of distinct observations."""
        return len(self.observations)


def compile_world(
    world: World[Any], *, roots: Iterable[Hashable] = (), max_states: int = 200_000
) -> CompiledWorld:
    """Every state reachable from the start (and from `roots`), breadth first. O(S A branches).

    Raises:
        WorldError: more than `max_states` states, branches that do not sum to 1, or an observation
            outside its declared sizes.
    """
    index: dict[Any, int] = {}
    queue: deque[Any] = deque()
    for state in [start for _, start in world.starts()] + list(roots):
        if state not in index:
            index[state] = len(index)
            queue.append(state)
    n_actions = len(world.actions)
    starts = [0]
    probabilities: list[float] = []
    nexts: list[int] = []
    events: list[int] = []
    event_ids: dict[tuple[Event, ...], int] = {(): 0}
    ending: list[bool] = []
    executed: list[list[int]] = []
    while queue:
        state = queue.popleft()
        is_end = world.ending(state) is not None
        ending.append(is_end)
        row = list(range(n_actions))
        if not is_end:
            row = [world.executed(state, action) for action in range(n_actions)]
        executed.append(row)
        for action in range(n_actions):
            if is_end:
                probabilities.append(1.0)
                nexts.append(index[state])
                events.append(0)
                starts.append(len(nexts))
                continue
            total = 0.0
            for probability, next_state, happened in world.step(state, action):
                if probability <= 0:
                    continue
                if next_state not in index:
                    if len(index) >= max_states:
                        raise WorldError(
                            f"{world.id} has more than {max_states} states. Raise max_states or "
                            "give a smaller parameter; a world too large to enumerate is sampled."
                        )
                    index[next_state] = len(index)
                    queue.append(next_state)
                probabilities.append(probability)
                nexts.append(index[next_state])
                events.append(event_ids.setdefault(tuple(happened), len(event_ids)))
                total += probability
            if abs(total - 1.0) > 1e-9:
                raise WorldError(
                    f"{world.id}: branches of state {state!r}, action {world.actions[action]!r} sum "
                    f"to {total:.9g}, expected 1. Correct the world's step."
                )
            starts.append(len(nexts))
    states = tuple(index)
    observations, observation_of = _observations(world, states)
    branch_start = np.asarray(starts, dtype=np.int64)
    branch_probability = np.asarray(probabilities, dtype=np.float64)
    branch_next = np.asarray(nexts, dtype=np.int64)
    start = np.zeros(len(states))
    for probability, state in world.starts():
        start[index[state]] += probability
    rows = np.repeat(np.arange(len(states) * n_actions), np.diff(branch_start))
    mdp = FiniteMDP.from_coo(
        len(states),
        n_actions,
        np.column_stack([rows // n_actions, rows % n_actions, branch_next, branch_probability]),
        state_names=tuple(str(state) for state in states),
        action_names=world.actions,
        start=start,
    )
    return CompiledWorld(
        world=world,
        mdp=mdp,
        states=states,
        index=index,
        ending=np.asarray(ending, dtype=np.bool_),
        executed=np.asarray(executed, dtype=np.int64),
        branch_start=branch_start,
        branch_probability=branch_probability,
        branch_next=branch_next,
        branch_events=np.asarray(events, dtype=np.int64),
        event_table=tuple(event_ids),
        observations=observations,
        observation_of=observation_of,
    )


def _observations(
    world: World[Any], states: tuple[Any, ...]
) -> tuple[tuple[tuple[int, ...], ...], NDArray[np.int64]]:
    sizes = world.observation_sizes
    numbers: dict[tuple[int, ...], int] = {}
    of_state = []
    for state in states:
        seen = world.observe(state)
        if len(seen) != len(sizes) or any(
            not 0 <= entry < size for entry, size in zip(seen, sizes, strict=True)
        ):
            raise WorldError(
                f"{world.id}: observation {seen} of state {state!r} does not fit sizes {sizes}. "
                "Correct observe or observation_sizes."
            )
        of_state.append(numbers.setdefault(seen, len(numbers)))
    return tuple(numbers), np.asarray(of_state, dtype=np.int64)


def branch_rewards(compiled: CompiledWorld, goal: Goal) -> NDArray[np.float64]:
    """[branches] the goal's reward on every branch; 0 in ending states.

    Raises:
        WorldError: the goal's reward is not finite somewhere.
    """
    n_actions = compiled.mdp.n_actions
    counts = np.diff(compiled.branch_start)
    rows = np.repeat(np.arange(len(counts)), counts)
    rewards = np.zeros(len(compiled.branch_next))
    cache: dict[tuple[int, int, int], float] = {}
    for branch, (row, following) in enumerate(
        zip(rows.tolist(), compiled.branch_next.tolist(), strict=True)
    ):
        state, action = divmod(row, n_actions)
        if compiled.ending[state]:
            continue
        key = (state, action, following)
        if key not in cache:
            cache[key] = goal(compiled.states[state], action, compiled.states[following])
        rewards[branch] = cache[key]
    if not np.isfinite(rewards).all():
        branch = int(np.flatnonzero(~np.isfinite(rewards))[0])
        state = compiled.states[int(rows[branch]) // n_actions]
        raise WorldError(
            f"{compiled.world.id}: goal {goal.name!r} pays {rewards[branch]} in state {state!r}, "
            "expected a finite number"
        )
    return rewards


def expected_rewards(compiled: CompiledWorld, goal: Goal) -> NDArray[np.float64]:
    """[S, A] the goal's expected reward for acting."""
    weighted = compiled.branch_probability * branch_rewards(compiled, goal)
    sums: NDArray[np.float64] = np.add.reduceat(weighted, compiled.branch_start[:-1])
    return sums.reshape(compiled.mdp.n_states, compiled.mdp.n_actions)
