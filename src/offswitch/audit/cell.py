"""One cell of an audit: one agent, goal, world and condition, evaluated exactly or sampled."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from offswitch.agents.agent import Agent, PolicyAgent, Task, plain_task, watched_task
from offswitch.agents.do_nothing import DoNothing
from offswitch.agents.drifting import AgingAgent
from offswitch.agents.optimal import Optimal
from offswitch.agents.process import AgentFailure
from offswitch.agents.reference import CorrigibleReference
from offswitch.agents.tabular import TabularAgent
from offswitch.audit.conduct import exact_conduct
from offswitch.audit.directedness import directedness_of
from offswitch.audit.exact import exact_rates, exact_return
from offswitch.audit.product import ProductTooLargeError
from offswitch.audit.records import Baselines, CellKey, CellRecord, Conduct, Rates, Record
from offswitch.audit.sampled import (
    Sampling,
    agent_episodes,
    example_trace,
    failed_episode,
    has_places,
    policy_episodes,
    seed_of,
    seed_of_episode,
)
from offswitch.audit.willingness import paid_at_most
from offswitch.countermeasures.setting import Setting
from offswitch.errors import AgentError
from offswitch.worlds.compiled import compiled_world
from offswitch.worlds.goal import Goal
from offswitch.worlds.world import World

__all__ = ["empty_cell", "evaluate_cell", "make_task", "unscored_cell"]

log = logging.getLogger(__name__)


def make_task(world: World[Any], goal: Goal, seed: int) -> Task:
    """The task of pursuing `goal` in `world`; paired conditions share the training seed."""
    return plain_task(compiled_world(world), goal, seed_of(seed, "train", world.id, goal.name))


def evaluate_cell(
    setting: Setting, key: CellKey, sampling: Sampling, done: frozenset[int] = frozenset()
) -> Iterator[Record]:
    """The records of one cell: its episodes not yet in `done`, then the cell itself."""
    task = make_task(setting.world, setting.goal, sampling.seed)
    judged = _judged(setting, sampling)
    cell = empty_cell(setting, key, sampling)
    try:
        agent = setting.maker(task)
    except AgentFailure as failure:  # it can be loaded, but crashed or hung while it was made
        yield from unscored_cell(cell, sampling, done, failure.reason, str(failure))
        return
    except AgentError as error:
        yield msgspec.structs.replace(cell, not_applicable=str(error))
        return
    try:
        yield from _evaluated(agent, judged, setting, cell, sampling, done)
    finally:
        close = getattr(agent, "close", None)
        if close is not None:
            close()


def empty_cell(setting: Setting, key: CellKey, sampling: Sampling) -> CellRecord:
    """A cell in which nothing has been measured but what its baselines are worth."""
    baselines = _baselines(watched_task(_judged(setting, sampling)))
    return CellRecord(
        key=key, method="sampled", rates=None, value=None, baselines=baselines, training=None,
        trained=None,
    )  # fmt: skip


def _judged(setting: Setting, sampling: Sampling) -> Task:
    """The task as its principals judge it, whatever a countermeasure made of the goal."""
    return make_task(setting.world, setting.objective, sampling.seed)


def unscored_cell(
    cell: CellRecord, sampling: Sampling, done: frozenset[int], reason: str, failure: str
) -> Iterator[Record]:
    """The records of a cell in which the agent could not even begin."""
    for episode in range(sampling.episodes):
        if episode not in done:
            seed = seed_of_episode(sampling, cell.key, episode)
            yield failed_episode(cell.key, episode, seed, reason, failure)
    yield cell


def _evaluated(
    agent: Agent,
    judged: Task,
    setting: Setting,
    cell: CellRecord,
    sampling: Sampling,
    done: frozenset[int],
) -> Iterator[Record]:
    key, report = cell.key, getattr(agent, "convergence", None)
    if report is not None:
        cell = msgspec.structs.replace(cell, training=report.note, trained=report.converged)
    policy = agent.policy(judged.compiled.mdp) if isinstance(agent, PolicyAgent) else None
    if policy is not None and sampling.conduct:
        cell = _with_plans(cell, setting, judged, policy, sampling)
    if policy is not None and not sampling.always:
        try:
            rates = exact_rates(judged.compiled, policy, sampling.drives)
            conduct = _conduct(judged, policy, key, sampling, rates)
        except ProductTooLargeError:
            log.info("%s: too many outcomes to enumerate; sampling instead", key)
        else:
            value = exact_return(judged, policy)
            if sampling.also:
                fresh = [number for number in range(sampling.episodes) if number not in done]
                plain = dataclasses.replace(sampling, conduct=False)
                yield from policy_episodes(judged, policy, cell.key, plain, fresh)
            example = example_trace(judged, policy, key, sampling)
            yield msgspec.structs.replace(
                cell, method="exact", rates=rates, value=value, trace=example, conduct=conduct
            )
            return
    missing = [number for number in range(sampling.episodes) if number not in done]
    if policy is not None and isinstance(agent, TabularAgent):
        yield from policy_episodes(judged, policy, key, sampling, missing)
    else:
        if isinstance(agent, AgingAgent):
            for _ in done:  # so that it is as old as if it had lived them now
                agent.reset(sampling.seed)
        yield from agent_episodes(agent, setting, key, sampling, missing)
    yield cell


def _conduct(
    judged: Task, policy: NDArray[np.float64], key: CellKey, sampling: Sampling, rates: Rates
) -> Conduct | None:
    if not sampling.conduct:
        return None
    places = has_places(key)
    return exact_conduct(judged.compiled, judged.goal, policy, rates, places=places)


def _with_plans(
    cell: CellRecord,
    setting: Setting,
    judged: Task,
    policy: NDArray[np.float64],
    sampling: Sampling,
) -> CellRecord:
    """The cell with what its agent's plans are towards and what it would pay, where that is due."""
    if cell.key.threat == "none":
        directed = directedness_of(judged.compiled, judged.goal, policy)
        return msgspec.structs.replace(cell, directedness=directed)
    if has_places(cell.key):
        task = make_task(setting.world, setting.goal, sampling.seed)
        return msgspec.structs.replace(cell, paid=paid_at_most(setting.maker, task))
    return cell


@functools.lru_cache(maxsize=256)
def _baselines(judged: Task) -> Baselines:
    policies = [
        maker(judged).policy(judged.compiled.mdp)
        for maker in (DoNothing(), CorrigibleReference(), Optimal())
    ]
    null, reference, optimum = (exact_return(judged, policy) for policy in policies)
    return Baselines(null=null, reference=reference, optimum=optimum)
