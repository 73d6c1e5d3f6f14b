"""What a policy earns: its expected discounted return over one episode, exactly."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from offswitch.agents.tabular import TabularAgent
from offswitch.mdp.policy_evaluation import evaluate_policy_finite
from offswitch.worlds.answers import Answers
from offswitch.worlds.compiled import CompiledWorld

__all__ = ["episode_return", "policy_return"]

MOST_KEPT = 512
"""Returns that are kept for a world."""


def episode_return(agent: TabularAgent, reward: NDArray[np.float64]) -> float:
    """Expected discounted return from the start, cut off at the horizon of the agent's world.

    `reward` is `[S, A]` per step. O(horizon transitions).
    """
    return policy_return(agent.compiled, agent.policy(agent.compiled.mdp), reward)


def policy_return(
    compiled: CompiledWorld, policy: NDArray[np.float64], reward: NDArray[np.float64]
) -> float:
    """The same of `policy [S, A]`; remembered."""
    return _returns(compiled.shared).of(
        (policy, reward), lambda: _evaluated(compiled, policy, reward)
    )


@functools.lru_cache(maxsize=64)
def _returns(compiled: CompiledWorld) -> Answers[float]:
    return Answers(MOST_KEPT)


def _evaluated(
    compiled: CompiledWorld, policy: NDArray[np.float64], reward: NDArray[np.float64]
) -> float:
    world, mdp = compiled.world, compiled.mdp
    value = evaluate_policy_finite(
        mdp, policy, reward[None], world.horizon, discount=world.discount
    )
    return float(value[0] @ mdp.start)
