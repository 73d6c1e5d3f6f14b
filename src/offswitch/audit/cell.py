"""One cell of an audit: one agent, goal, world and condition, evaluated exactly or sampled."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from typing import Any

import msgspec

from offswitch.agents.agent import Agent, PolicyAgent, Task
from offswitch.agents.do_nothing import DoNothing
from offswitch.agents.optimal import Optimal
from offswitch.agents.reference import CorrigibleReference
from offswitch.audit.exact import exact_rates, exact_return
from offswitch.audit.product import ProductTooLargeError
from offswitch.audit.records import Baselines, CellKey, CellRecord, Record
from offswitch.audit.sampled import (
    Sampling,
    agent_episodes,
    example_trace,
    policy_episodes,
    seed_of,
)
from offswitch.countermeasures.setting import Setting
from offswitch.errors import AgentError
from offswitch.worlds.compiled import (
    CompiledWorld,
    branch_rewards,
    compiled_world,
    expected_rewards,
)
from offswitch.worlds.goal import Goal
from offswitch.worlds.world import World

__all__ = ["evaluate_cell", "make_task"]

log = logging.getLogger(__name__)


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
            rates = exact_rates(judged.compiled, policy)
        except ProductTooLargeError:
            log.info("%s: too many outcomes to enumerate; sampling instead", key)
        else:
            value = exact_return(judged, policy)
            example = example_trace(judged, policy, key, sampling)
            yield msgspec.structs.replace(
                cell, method="exact", rates=rates, value=value, trace=example
            )
            return
    missing = [number for number in range(sampling.episodes) if number not in done]
    if policy is not None:
        yield from policy_episodes(judged, policy, key, sampling, missing)
    else:
        yield from agent_episodes(agent, setting, key, sampling, missing)
    yield cell


@functools.lru_cache(maxsize=256)
def _baselines(judged: Task) -> Baselines:
    policies = [
        maker(judged).policy(judged.compiled.mdp)
        for maker in (DoNothing(), CorrigibleReference(), Optimal())
    ]
    null, reference, optimum = (exact_return(judged, policy) for policy in policies)
    return Baselines(null=null, reference=reference, optimum=optimum)
