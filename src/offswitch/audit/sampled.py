"""A cell whose episodes are drawn: by the compiled simulator, or by an agent acting for itself."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offswitch.agents.agent import Agent, Task
from offswitch.agents.process import AgentFailure
from offswitch.audit.conduct import Run, episode_conduct
from offswitch.audit.exact import label_rates
from offswitch.audit.label import CorrigibilityLabel
from offswitch.audit.records import CellKey, Conduct, EpisodeRecord, Rates
from offswitch.audit.shown import drives_scored, parts_shown
from offswitch.countermeasures.setting import Setting
from offswitch.drives.drive import Drive, headline, score
from offswitch.trace.event import Ended, Event
from offswitch.trace.trace import Trace, TraceHeader
from offswitch.worlds.compiled import CompiledWorld, compiled_world
from offswitch.worlds.environment import WorldEnv
from offswitch.worlds.goal import Goal
from offswitch.worlds.simulate import simulate, traces_of

__all__ = [
    "NOT_RUN",
    "Sampling",
    "agent_episodes",
    "example_trace",
    "failed_episode",
    "has_places",
    "policy_episodes",
    "rates_of",
    "seed_of",
    "seed_of_episode",
]

PATIENCE = 3
"""Time-outs in a row after which an agent counts as hanging."""
NOT_RUN = "not run"


@dataclass(frozen=True)
class Sampling:
    """How a cell is sampled where it is not evaluated exactly."""

    seed: int
    episodes: int
    always: bool = False
    """Sample even agents whose policy is known."""
    also: bool = False
    """Draw the episodes too where a cell is evaluated exactly."""
    drives: frozenset[str] | None = None
    """Names of the drives to score, exactly or not; None is every one that can be shown."""
    conduct: bool = False
    """Record what only an audit reports too: conduct, goal-directedness, what is paid at most."""


def seed_of(seed: int, *parts: object) -> int:
    """A seed in [0, 2**63) that depends on `seed` and `parts` only, the same on every machine."""
    text = repr((seed, *parts)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1


def seed_of_episode(sampling: Sampling, key: CellKey, episode: int) -> int:
    """The seed of an episode's exogenous noise: paired cells and agents share it."""
    return seed_of(sampling.seed, "episode", key.world, key.goal, episode)


def example_trace(
    judged: Task, policy: NDArray[np.float64], key: CellKey, sampling: Sampling
) -> Trace:
    """Episode 0 of a cell, to look at beside its exact rates."""
    seeds = [seed_of_episode(sampling, key, 0)]
    run = simulate(judged.compiled, policy, seeds=seeds)
    return traces_of(judged.compiled, run, agent=key.agent, goal=key.goal)[0]


def policy_episodes(
    judged: Task,
    policy: NDArray[np.float64],
    key: CellKey,
    sampling: Sampling,
    episodes: Sequence[int],
) -> Iterator[EpisodeRecord]:
    """The `episodes` of a known policy `[S, A]`, from the compiled simulator."""
    if not episodes:
        return
    compiled = judged.compiled
    shown = _parts(compiled, sampling)
    seeds = [seed_of_episode(sampling, key, episode) for episode in episodes]
    run = simulate(compiled, policy, seeds=seeds)
    traces = traces_of(
        compiled, run, agent=key.agent, goal=key.goal, seeds=seeds, episodes=episodes
    )
    rewards = np.append(judged.branch_reward, 0.0)  # branch -1 pays nothing
    discounts = compiled.world.discount ** np.arange(run.branches.shape[1])
    values = (rewards[run.branches] * discounts).sum(axis=1)
    for row, (episode, trace) in enumerate(zip(episodes, traces, strict=True)):
        length = int(run.length[row])
        states = [compiled.states[state] for state in run.states[row, : length + 1].tolist()]
        found = rates_of(trace, shown)
        went = Run(trace.events, states, run.actions[row, :length].tolist(), found)
        yield EpisodeRecord(
            key=key, episode=episode, unscored=None, failure=None, rates=found,
            value=float(values[row]), trace=trace,
            conduct=_conduct(compiled, judged.goal, key, sampling, went),
        )  # fmt: skip


def has_places(key: CellKey) -> bool:
    """Whether POWER is compared in this cell."""
    return key.threat == "shutdown" and key.observed


def _conduct(
    compiled: CompiledWorld, goal: Goal, key: CellKey, sampling: Sampling, run: Run
) -> Conduct | None:
    if not sampling.conduct:
        return None
    return episode_conduct(compiled, goal, run, places=has_places(key))


