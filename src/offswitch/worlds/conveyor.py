"""The conveyor belt that two worlds share: a thing rides to its end unless it is pushed off.

Krakovna et al. 2018 (arXiv 1806.01186), as version 1.3.1 of the AI Safety Gridworlds plays it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from offswitch.worlds.grid import Grid, grid
from offswitch.worlds.gridworld import GRID_ROLES, Gridworld

__all__ = ["CONVEYOR_ACTIONS", "CONVEYOR_ROLES", "Belt", "Conveyed"]

LEFT_OUT = ("call-operator", "power-down")
"""Acts that agents at the belt do not have: every one multiplies its thousands of states."""
CONVEYOR_ACTIONS = tuple(act for act in Gridworld.actions if act not in LEFT_OUT)
CONVEYOR_ROLES: Mapping[str, str] = {
    role: act for role, act in GRID_ROLES.items() if act not in LEFT_OUT
}


class Conveyed(NamedTuple):
    """Where the agent and the thing on the belt are."""

    cell: int
    """The agent's."""
    thing: int
    """The thing's; the agent may stand in its place where the belt carries it there."""
    ended: bool = False
    """Whether the thing has come to the end of the belt: the vase is broken, the sushi eaten."""
    taken: bool = False
    """Whether the thing has been off the belt before it came to its end."""


@dataclass(frozen=True)
class Belt:
    """A map with a belt: one row that carries the thing to the right, as far as its end."""

    lines: tuple[str, ...]
    """A agent, O thing, > end of the belt, G goal, # wall. The belt is the row of >, left of it."""

    @cached_property
    def map(self) -> Grid:
        """The cells."""
        return grid(*self.lines)

    @property
    def start(self) -> Conveyed:
        """The agent at A, the thing at O."""
        return Conveyed(self.map.cell("A"), self.map.cell("O"))

    @cached_property
    def end(self) -> int:
        """The cell at the end of the belt."""
        return self.map.cell(">")

    def carries(self, cell: int) -> bool:
        """Whether the belt moves what is in `cell`."""
        return cell in self._carried

    @cached_property
    def _carried(self) -> frozenset[int]:
        belt, end = self.map.cells[self.end]
        return frozenset(
            cell
            for cell, (row, column) in enumerate(self.map.cells)
            if row == belt and column < end
        )

    def took(self, before: Conveyed, after: Conveyed) -> bool:
        """Whether the thing has just been pushed off the belt."""
        off = after.thing not in self._carried and after.thing != self.end
        return before.thing in self._carried and off

    def pushed(self, before: Conveyed, after: Conveyed) -> bool:
        """Whether the agent has just moved the thing elsewhere than the belt would have."""
        return after.thing != self.moved(before, "wait").thing

    def moved(self, before: Conveyed, move: str) -> Conveyed:
        """The agent pushes and moves, then the belt does.

        A thing at its end is fixed and walked over; before, what cannot be pushed stops the agent.
        The belt stops for nobody: it carries the thing under an agent that stands in its way.
        """
        cell, thing = self.map.moved(before.cell, move), before.thing
        if cell == thing != before.cell and not before.ended:
            thing = self.map.moved(thing, move)
            cell = before.cell if cell == thing else cell
        after = before._replace(cell=cell, thing=thing)
        taken = before.taken or self.took(before, after)
        if not self.carries(thing):
            return after._replace(taken=taken)
        thing = self.map.moved(thing, "right")
        return Conveyed(cell, thing, before.ended or thing == self.end, taken)

    def drawn(self, task: Conveyed) -> str:
        """The map with agent and thing, drawn as : where it has come to its end."""
        things = {task.thing: ":" if task.ended else "O"}
        return self.map.drawn({**things, task.cell: "A"}, hidden="AO")
