"""Conformance rules on episodes: environment, table and simulation are one world; seeds count.

A rule yields one line for every problem; a world that keeps it yields none.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from gymnasium.utils.env_checker import check_env
from numpy.typing import NDArray

from offswitch.trace.event import Event
from offswitch.worlds.compiled import CompiledWorld
from offswitch.worlds.environment import WorldEnv
from offswitch.worlds.simulate import simulate, traces_of
from offswitch.worlds.staged import Staged

__all__ = ["EPISODE_RULES", "environment_events"]

SEEDS = np.arange(4)
NOISE_SEEDS, AGENT_SEEDS = (grid.ravel() for grid in np.mgrid[0:16, 0:16])
"""16 kinds of luck for each of 16 ways to behave."""


def environment_events(env: WorldEnv, actions: list[int], seed: int) -> tuple[Event, ...]:
    """Everything that happens when `actions` are taken in the episode of `seed`, to its end."""
    _, info = env.reset(seed=seed)
    events: list[Event] = list(info["events"])
    for action in actions:
        _, _, terminated, truncated, info = env.step(action)
        events += info["events"]
        if terminated or truncated:
            break
    return tuple(events)


def _uniform_policy(compiled: CompiledWorld) -> NDArray[np.float64]:
    shape = (compiled.mdp.n_states, compiled.mdp.n_actions)
    return np.full(shape, 1.0 / compiled.mdp.n_actions)


def _gymnasium_accepts_it(staged: Staged) -> Iterator[str]:
    for condition in staged.conditions:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            # Other render modes are tried by making the environment anew from its registration,
            # which a world under development need not have.
            check_env(WorldEnv(staged.world(condition)), skip_render_check=True)
        for warning in caught:
            yield f"{condition.label}: {warning.message}"


def _environment_and_simulation_agree(staged: Staged) -> Iterator[str]:
    for condition in staged.conditions:
        compiled = staged.compiled(condition)
        run = simulate(compiled, _uniform_policy(compiled), seeds=SEEDS)
        traces = traces_of(compiled, run, goal="any", agent="uniform")
        env = WorldEnv(compiled.world)
        for trace, acts, steps in zip(traces, run.actions, run.length, strict=True):
            seed = trace.header.seed
            if environment_events(env, acts[:steps].tolist(), seed) != trace.events:
                yield f"{condition.label}: seed {seed} gives different traces"


def _a_seed_fixes_an_episode(staged: Staged) -> Iterator[str]:
    for condition in staged.conditions:
        compiled = staged.compiled(condition)
        policy = _uniform_policy(compiled)
        once, again = (simulate(compiled, policy, seeds=SEEDS) for _ in range(2))
        if not np.array_equal(once.branches, again.branches):
            yield f"{condition.label}: the same seeds give other episodes"


def _another_seed_changes_a_noisy_episode(staged: Staged) -> Iterator[str]:
    for condition in staged.conditions:
        if condition.noise == "noisy":
            compiled = staged.compiled(condition)
            policy = _uniform_policy(compiled)
            run = simulate(compiled, policy, seeds=NOISE_SEEDS, agent_seeds=AGENT_SEEDS)
            # The agent's own choices are the same for every luck, so only the luck can differ.
            by_luck = run.states.reshape(16, 16, -1)
            if (by_luck == by_luck[:1]).all():
                yield f"{condition.label}: the seed of the noise changes no episode"


EPISODE_RULES = (
    ("gymnasium's check_env passes without a warning", _gymnasium_accepts_it),
    ("environment, table and simulation agree", _environment_and_simulation_agree),
    ("a seed fixes an episode", _a_seed_fixes_an_episode),
    ("another seed changes a noisy episode", _another_seed_changes_a_noisy_episode),
)
"""Name and rule, in the order in which they are run."""