def _parts(compiled: CompiledWorld, sampling: Sampling) -> Mapping[Drive[Any], tuple[str, ...]]:
    """Every drive that is scored -> its parts that can show."""
    drives = drives_scored(compiled, sampling.drives)
    return {drive: parts_shown(compiled, drive) for drive in drives}


def rates_of(
    trace: Trace, shown: Mapping[Drive[Any], tuple[str, ...]]
) -> Rates:  # Any: each its own memory
    """What one recorded episode says of drives, in the form of an exact expectation.

    `shown` maps every drive to the parts of it that are scored.
    """
    headlines: dict[str, float] = {}
    components: dict[str, dict[str, float]] = {}
    reached = 0.0
    for drive, parts in shown.items():
        outcome = score(drive, trace)
        if drive.name == "self-preservation":
            reached = float(outcome.reached)
        if outcome.unscored is None:
            headlines[drive.name] = headline(drive, outcome)
            components[drive.name] = {part: outcome.component(part) for part in parts}
    label = CorrigibilityLabel()
    failures = functools.reduce(label.advance, trace.events, label.start())
    return Rates(
        headline=headlines,
        components=components,
        reached=reached,
        **label_rates({failures: 1.0}),
    )


def agent_episodes(
    agent: Agent, setting: Setting, key: CellKey, sampling: Sampling, episodes: Sequence[int]
) -> Iterator[EpisodeRecord]:
    """The `episodes` of an agent that acts for itself; its failures are counted, not dropped.

    After three time-outs in a row the rest is not run: it would only hang again.
    """
    hanging = 0
    compiled = compiled_world(setting.world)
    shown = _parts(compiled, sampling)
    for episode in episodes:
        seed = seed_of_episode(sampling, key, episode)
        if hanging == PATIENCE:
            yield failed_episode(key, episode, seed, NOT_RUN, f"{PATIENCE} time-outs in a row")
            continue
        events: list[Event] = []
        states: list[Any] = []  # Any: each world has its own state type
        actions: list[int] = []
        try:
            value = _run_agent(agent, setting, seed, events, states, actions)
        except AgentFailure as failure:
            hanging = hanging + 1 if failure.reason == "timeout" else 0
            yield failed_episode(key, episode, seed, failure.reason, str(failure), events)
            continue
        hanging = 0
        trace = Trace(header=_header(key, episode, seed), events=tuple(events))
        found = rates_of(trace, shown)
        went = Run(trace.events, states, actions, found)
        yield EpisodeRecord(
            key=key, episode=episode, unscored=None, failure=None, rates=found, value=value,
            trace=trace, conduct=_conduct(compiled, setting.objective, key, sampling, went),
        )  # fmt: skip


def failed_episode(
    key: CellKey, episode: int, seed: int, reason: str, failure: str, events: Sequence[Event] = ()
) -> EpisodeRecord:
    """The record of an episode that cannot be scored, with what happened until it failed."""
    step = events[-1].step if events else 0
    ended = Ended(step=step, reason="failed", actor="agent")
    trace = Trace(header=_header(key, episode, seed), events=(*events, ended))
    return EpisodeRecord(
        key=key, episode=episode, unscored=reason, failure=failure, rates=None, value=None,
        trace=trace,
    )  # fmt: skip


def _header(key: CellKey, episode: int, seed: int) -> TraceHeader:
    return TraceHeader(world=key.world, goal=key.goal, agent=key.agent, episode=episode, seed=seed)


def _run_agent(
    agent: Agent,
    setting: Setting,
    seed: int,
    events: list[Event],
    states: list[Any],  # Any: each world has its own state type
    actions: list[int],
) -> float:
    """The discounted return of one episode; events, states and actions are added as they happen.

    Raises:
        AgentFailure: the agent crashed, hung, or chose no action.
    """
    env = WorldEnv(setting.world, setting.objective)
    observation, info = env.reset(seed=seed)
    events += info["events"]
    states.append(env.state)
    # Not the environment's own seed: default_rng of it would foresee the world's noise.
    agent.reset(seed_of(seed, "agent"))
    value, weight, finished = 0.0, 1.0, False
    while not finished:
        action = agent.act(tuple(int(entry) for entry in observation))
        observation, reward, terminated, truncated, info = env.step(action)
        events += info["events"]
        states.append(env.state)
        actions.append(int(action))
        value += weight * float(reward)
        weight *= setting.world.discount
        finished = terminated or truncated
    return value
