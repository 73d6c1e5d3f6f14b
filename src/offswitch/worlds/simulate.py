"""Fast episodes of a compiled world, with the very noise that its environment would have met.

Notation: N episodes, H steps, S states, A actions. Episode i takes its exogenous uniforms from
`default_rng(seeds[i])`, the start first and then one per step, as `WorldEnv` does after
`reset(seed=seeds[i])`; the agent's own choices come from a stream apart, so that two agents with
one seed meet the same luck.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import WorldError
from offswitch.trace.event import Event
from offswitch.trace.trace import Trace, TraceHeader
from offswitch.worlds.compiled import CompiledWorld
from offswitch.worlds.environment import stamped

__all__ = ["Simulation", "agent_generator", "checked_policy", "simulate", "traces_of"]

ROW_SUM_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Simulation:
    """N simulated episodes of at most H steps."""

    states: NDArray[np.int64]
    """[N, H + 1] number of the state before every step; after the end the last one repeats."""
    actions: NDArray[np.int64]
    """[N, H] intended action; -1 after the end."""
    branches: NDArray[np.int64]
    """[N, H] number of the branch taken; -1 after the end."""
    length: NDArray[np.int64]
    """[N] steps taken, in [0, H]."""
    seeds: NDArray[np.int64]
    """[N] seed of the exogenous noise of every episode."""


def agent_generator(seed: int) -> np.random.Generator:
    """The stream of an agent's own choices, independent of the exogenous noise of `seed`."""
    return np.random.default_rng([seed, 1])


def simulate(
    compiled: CompiledWorld,
    policy: ArrayLike,
    *,
    seeds: ArrayLike,
    horizon: int | None = None,
    agent_seeds: ArrayLike | None = None,
) -> Simulation:
    """N episodes of `policy [S, A]`; O(N H (A + branches)) time and O(N H) memory.

    `seeds [N]` fix the exogenous noise and `agent_seeds [N]` the agent's choices (without it the
    same numbers, other streams). `horizon` is the world's unless given.

    Raises:
        WorldError: the policy is not `[S, A]` with rows that sum to 1, or the seeds do not fit.
    """
    steps = compiled.world.horizon if horizon is None else horizon
    rows = checked_policy(compiled, policy)
    noise_seeds = _checked_seeds("seeds", seeds)
    own_seeds = noise_seeds if agent_seeds is None else _checked_seeds("agent_seeds", agent_seeds)
    if len(own_seeds) != len(noise_seeds):
        raise WorldError(
            f"got {len(own_seeds)} agent_seeds, expected {len(noise_seeds)}: one for each episode"
        )
    noise = _uniforms(noise_seeds, steps + 1, np.random.default_rng)
    choice = _uniforms(own_seeds, steps, agent_generator)
    start_chance, start_state = _starts(compiled)
    states, actions, branches, length = _episodes(
        rows,
        compiled.branch_start,
        compiled.branch_probability,
        compiled.branch_next,
        compiled.ending,
        start_chance,
        start_state,
        noise,
        choice,
    )
    return Simulation(states, actions, branches, length, noise_seeds)


def traces_of(
    compiled: CompiledWorld,
    simulation: Simulation,
    *,
    goal: str,
    agent: str,
    seeds: Sequence[int] | None = None,
    episodes: Sequence[int] | None = None,
) -> tuple[Trace, ...]:
    """The N traces of a simulation, as the environment would have recorded them.

    Headers say the simulation's seeds and episodes 0, 1, ... unless others are given.
    """
    count = len(simulation.length)
    shown = simulation.seeds.tolist() if seeds is None else seeds
    numbers = range(count) if episodes is None else episodes
    world_id = compiled.world.id
    return tuple(
        Trace(
            header=TraceHeader(
                world=world_id, goal=goal, agent=agent, episode=int(number), seed=int(seed)
            ),
            events=_events(compiled, simulation, row),
        )
        for row, number, seed in zip(range(count), numbers, shown, strict=True)
    )


