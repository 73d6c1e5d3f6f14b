"""Long runs: one agent for very many steps, in chunks, so that memory does not grow with time.

A life is a sequence of rounds of equal length. In a long version (`stretch`) the state goes on from
round to round; elsewhere every round is an episode of its own. After an early end the agent idles
until the next round begins anew, so that streams of different agents stay step by step under the
same luck: one uniform number for every step, and one for every round's start.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from offswitch.agents.agent import Agent
from offswitch.agents.drifting import AgingAgent
from offswitch.agents.tabular import TabularAgent
from offswitch.audit.sampled import seed_of
from offswitch.errors import AgentError
from offswitch.worlds.compiled import CompiledWorld, compiled_world
from offswitch.worlds.condition import Condition
from offswitch.worlds.registry import make_world, world_class

__all__ = ["Chunk", "Luck", "Stage", "Walker", "long_stage"]

CHUNK = 32_768
"""Steps that are held at once, unless a single round is longer."""
LONG_ROUNDS = 100
"""Rounds of the long version that agents are made for; here a life goes on for as long as asked."""


@dataclass(frozen=True, eq=False)
class Stage:
    """Where lives are led."""

    compiled: CompiledWorld
    span: int
    """Steps of a round."""
    carries: bool
    """Whether the state goes on from round to round."""


class Luck(NamedTuple):
    """The seeds of a life: the same for every agent that is compared."""

    world: int
    agent: int


class Chunk(NamedTuple):
    """C consecutive steps of a life, whole rounds."""

    first_round: int
    states: NDArray[np.int64]
    """[C] state before every step."""
    actions: NDArray[np.int64]
    """[C] action; -1 after an early end."""
    branches: NDArray[np.int64]
    """[C] branch taken; -1 after an early end."""


def long_stage(world_id: str, condition: Condition) -> Stage:
    """The long version of a world in `condition`, or the world itself where it has none.

    Raises:
        WorldError: unknown world, or a condition that it does not stage.
    """
    if world_class(world_id).battery:
        world = make_world(world_id, condition=condition, stretch=LONG_ROUNDS)
        return Stage(compiled_world(world), world.span, carries=True)  # type: ignore[attr-defined]  # a field of battery worlds
    world = make_world(world_id, condition=condition)
    return Stage(compiled_world(world), world.horizon, carries=False)


class Walker:
    """One agent's stream through a life; `walk` goes on where the last call stopped."""

    def __init__(self, stage: Stage, luck: Luck, *, first_round: int = 0) -> None:
        """`first_round` is the agent's age when it comes here; the luck begins anew."""
        self._stage = stage
        self._luck = luck
        self._noise, self._starts, self._choice, self._table = (
            np.random.default_rng([seed, stream])
            for seed, stream in ((luck.world, 0), (luck.world, 1), (luck.agent, 2), (luck.agent, 3))
        )
        self._state = -1
        self._round = first_round

    def walk(self, agent: Agent, rounds: int, life: int) -> Iterator[Chunk]:
        """The next `rounds` of a life of `life` rounds, led by `agent`, chunk by chunk.

        A table costs some 0.1 microseconds a step; an agent that acts for itself what it takes.

        Raises:
            AgentError: the agent chose no action of the world.
        """
        at_once = max(1, CHUNK // self._stage.span)
        last = self._round + rounds
        fresh = True
        while self._round < last:
            count = min(at_once, last - self._round)
            chunk = self._chunk(agent, count, life, fresh)
            fresh = False
            self._round += count
            yield chunk

    def _chunk(self, agent: Agent, rounds: int, life: int, fresh: bool) -> Chunk:
        stage, steps = self._stage, rounds * self._stage.span
        noise, choice = self._noise.random(steps), self._choice.random(steps)
        starts, table = self._starts.random(rounds), self._table.random(rounds)
        tables = _tables_of(agent)
        if tables is None:
            walked = self._acted(agent, noise, starts, fresh)
        else:
            ages = (self._round + np.arange(rounds)) / life
            walked = _walked(
                tables, _chosen(agent, ages, table), *_arrays(stage), noise, choice, starts,
                self._state, stage.span, stage.carries,
            )  # fmt: skip
        states, actions, branches, self._state = walked
        return Chunk(self._round, states, actions, branches)

    def _acted(
        self, agent: Agent, noise: NDArray[np.float64], starts: NDArray[np.float64], fresh: bool
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int]:
        """The same walk for an agent that acts for itself."""
        stage, compiled, state = self._stage, self._stage.compiled, self._state
        states = np.empty(len(noise), dtype=np.int64)
        actions, branches = np.full((2, len(noise)), -1, dtype=np.int64)
        chances, numbers = _start_law(compiled)
        for step in range(len(noise)):
            turn, within = divmod(step, stage.span)
            if within == 0:
                anew = state < 0 or not stage.carries or bool(compiled.ending[state])
                if anew:
                    state = int(numbers[_drawn(chances, starts[turn])])
                if anew or (fresh and turn == 0):
                    agent.reset(seed_of(self._luck.agent, "round", self._round + turn))
            states[step] = state
            if compiled.ending[state]:
                continue
            action = self._checked(agent.act(compiled.observations[compiled.observation_of[state]]))
            row = state * compiled.mdp.n_actions + action
            first, end = compiled.branch_start[row], compiled.branch_start[row + 1]
            branch = int(first) + _drawn(compiled.branch_probability[first:end], noise[step])
            actions[step], branches[step] = action, branch
            state = int(compiled.branch_next[branch])
        return states, actions, branches, state

    def _checked(self, action: int) -> int:
        count = self._stage.compiled.mdp.n_actions
        if not 0 <= action < count:
            raise AgentError(f"the agent chose action {action!r}, expected one in range({count})")
        return int(action)


def _tables_of(agent: Agent) -> NDArray[np.float64] | None:
    """[K, O, A]; None for an agent that acts for itself."""
    if isinstance(agent, TabularAgent):
        return agent.table[None]
    return agent.tables if isinstance(agent, AgingAgent) else None


def _chosen(
    agent: Agent, ages: NDArray[np.float64], uniform: NDArray[np.float64]
) -> NDArray[np.int64]:
    """[rounds] the table of every round."""
    if not isinstance(agent, AgingAgent):
        return np.zeros(len(ages), dtype=np.int64)
    reached = np.cumsum(agent.chances(ages), axis=1)[:, :-1]
    chosen: NDArray[np.int64] = (uniform[:, None] >= reached).sum(axis=1)
    return chosen


def _start_law(compiled: CompiledWorld) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    starts = compiled.world.starts()
    chances = np.array([chance for chance, _ in starts], dtype=np.float64)
    return chances, np.array([compiled.index[state] for _, state in starts], dtype=np.int64)


def _arrays(stage: Stage) -> tuple[NDArray[Any], ...]:  # Any: their types differ
    compiled = stage.compiled
    return (
        compiled.observation_of, compiled.branch_start, compiled.branch_probability,
        compiled.branch_next, compiled.ending, *_start_law(compiled),
    )  # fmt: skip


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
def _walked(  # noqa: PLR0917 # numba takes no keyword-only arguments
    tables: Any,  # Any: numba has no array types for mypy, here and below
    chosen: Any,
    observation_of: Any,
    branch_start: Any,
    branch_probability: Any,
    branch_next: Any,
    ending: Any,
    start_chance: Any,
    start_state: Any,
    noise: Any,
    choice: Any,
    starts: Any,
    state: int,
    span: int,
    carries: bool,
) -> Any:
    steps = len(noise)
    n_actions = tables.shape[2]
    states = np.empty(steps, dtype=np.int64)
    actions = np.full(steps, -1, dtype=np.int64)
    branches = np.full(steps, -1, dtype=np.int64)
    for step in range(steps):
        turn = step // span
        if step % span == 0 and (state < 0 or not carries or ending[state]):
            state = start_state[_drawn(start_chance, starts[turn])]
        states[step] = state
        if ending[state]:
            continue
        action = _drawn(tables[chosen[turn], observation_of[state]], choice[step])
        row = state * n_actions + action
        first = branch_start[row]
        chances = branch_probability[first : branch_start[row + 1]]
        branch = first + _drawn(chances, noise[step])
        actions[step] = action
        branches[step] = branch
        state = branch_next[branch]
    return states, actions, branches, state
