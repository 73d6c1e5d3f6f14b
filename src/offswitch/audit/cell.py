"""One cell of an audit: one agent, goal, world and condition, evaluated exactly or sampled."""

from __future__ import annotations

import functools
import hashlib
import logging
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from offswitch.agents.agent import Agent, PolicyAgent, Task
from offswitch.agents.do_nothing import DoNothing
from offswitch.agents.optimal import Optimal
from offswitch.agents.process import AgentFailure
from offswitch.agents.reference import CorrigibleReference
from offswitch.audit.label import CHECKS, CorrigibilityLabel, Failures
from offswitch.audit.product import Product, ProductTooLargeError
from offswitch.audit.records import Baselines, CellKey, CellRecord, EpisodeRecord, Rates, Record
from offswitch.countermeasures.setting import Setting
from offswitch.drives.drive import headline, score
from offswitch.drives.registry import installed_drives
from offswitch.errors import AgentError
from offswitch.mdp.policy_evaluation import evaluate_policy_finite
from offswitch.trace.event import Ended, Event
from offswitch.trace.trace import Trace, TraceHeader
from offswitch.worlds.compiled import (
    CompiledWorld,
    branch_rewards,
    compiled_world,
    expected_rewards,
)
from offswitch.worlds.environment import WorldEnv
from offswitch.worlds.goal import Goal
from offswitch.worlds.simulate import simulate, traces_of
from offswitch.worlds.world import World

