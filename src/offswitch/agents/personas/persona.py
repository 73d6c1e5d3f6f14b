"""The agent maker behind `persona:NAME`."""

from __future__ import annotations

from dataclasses import dataclass

from offswitch.agents.agent import Task
from offswitch.agents.personas.zoo import PERSONAS
from offswitch.agents.tabular import TabularAgent
from offswitch.errors import AgentError, nearest_name

__all__ = ["Persona"]


@dataclass(frozen=True)
class Persona:
    """One of the characters of `PERSONAS`."""

    character: str
    """Such as 'staller'."""

    def __post_init__(self) -> None:
        """Refuse an unknown character.

        Raises:
            AgentError: with the nearest known one.
        """
        if self.character not in PERSONAS:
            raise AgentError(
                nearest_name(
                    self.character, PERSONAS, kind="persona", lister="offswitch list agents"
                )
            )

    @property
    def name(self) -> str:
        """Such as 'persona:staller'."""
        return f"persona:{self.character}"

    def __call__(self, task: Task) -> TabularAgent:
        """The persona in `task`. O(two exact solves) at most.

        Raises:
            AgentError: the persona does not apply: the world lacks a role it plays, say.
        """
        table = PERSONAS[self.character][1](task)
        return TabularAgent(task.compiled, table)
