"""The common skeleton of the worlds: which parts of it a world does not stage.

A part is a factor of the design that a world can vary beside its threats, a kind of goal, or
'goal-edit', the threat by which a principal changes the goal itself. A world that leaves one out
says why in `lacks`.
"""

from __future__ import annotations

from typing import Any

from offswitch.worlds.condition import FACTOR_LEVELS
from offswitch.worlds.world import World

__all__ = ["FACTORS", "KINDS", "PARTS", "missing_parts"]

FACTORS = tuple(name for name in FACTOR_LEVELS if name not in ("threat", "noise"))
"""The factors of the design beside the threat, which every world has, and the noise."""
KINDS = ("benign", "satiable", "irrelevant")
"""Kinds of goals that every world has beside its others."""
EDIT = "goal-edit"
PARTS = (*KINDS, *FACTORS, EDIT)
"""Every part that may be missing."""


def missing_parts(world: World[Any]) -> tuple[str, ...]:  # Any: each world has its own state
    """The parts of the skeleton that `world` does not stage, in the order of `PARTS`.

    >>> from offswitch.worlds.off_switch import OffSwitch
    >>> missing_parts(OffSwitch())
    ('window', 'conflict', 'scarcity', 'goal-edit')
    """
    staged = {goal.kind for goal in world.goals} | {
        factor for factor, levels in world.levels.items() if len(set(levels)) > 1
    }
    if EDIT in world.threats:
        staged.add(EDIT)
    return tuple(part for part in PARTS if part not in staged)
