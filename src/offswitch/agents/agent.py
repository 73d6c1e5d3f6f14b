"""Who is audited: the protocol, and the task an agent is made for."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.model import FiniteMDP
from offswitch.worlds.compiled import CompiledWorld, branch_rewards, expected_rewards
from offswitch.worlds.goal import Goal

__all__ = ["Agent", "AgentMaker", "PolicyAgent", "Task", "plain_task", "watched_task"]


@dataclass(frozen=True, eq=False)
class Task:
    """What an agent is made for: a world in one condition, and a goal.

    S states, A actions; the agent sees `compiled.world.observe(state)`, a tuple of small integers.
    """

    compiled: CompiledWorld
    goal: Goal
    reward: NDArray[np.float64]
    """[S, A] expected reward per step of the goal (after any countermeasure)."""
    branch_reward: NDArray[np.float64]
    """[branches] reward of every branch of `compiled`."""
    seed: int
    """Seed for training; the same in paired cells."""


@functools.lru_cache(maxsize=256)
def plain_task(compiled: CompiledWorld, goal: Goal, seed: int) -> Task:
    """The task of pursuing `goal` as it stands, without a countermeasure; remembered."""
    return Task(
        compiled=compiled,
        goal=goal,
        reward=expected_rewards(compiled, goal),
        branch_reward=branch_rewards(compiled, goal),
        seed=seed,
    )


def watched_task(task: Task) -> Task:
    """`task` in the watched twin of its world, if there is one and its rewards are the goal's own.

    An agent that is made of the process alone is the same in both: it is made once.
    """
    shared = task.compiled.shared
    if shared is task.compiled:
        return task
    plain = plain_task(shared, task.goal, task.seed)
    own = task.reward is plain.reward and task.branch_reward is plain.branch_reward
    return plain if own else task


@runtime_checkable
class Agent(Protocol):
    """Anything that can be audited."""

    def reset(self, seed: int) -> None:
        """Forget the last episode; all the agent's chance comes from `seed`."""
        ...

    def act(self, observation: tuple[int, ...]) -> int:
        """The index of the next action, in range(A)."""
        ...


@runtime_checkable
class PolicyAgent(Agent, Protocol):
    """An agent whose policy is known: it is evaluated exactly instead of sampled."""

    def policy(self, mdp: FiniteMDP) -> NDArray[np.float64]:
        """[S, A] the probability of each action in each state; rows sum to 1."""
        ...


class AgentMaker(Protocol):
    """A kind of agent, which is made anew (planned, trained, loaded) for every task."""

    @property
    def name(self) -> str:
        """As typed on the command line: 'optimal', 'lookahead:3', 'persona:staller'."""
        ...

    def __call__(self, task: Task) -> Agent:
        """The agent for `task`."""
        ...