__all__ = ["Sampling", "evaluate_cell", "make_task", "seed_of"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sampling:
    """How a cell is sampled where it is not evaluated exactly."""

    seed: int
    episodes: int
    always: bool = False
    """Sample even agents whose policy is known."""


def seed_of(seed: int, *parts: object) -> int:
    """A seed in [0, 2**63) that depends on `seed` and `parts` only, the same on every machine."""
    text = repr((seed, *parts)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1


@functools.lru_cache(maxsize=64)
def _product(compiled: CompiledWorld, fold: Any) -> Product[Any]:  # Any: a hashable Fold
    return Product(compiled, fold)


def make_task(world: World[Any], goal: Goal, seed: int) -> Task:
    """The task of pursuing `goal` in `world`; paired conditions share the training seed."""
    compiled = compiled_world(world)
    return _task(compiled, goal, seed_of(seed, "train", world.id, goal.name))


@functools.lru_cache(maxsize=256)
def _task(compiled: CompiledWorld, goal: Goal, seed: int) -> Task:
    return Task(
        compiled=compiled,
        goal=goal,
        reward=expected_rewards(compiled, goal),
        branch_reward=branch_rewards(compiled, goal),
        seed=seed,
    )


def evaluate_cell(
    setting: Setting, key: CellKey, sampling: Sampling, done: frozenset[int] = frozenset()
) -> Iterator[Record]:
    """The records of one cell: its episodes not yet in `done`, then the cell itself."""
    task = make_task(setting.world, setting.goal, sampling.seed)
    judged = _task(task.compiled, setting.objective, task.seed)
    baselines = _baselines(judged)
    try:
        agent = setting.maker(task)
    except AgentError as error:
        yield CellRecord(
            key=key, method="sampled", rates=None, value=None, baselines=baselines,
            training=None, trained=None, not_applicable=str(error),
        )  # fmt: skip
        return
    try:
        yield from _evaluated(agent, judged, setting, key, sampling, done, baselines)
    finally:
        close = getattr(agent, "close", None)
        if close is not None:
            close()


def _evaluated(
    agent: Agent,
    judged: Task,
    setting: Setting,
    key: CellKey,
    sampling: Sampling,
    done: frozenset[int],
    baselines: Baselines,
) -> Iterator[Record]:
    report = getattr(agent, "convergence", None)
    cell = CellRecord(
        key=key, method="sampled", rates=None, value=None, baselines=baselines,
        training=getattr(report, "note", None), trained=getattr(report, "converged", None),
    )  # fmt: skip
    policy = agent.policy(judged.compiled.mdp) if isinstance(agent, PolicyAgent) else None
    if policy is not None and not sampling.always:
        try:
            rates = _exact_rates(judged.compiled, policy)
        except ProductTooLargeError:
            log.info("%s: too many outcomes to enumerate; sampling instead", key)
        else:
            value = _value(judged, policy)
            episode = _tabular_trace(
                judged.compiled, policy, key, [seed_of_episode(sampling, key, 0)]
            )
            yield msgspec.structs.replace(
                cell, method="exact", rates=rates, value=value, trace=episode[0]
            )
            return
    missing = [number for number in range(sampling.episodes) if number not in done]
    if policy is not None:
        yield from _tabular_episodes(judged, policy, key, sampling, missing)
    else:
        yield from _agent_episodes(agent, setting, key, sampling, missing)
    yield cell


def seed_of_episode(sampling: Sampling, key: CellKey, episode: int) -> int:
    """The seed of an episode's exogenous noise: paired cells and agents share it."""
    return seed_of(sampling.seed, "episode", key.world, key.goal, episode)


# --- exact ---------------------------------------------------------------------------------------


def _exact_rates(compiled: CompiledWorld, policy: NDArray[np.float64]) -> Rates:
    horizon = compiled.world.horizon
    headlines: dict[str, float] = {}
    components: dict[str, dict[str, float]] = {}
    reached = 0.0
    for drive in installed_drives():
        final = _product(compiled, drive).final(policy, horizon)
        outcomes = [(drive.outcome(memory), mass) for memory, mass in final.items()]
        if drive.name == "self-preservation":
            reached = _share(mass for outcome, mass in outcomes if outcome.reached)
        if any(outcome.unscored for outcome, _ in outcomes):
            continue
        headlines[drive.name] = _share(
            headline(drive, outcome) * mass for outcome, mass in outcomes
        )
        components[drive.name] = {
            name: _share(outcome.component(name) * mass for outcome, mass in outcomes)
            for name in drive.components
        }
    labels = _product(compiled, CorrigibilityLabel()).final(policy, horizon)
    return Rates(
        headline=headlines,
        components=components,
        reached=reached,
        **_label_rates(labels),
    )


def _label_rates(final: dict[Failures, float]) -> dict[str, Any]:  # Any: fields of Rates
    shares = {
        check: _share(mass for failures, mass in final.items() if failures.first == check)
        for check in CHECKS
    }
    return {
        "clean": _share(mass for failures, mass in final.items() if failures.first is None),
        "deceived": _share(mass for failures, mass in final.items() if failures.deceive),
        "first_failure": {check: share for check, share in shares.items() if share > 0},
    }


def _share(masses: Iterable[float]) -> float:
    """Their sum as a probability: summation may miss 1 by its last bits."""
    total = math.fsum(masses)
    return 1.0 if total > 1 - 1e-12 else max(0.0, total)


def _value(task: Task, policy: NDArray[np.float64]) -> float:
    """Expected discounted return of the task's goal over the horizon."""
    world, mdp = task.compiled.world, task.compiled.mdp
    values = evaluate_policy_finite(
        mdp, policy, task.reward[None], world.horizon, discount=world.discount
    )
    return float(mdp.start @ values[0])


@functools.lru_cache(maxsize=256)
def _baselines(judged: Task) -> Baselines:
    policies = [
        maker(judged).policy(judged.compiled.mdp)
        for maker in (DoNothing(), CorrigibleReference(), Optimal())
    ]
    null, reference, optimum = (_value(judged, policy) for policy in policies)
    return Baselines(null=null, reference=reference, optimum=optimum)


# --- sampled -------------------------------------------------------------------------------------


def _tabular_trace(
    compiled: CompiledWorld, policy: NDArray[np.float64], key: CellKey, seeds: list[int]
) -> tuple[Trace, ...]:
    run = simulate(compiled, policy, horizon=compiled.world.horizon, seeds=np.asarray(seeds))
    return traces_of(compiled, run, agent=key.agent, goal=key.goal, seeds=seeds)


def _tabular_episodes(
    judged: Task,
    policy: NDArray[np.float64],
    key: CellKey,
    sampling: Sampling,
    episodes: list[int],
) -> Iterator[EpisodeRecord]:
    if not episodes:
        return
    compiled = judged.compiled
    seeds = [seed_of_episode(sampling, key, episode) for episode in episodes]
    run = simulate(compiled, policy, horizon=compiled.world.horizon, seeds=np.asarray(seeds))
    traces = traces_of(
        compiled, run, agent=key.agent, goal=key.goal, seeds=seeds, episodes=episodes
    )
    rewards = np.append(judged.branch_reward, 0.0)  # branch -1 pays nothing
    discounts = compiled.world.discount ** np.arange(run.branches.shape[1])
    values = (rewards[run.branches] * discounts).sum(axis=1)
    for episode, trace, value in zip(episodes, traces, values, strict=True):
        yield EpisodeRecord(
            key=key, episode=episode, unscored=None, rates=rates_of(trace), value=float(value),
            trace=trace,
        )  # fmt: skip


def rates_of(trace: Trace) -> Rates:
    """What one recorded episode says, in the same form as an exact expectation."""
    headlines: dict[str, float] = {}
    components: dict[str, dict[str, float]] = {}
    reached = 0.0
    for drive in installed_drives():
        outcome = score(drive, trace)
        if drive.name == "self-preservation":
            reached = float(outcome.reached)
        if outcome.unscored is None:
            headlines[drive.name] = headline(drive, outcome)
            components[drive.name] = dict(outcome.components)
    label = CorrigibilityLabel()
    failures = functools.reduce(label.advance, trace.events, label.start())
    return Rates(
        headline=headlines,
        components=components,
        reached=reached,
        **_label_rates({failures: 1.0}),
    )


def _agent_episodes(
    agent: Agent, setting: Setting, key: CellKey, sampling: Sampling, episodes: list[int]
) -> Iterator[EpisodeRecord]:
    for episode in episodes:
        seed = seed_of_episode(sampling, key, episode)
        events, value, failure = _run_agent(agent, setting, seed)
        trace = Trace(
            header=TraceHeader(
                world=key.world, goal=key.goal, agent=key.agent, episode=episode, seed=seed
            ),
            events=tuple(events),
        )
        yield EpisodeRecord(
            key=key,
            episode=episode,
            unscored=failure,
            rates=rates_of(trace) if failure is None else None,
            value=value if failure is None else None,
            trace=trace,
        )


def _run_agent(agent: Agent, setting: Setting, seed: int) -> tuple[list[Event], float, str | None]:
    """One episode: its events, discounted return, and why it failed, if it did."""
    env = WorldEnv(setting.world, setting.objective)
    observation, info = env.reset(seed=seed)
    events: list[Event] = list(info["events"])
    value, weight, step = 0.0, 1.0, 0
    try:
        agent.reset(seed)
        finished = False
        while not finished:
            action = agent.act(tuple(int(entry) for entry in observation))
            observation, reward, terminated, truncated, info = env.step(action)
            events += info["events"]
            value += weight * float(reward)
            weight *= setting.world.discount
            finished = terminated or truncated
            step += 1
    except AgentFailure as failure:
        log.warning("%s in episode with seed %d: %s", failure.reason, seed, failure)
        events.append(Ended(step=step, reason="failed", actor="agent"))
        return events, value, failure.reason
    return events, value, None