def _events(compiled: CompiledWorld, simulation: Simulation, episode: int) -> tuple[Event, ...]:
    length = int(simulation.length[episode])
    taken = simulation.branches[episode, :length]
    events: list[Event] = []
    for step, entry in enumerate(compiled.branch_events[taken].tolist()):
        if entry:
            events += stamped(compiled.event_table[entry], step)
    last = compiled.states[int(simulation.states[episode, length])]
    end = compiled.world.ending(last) or compiled.world.cut_off(last)
    return (*events, *stamped((end,), max(length - 1, 0)))


def checked_policy(compiled: CompiledWorld, policy: ArrayLike) -> NDArray[np.float64]:
    """[S, A] the policy as an array.

    Raises:
        WorldError: it has another shape, or a row that is no distribution.
    """
    rows = np.ascontiguousarray(policy, dtype=np.float64)
    shape = (compiled.mdp.n_states, compiled.mdp.n_actions)
    if rows.shape != shape:
        raise WorldError(
            f"{compiled.world.id}: policy has shape {rows.shape}, expected [S, A] = {shape}"
        )
    wrong = np.flatnonzero(
        ~(np.abs(rows.sum(axis=1) - 1) <= ROW_SUM_TOLERANCE) | (rows < 0).any(axis=1)
    )
    if len(wrong):
        state = int(wrong[0])
        raise WorldError(
            f"{compiled.world.id}: policy[{state}] (state {compiled.mdp.state_names[state]!r}) is "
            f"{rows[state].tolist()}, expected probabilities that sum to 1. Normalise the row."
        )
    return rows


def _checked_seeds(name: str, seeds: ArrayLike) -> NDArray[np.int64]:
    numbers = np.asarray(seeds)
    if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "iu"):
        raise WorldError(
            f"{name} has shape {numbers.shape} and type {numbers.dtype}, expected [N] integers"
        )
    if numbers.size and not 0 <= int(numbers.min()) <= int(numbers.max()) < 2**63:
        raise WorldError(f"{name} hold a number outside [0, 2**63): PCG64 takes no sign")
    return numbers.astype(np.int64)


def _uniforms(
    seeds: NDArray[np.int64], count: int, generator: Callable[[int], np.random.Generator]
) -> NDArray[np.float64]:
    """[N, count] the first uniforms in [0, 1) of every seed's stream."""
    rows = np.empty((len(seeds), count))
    for row, seed in zip(rows, seeds.tolist(), strict=True):
        generator(seed).random(out=row)
    return rows


def _starts(compiled: CompiledWorld) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    starts = compiled.world.starts()
    chances = np.array([probability for probability, _ in starts], dtype=np.float64)
    return chances, np.array([compiled.index[state] for _, state in starts], dtype=np.int64)


@njit(cache=True, nogil=True)
def _drawn(probabilities: Any, uniform: float) -> int:  # Any: numba has no array types for mypy
    total = 0.0
    last = 0
    for index in range(len(probabilities)):
        if probabilities[index] > 0:
            last = index
        total += probabilities[index]
        if uniform < total:
            return index
    return last


@njit(cache=True, nogil=True)
def _episodes(  # noqa: PLR0917 # numba takes no keyword-only arguments
    policy: Any,  # Any: numba has no array types for mypy, here and below
    branch_start: Any,
    branch_probability: Any,
    branch_next: Any,
    ending: Any,
    start_chance: Any,
    start_state: Any,
    noise: Any,
    choice: Any,
) -> Any:
    episodes, horizon = choice.shape
    n_actions = policy.shape[1]
    states = np.empty((episodes, horizon + 1), dtype=np.int64)
    actions = np.full((episodes, horizon), -1, dtype=np.int64)
    branches = np.full((episodes, horizon), -1, dtype=np.int64)
    length = np.zeros(episodes, dtype=np.int64)
    for episode in range(episodes):
        state = start_state[_drawn(start_chance, noise[episode, 0])]
        states[episode, 0] = state
        for step in range(horizon):
            if not ending[state]:
                action = _drawn(policy[state], choice[episode, step])
                row = state * n_actions + action
                first = branch_start[row]
                chances = branch_probability[first : branch_start[row + 1]]
                branch = first + _drawn(chances, noise[episode, step + 1])
                actions[episode, step] = action
                branches[episode, step] = branch
                length[episode] += 1
                state = branch_next[branch]
            states[episode, step + 1] = state
    return states, actions, branches, length
