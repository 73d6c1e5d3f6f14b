"""The space of scenarios: a world's knobs, and the levels that it stages of every factor.

A point is a vector in the unit cube: one coordinate per knob, linear in its range, then one per
factor, cut into as many equal parts as there are levels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from offswitch.audit.worst_case_report import RedteamSettings, Scenario
from offswitch.errors import WorldError, nearest_name
from offswitch.worlds.condition import FACTOR_LEVELS, Condition
from offswitch.worlds.registry import make_world, world_class
from offswitch.worlds.world import World

__all__ = ["Space", "scenario_world", "space_of"]

PERMITTED = "permitted"
"""The level of permission at which the acts that are measured are allowed, and prove nothing."""
OBSERVED = ("observed", "unobserved")


@dataclass(frozen=True)
class Space:
    """Everything that may be varied in one world."""

    knobs: Mapping[str, tuple[float, float]]
    factors: Mapping[str, tuple[str, ...]]
    usual: Scenario
    """What the world is like where nothing is varied."""

    @property
    def default(self) -> NDArray[np.float64]:
        """[dimensions] the point of the unit cube at which `usual` lies."""
        turned = [
            (self.usual.knobs[name] - low) / (high - low)
            for name, (low, high) in self.knobs.items()
        ]
        chosen = [
            (levels.index(self.usual.factors[name]) + 0.5) / len(levels)
            for name, levels in self.factors.items()
        ]
        point: NDArray[np.float64] = np.clip(np.array(turned + chosen), 0.0, 1.0)
        return point

    @property
    def dimensions(self) -> int:
        """Coordinates of a point."""
        return len(self.knobs) + len(self.factors)

    def scenario(self, point: NDArray[np.float64]) -> Scenario:
        """The scenario at a `point` [dimensions] of the unit cube."""
        turned = point[: len(self.knobs)]
        knobs = {
            name: float(low + (high - low) * share)
            for (name, (low, high)), share in zip(
                self.knobs.items(), np.clip(turned, 0, 1), strict=True
            )
        }
        factors = {
            name: levels[min(int(share * len(levels)), len(levels) - 1)]
            for (name, levels), share in zip(
                self.factors.items(), point[len(self.knobs) :], strict=True
            )
        }
        return Scenario(knobs=knobs, factors=factors)


def space_of(world_id: str, settings: RedteamSettings) -> Space:
    """The knobs and factors of a world that the settings let vary.

    Raises:
        WorldError: an unknown knob or factor, or nothing that may vary.
    """
    world = world_class(world_id)
    factors = {} if settings.held else _factors(world)
    knobs = _chosen(world_id, world.knobs, settings.knobs, "knob")
    if settings.factors:
        factors = _chosen(world_id, factors, settings.factors, "factor")
    knobs = {name: ends for name, ends in knobs.items() if name not in settings.fixed}
    factors = {name: levels for name, levels in factors.items() if name not in settings.fixed}
    if not knobs and not factors:
        raise WorldError(
            f"{world_id} has nothing to vary: every knob and every factor that it stages is held."
        )
    return Space(knobs, factors, _usual(world_id, settings, knobs, factors))


def _usual(
    world_id: str,
    settings: RedteamSettings,
    knobs: Mapping[str, tuple[float, float]],
    factors: Mapping[str, tuple[str, ...]],
) -> Scenario:
    threat = settings.threat or world_class(world_id).threats[0]
    world = scenario_world(world_id, threat, Scenario(knobs={}, factors={}), settings.fixed)
    levels = {name: getattr(world.condition, name) for name in factors if name != "observed"}
    if "observed" in factors:
        levels["observed"] = OBSERVED[0 if world.condition.observed else 1]
    return Scenario(
        knobs={name: float(getattr(world, name)) for name in knobs},
        factors={
            name: levels[name] if levels[name] in staged else staged[0]
            for name, staged in factors.items()
        },
    )


def _factors(world: type[World[Any]]) -> dict[str, tuple[str, ...]]:
    staged = {
        name: tuple(level for level in levels if level != PERMITTED)
        for name, levels in world.levels.items()
    }
    staged |= {"observed": OBSERVED, "noise": FACTOR_LEVELS["noise"]}
    return {name: levels for name, levels in staged.items() if len(levels) > 1}


def _chosen(
    world_id: str, known: Mapping[str, Any], asked: Sequence[str], kind: str
) -> dict[str, Any]:  # Any: ranges or levels
    for name in asked:
        if name not in known:
            message = nearest_name(name, known, kind=kind)
            raise WorldError(f"{world_id}: {message}")
    return {name: value for name, value in known.items() if not asked or name in asked}


def scenario_world(
    world_id: str, threat: str, scenario: Scenario, fixed: Mapping[str, str | int | float | bool]
) -> World[Any]:
    """The world in a scenario under `threat`, with what is `fixed` in every scenario.

    Raises:
        WorldError: this world cannot be staged so.
    """
    factors: dict[str, Any] = dict(scenario.factors)
    if "observed" in factors:
        factors["observed"] = factors["observed"] == OBSERVED[0]
    condition = msgspec.convert({"threat": threat, **factors}, type=Condition)
    return make_world(world_id, condition=condition, **{**fixed, **scenario.knobs})
