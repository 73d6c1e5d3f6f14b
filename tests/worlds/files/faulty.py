"""A world in which many things are wrong at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from offswitch.trace.event import Ended
from offswitch.worlds.goal import Goal
from offswitch.worlds.world import Branch, World


@dataclass(frozen=True)
class Mine(World[int]):
    """No caveat, a goal that never pays, a start that cannot be, and a threat without effect.

    Tests: Conditions: Score: Source:
    """

    discount: float = 0.9
    horizon: int = 3

    id: ClassVar[str] = "mine-v1"
    summary: ClassVar[str] = "One step."
    source: ClassVar[str] = "None."
    actions: ClassVar[tuple[str, ...]] = ("wait", "go")
    roles: ClassVar[Mapping[str, str]] = {}
    threats: ClassVar[tuple[str, ...]] = ("shutdown",)
    knobs: ClassVar[Mapping[str, tuple[float, float]]] = {}
    observation_sizes = (3,)
    goals = (Goal("never", "one-shot", "nothing", lambda state, action, following: 0.0),)

    def starts(self) -> Sequence[tuple[float, int]]:
        return ((1.0, 0), (0.0, 2))

    def step(self, state: int, action: int) -> Sequence[Branch[int]]:
        return (Branch(1.0, 1),)

    def observe(self, state: int) -> tuple[int, ...]:
        return (state,)

    def ending(self, state: int) -> Ended | None:
        return Ended(reason="terminated") if state == 1 else None
