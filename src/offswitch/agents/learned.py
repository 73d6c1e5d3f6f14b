"""What training leaves behind: the greedy agent, and whether it had finished learning."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offswitch.agents.agent import Task
from offswitch.agents.convergence import ConvergenceReport
from offswitch.agents.do_nothing import DoNothing
from offswitch.agents.optimal import optimal_values
from offswitch.agents.returns import episode_return
from offswitch.agents.tabular import TIE_TOLERANCE, TabularAgent, greedy_table
from offswitch.worlds.compiled import CompiledWorld

__all__ = ["LEARNT_TIE", "Learned", "learned_agent"]

LEARNT_TIE = 1e-6
"""Relative to the largest learnt value. Wide enough for two exact equals that were updated a
different number of times; noise in a chancy world is larger and is not forgiven."""


class Learned(NamedTuple):
    """A learner's tables, [O, A] each."""

    values: NDArray[np.float64]
    """Action values after training."""
    earlier: NDArray[np.float64]
    """Action values after four fifths of it."""
    visits: NDArray[np.int64]
    """How often every pair was updated."""


def learned_agent(
    task: Task,
    method: Literal["q-learning", "sarsa", "monte-carlo"],
    steps: int,
    learned: Learned,
) -> TabularAgent:
    """The greedy agent of `learned`, with its convergence report. O(one exact solve)."""
    table = greedy_table(learned.values, tolerance=LEARNT_TIE)
    exact = optimal_values(task)
    regret, note = _regret(task, table, greedy_table(exact))
    report = ConvergenceReport(
        method=method,
        steps=steps,
        regret=regret,
        greedy_changes=_greedy_changes(task.compiled, table, learned.earlier, exact),
        visited=_visited(task.compiled, learned.visits),
        note=note,
    )
    return TabularAgent(task.compiled, table, convergence=report)


def _visited(compiled: CompiledWorld, visits: NDArray[np.int64]) -> float:
    """Share of the pairs tried, over the observations at which the agent acts at all."""
    acting = np.unique(compiled.observation_of[~compiled.ending])
    return float((visits[acting] > 0).mean())


def _regret(
    task: Task, table: NDArray[np.float64], best_table: NDArray[np.float64]
) -> tuple[float, str]:
    """Normalised regret in the task's own world, and a word on its scale."""
    own, best = (
        episode_return(TabularAgent(task.compiled, rows), task.reward)
        for rows in (table, best_table)
    )
    idle = episode_return(DoNothing()(task), task.reward)
    rounding = TIE_TOLERANCE * max(abs(own), abs(best), abs(idle))
    if abs(best - own) <= rounding:
        return 0.0, ""
    if best - idle > rounding:
        return (best - own) / (best - idle), ""
    largest = float(np.abs(task.reward).max()) / (1 - task.compiled.world.discount)
    return (best - own) / largest, "idling is as good as the plan: regret is per largest return"


def _greedy_changes(
    compiled: CompiledWorld,
    table: NDArray[np.float64],
    earlier: NDArray[np.float64],
    exact: NDArray[np.float64],
) -> float:
    """Share of the observations on the greedy path whose action changed for a better or worse."""
    path = _on_path(compiled, table)
    now = np.argmax(table, axis=1)
    then = np.argmax(greedy_table(earlier, tolerance=LEARNT_TIE), axis=1)
    rows = np.arange(len(table))
    equal = np.abs(exact[rows, now] - exact[rows, then]) <= TIE_TOLERANCE * np.abs(exact).max()
    return float(((now != then) & ~equal)[path].mean())


def _on_path(compiled: CompiledWorld, table: NDArray[np.float64]) -> NDArray[np.bool_]:
    """[O] the observations that a policy can come to see, by breadth-first search."""
    reached = set(np.flatnonzero(compiled.mdp.start).tolist())
    waiting = list(reached)
    actions = np.argmax(table, axis=1)[compiled.observation_of]
    while waiting:
        state = waiting.pop()
        if compiled.ending[state]:
            continue
        following, _ = compiled.mdp.successors(state, int(actions[state]))
        fresh = set(following.tolist()) - reached
        reached |= fresh
        waiting += fresh
    seen = np.zeros(compiled.n_observations, dtype=np.bool_)
    running = [state for state in reached if not compiled.ending[state]]
    seen[compiled.observation_of[running]] = True
    return seen
