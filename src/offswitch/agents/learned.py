"""What training leaves behind: the greedy agent, and whether it had finished learning."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offswitch.agents.agent import Task, watched_task
from offswitch.agents.convergence import ConvergenceReport, Method
from offswitch.agents.do_nothing import DoNothing
from offswitch.agents.episodes import episodes_of
from offswitch.agents.lesson import Lesson, Tables, learn
from offswitch.agents.optimal import optimal_values
from offswitch.agents.returns import episode_return
from offswitch.agents.tabular import TIE_TOLERANCE, TabularAgent, greedy_table
from offswitch.agents.training import Training
from offswitch.mdp.occupancy import occupancy
from offswitch.worlds.compiled import CompiledWorld

__all__ = ["LEARNT_TIE", "Learned", "Regret", "learned_agent", "regret_of", "trained_agent"]

LEARNT_TIE = 1e-6
"""Relative to the largest learnt value. Wide enough for two exact equals that were updated a
different number of times; noise in a chancy world is larger and is not forgiven."""

IMMATERIAL = 0.01
"""Share of what the plan earns beyond idling: a change between actions whose exact values are
closer than this is noise between near equals."""


class Learned(NamedTuple):
    """A learner's tables, [O, A] each."""

    values: NDArray[np.float64]
    """Action values after training."""
    earlier: NDArray[np.float64]
    """Action values after four fifths of it."""
    visits: NDArray[np.int64]
    """How often every pair was updated."""


def trained_agent(
    task: Task,
    method: Method,
    training: Training,
    kernel: Callable[..., Tables],
    options: tuple[bool, ...] = (),
) -> TabularAgent:
    """The greedy agent of the first course of `training` after which it converged, or of the last.

    O(steps A), and one exact solve; remembered. What an agent is told of being watched changes
    nothing that a table learner can learn from, so it learns the same in both cells of a pair.
    """
    agent = _trained(watched_task(task), method, training, kernel, options)
    return TabularAgent(task.compiled, agent.table, convergence=agent.convergence)


@functools.lru_cache(maxsize=32)
def _trained(
    task: Task,
    method: Method,
    training: Training,
    kernel: Callable[..., Tables],
    options: tuple[bool, ...],
) -> TabularAgent:
    for schedule in training.courses(task):
        lesson = Lesson(kernel, episodes_of(task), schedule, options, task.seed)
        agent = learned_agent(task, method, schedule.steps, Learned(*learn(lesson)))
        if agent.convergence is not None and agent.convergence.converged:
            break
    return agent


def learned_agent(
    task: Task,
    method: Method,
    steps: int,
    learned: Learned,
    *,
    acting: TabularAgent | None = None,
) -> TabularAgent:
    """The greedy agent of `learned`, with its convergence report. O(one exact solve).

    The report's regret is that of `acting`, where what was learnt does not act greedily.
    """
    exact = optimal_values(task)
    agent = TabularAgent(task.compiled, greedy_table(learned.values, tolerance=LEARNT_TIE))
    regret = regret_of(task, acting or agent, TabularAgent(task.compiled, greedy_table(exact)))
    report = ConvergenceReport(
        method=method,
        steps=steps,
        regret=regret.share,
        greedy_changes=_greedy_changes(agent, learned.earlier, exact, IMMATERIAL * regret.scale),
        visited=_visited(task.compiled, learned.visits),
        note=regret.note,
    )
    return TabularAgent(task.compiled, agent.table, convergence=report)


class Regret(NamedTuple):
    """What an agent forgoes."""

    share: float
    """(best - own) / `scale`; 0 where they differ by rounding only."""
    scale: float
    """Return of the plan beyond idling; where there is none, the largest return there can be."""
    note: str
    """What a reader must know of the share; empty where there is nothing."""


def regret_of(task: Task, agent: TabularAgent, plan: TabularAgent) -> Regret:
    """What `agent` forgoes by not following `plan`. O(three policy evaluations)."""
    own, best, idle = (
        episode_return(player, task.reward) for player in (agent, plan, DoNothing()(task))
    )
    rounding = TIE_TOLERANCE * max(abs(own), abs(best), abs(idle))
    scale, note = best - idle, ""
    if scale <= rounding:
        scale = float(np.abs(task.reward).max()) / (1 - task.compiled.world.discount) or 1.0
        note = "idling is as good as the plan: regret is per largest possible return"
    if own - best > rounding:
        note = "better than a plan that leaves interruptions out: regret cannot show under-training"
    return Regret(0.0 if abs(best - own) <= rounding else (best - own) / scale, scale, note)


def _visited(compiled: CompiledWorld, visits: NDArray[np.int64]) -> float:
    """Share of the pairs tried, over the observations at which the agent acts at all."""
    acting = np.unique(compiled.observation_of[~compiled.ending])
    return float((visits[acting] > 0).mean())


def _greedy_changes(
    agent: TabularAgent,
    earlier: NDArray[np.float64],
    exact: NDArray[np.float64],
    immaterial: float,
) -> float:
    """Share of the greedy agent's steps at which its action changed and it matters."""
    compiled = agent.compiled
    now = np.argmax(agent.table, axis=1)
    then = np.argmax(greedy_table(earlier, tolerance=LEARNT_TIE), axis=1)
    rows = np.arange(len(now))
    matters = np.abs(exact[rows, now] - exact[rows, then]) > immaterial
    changed = ((now != then) & matters)[compiled.observation_of]
    steps = occupancy(compiled.mdp, agent.policy(compiled.mdp), compiled.world.discount).sum(axis=1)
    acting = steps * ~compiled.ending
    return float(acting[changed].sum() / acting.sum())
