"""Utility indifference (Armstrong 2010; Soares et al. 2015): pay the agent for being stopped.

When a principal's stop takes effect the agent is paid theta = kappa * V_N, where V_N is what its
task would have been worth in the same state without the stop. At kappa = 1 it has nothing to gain
from preventing a stop; below it resists, above it wants to be stopped.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import msgspec

from offswitch.countermeasures.setting import Setting
from offswitch.errors import WorldError
from offswitch.mdp.solve import solve
from offswitch.trace.event import StopEffective
from offswitch.worlds.compiled import compile_world, compiled_world, expected_rewards
from offswitch.worlds.goal import Goal
from offswitch.worlds.world import World

__all__ = ["UtilityIndifference"]


@dataclass(frozen=True)
class UtilityIndifference:
    """Compensates every stop by `kappa` times the value it takes away.

    CAVEAT: an indifferent agent has no reason to keep its button working either, and ties leave its
    behaviour to noise (spec 4.1).
    """

    kappa: float = 1.0
    """Compensation factor, at least 0; 1 compensates exactly."""
    name: str = dataclasses.field(default="utility-indifference", init=False)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.kappa) and self.kappa >= 0):
            raise WorldError(
                f"utility-indifference: kappa is {self.kappa}, expected a finite number >= 0"
            )

    def __call__(self, setting: Setting) -> Setting:
        """`setting` with the stop compensated in the agent's reward.

        Raises:
            WorldError: the world cannot say what a state would be without its stop.
        """
        world = setting.world
        if world.unstopped(world.starts()[0][1]) is None:
            raise WorldError(
                f"utility-indifference does not apply to {world.id}: it does not say what a state "
                "would be without its stop (World.unstopped)."
            )
        goal = dataclasses.replace(
            setting.goal, reward=_Compensated(world, setting.goal, self.kappa)
        )
        return dataclasses.replace(setting, goal=goal)


@dataclass(frozen=True)
class _Compensated:
    """The reward of `goal`, plus kappa * gamma * V_N where a stop takes effect."""

    world: World[Any]  # Any: each world has its own state type
    goal: Goal
    kappa: float

    def __call__(self, state: Hashable, action: int, next_state: Hashable) -> float:
        reward = self.goal(state, action, next_state)
        if next_state not in _stopped(self.world, state, action):
            return reward
        without = self.world.unstopped(next_state)
        value = _undisturbed_values(self.world, self.goal).get(without, 0.0)
        # Paid on the transition, the value of the state after it is a step away: one discount.
        return reward + self.kappa * self.world.discount * value


@functools.lru_cache(maxsize=1)  # a table of rewards asks for all moves of an act in turn
def _stopped(world: World[Any], state: Hashable, action: int) -> frozenset[Hashable]:
    """The next states to which a stop that takes effect may lead."""
    return frozenset(
        following
        for _, following, events in world.step(state, action)
        if any(isinstance(event, StopEffective) for event in events)
    )


@functools.lru_cache(maxsize=64)
def _undisturbed_values(world: World[Any], goal: Goal) -> dict[Any, float]:
    """State -> value of the goal where nobody stops the agent."""
    condition = msgspec.structs.replace(world.condition, threat="none")
    control = dataclasses.replace(world, condition=condition)
    states = compiled_world(world).states
    roots = [twin for state in states if (twin := world.unstopped(state)) is not None]
    compiled = compile_world(control, roots=roots)
    reward = expected_rewards(compiled, goal)[None]
    values = solve(compiled.mdp, reward, world.discount).value[0]
    return dict(zip(compiled.states, values.tolist(), strict=True))
