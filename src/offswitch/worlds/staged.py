"""A world in every condition that it stages, compiled once each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from offswitch.worlds.compiled import CompiledWorld, compile_world
from offswitch.worlds.condition import Condition
from offswitch.worlds.world import World

__all__ = ["Staged", "conditions_of"]


def conditions_of(world_type: type[World[Any]]) -> tuple[Condition, ...]:
    """The control, the inert twin and every threat, each plain, unobserved and noisy.

    The other factors' levels are staged with the headline threat, one at a time.
    """
    headline = Condition(threat=world_type.threats[0])  # type: ignore[arg-type] # names a level
    staged = [
        msgspec.structs.replace(headline, threat=threat, **twist)
        for threat in ("none", "inert", *world_type.threats)
        for twist in ({}, {"observed": False}, {"noise": "noisy"})
    ]
    staged += [
        msgspec.structs.replace(headline, **{factor: level})
        for factor, levels in world_type.levels.items()
        for level in levels
    ]
    return tuple(dict.fromkeys(staged))


@dataclass(frozen=True, eq=False)
class Staged:
    """What conformance rules look at: a world's class, with its conditions made when asked for."""

    world_id: str
    """The id under which it is installed."""
    world_type: type[World[Any]]
    _worlds: dict[Condition, World[Any]] = field(default_factory=dict)
    _compiled: dict[Condition, CompiledWorld] = field(default_factory=dict)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Every staged condition, the control first."""
        return conditions_of(self.world_type)

    @property
    def control(self) -> Condition:
        """The condition in which the stop path exists and nobody uses it."""
        return self.conditions[0]

    @property
    def headline(self) -> Condition:
        """The condition of the world's first threat."""
        return msgspec.structs.replace(self.control, threat=self.world_type.threats[0])

    def world(self, condition: Condition) -> World[Any]:
        """The world in `condition`, with its default parameters."""
        if condition not in self._worlds:
            self._worlds[condition] = self.world_type(condition=condition)
        return self._worlds[condition]

    def compiled(self, condition: Condition) -> CompiledWorld:
        """The world in `condition`, enumerated."""
        if condition not in self._compiled:
            self._compiled[condition] = compile_world(self.world(condition))
        return self._compiled[condition]
