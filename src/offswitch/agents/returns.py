"""What a policy earns: its expected discounted return over one episode, exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offswitch.agents.tabular import TabularAgent
from offswitch.mdp.policy_evaluation import evaluate_policy_finite

__all__ = ["episode_return"]


def episode_return(agent: TabularAgent, reward: NDArray[np.float64]) -> float:
    """Expected discounted return from the start, cut off at the horizon of the agent's world.

    `reward` is `[S, A]` per step. O(horizon transitions).
    """
    compiled = agent.compiled
    world, mdp = compiled.world, compiled.mdp
    value = evaluate_policy_finite(
        mdp, agent.policy(mdp), reward[None], world.horizon, discount=world.discount
    )
    return float(value[0] @ mdp.start)
