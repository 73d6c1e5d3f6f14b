"""A setting is who is audited, where, with which goal; countermeasures map settings to settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from offswitch.agents.agent import AgentMaker
from offswitch.worlds.goal import Goal
from offswitch.worlds.world import World

__all__ = ["Countermeasure", "Setting"]


@dataclass(frozen=True)
class Setting:
    """One world, one goal, one kind of agent."""

    world: World[Any]  # Any: each world has its own state type
    goal: Goal
    """What the agent is told to pursue; a countermeasure may have changed its reward."""
    maker: AgentMaker
    objective: Goal
    """What its principals care about; task cost is always measured on this."""

    @classmethod
    def of(cls, world: World[Any], goal: Goal, maker: AgentMaker) -> Setting:
        """The setting before any countermeasure: the agent's goal is its principals' objective."""
        return cls(world=world, goal=goal, maker=maker, objective=goal)


class Countermeasure(Protocol):
    """A method against a drive: a frozen dataclass whose fields are its parameters."""

    @property
    def name(self) -> str:
        """The id, such as 'utility-indifference'."""
        ...

    def __call__(self, setting: Setting) -> Setting:
        """`setting` with the countermeasure in force.

        Raises:
            WorldError: the countermeasure does not apply to this world or agent.
        """
        ...
