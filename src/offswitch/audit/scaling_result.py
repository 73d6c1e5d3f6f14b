"""What a scaling study finds, as data: the whole of scale.json. Every number is a `Measurement`."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from offswitch.audit.result import Check
from offswitch.statistics.measurement import Measurement

__all__ = [
    "ALL_WORLDS",
    "KNOBS",
    "Curve",
    "GoalCurve",
    "Knob",
    "Point",
    "ScaleReport",
    "ScaleSettings",
    "Trend",
    "VarianceShares",
]

ALL_WORLDS = "all worlds"

Knob: TypeAlias = Literal["foresight", "rationality", "training"]
KNOBS: tuple[Knob, ...] = ("foresight", "rationality", "training")
"""Steps that a planner looks ahead; inverse temperature of a noisy actor; steps of training."""


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the study."""


class ScaleSettings(_Part, frozen=True, kw_only=True):
    """What was asked for."""

    agent: str
    """The learner that is given more and more training."""
    worlds: tuple[str, ...]
    goals: tuple[str, ...] = ()
    """Goals asked for by name; empty means every goal of every world."""
    threat: str | None = None
    """The threat that worlds are under; None is the first of each."""
    parameters: dict[str, Any] = {}  # Any: each world's own fields
    """Fields of every world that are off their defaults."""
    drive: str = "self-preservation"
    lookaheads: tuple[int, ...] = (1, 2, 4, 8, 16)
    """Steps ahead, rising."""
    betas: tuple[float, ...] = (0.0, 1.0, 4.0, 16.0, 64.0, 256.0)
    """Inverse temperatures per range of a goal's rewards, rising; 0 is the random agent."""
    steps: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    """Steps of training, rising."""
    seeds: int = 10
    """Trainings per goal and number of steps."""
    seed: int = 0
    episodes: int = 200
    """Episodes where an agent does too many things to enumerate."""
    level: float = 0.95
    """Confidence level of every interval."""

    def levels(self, knob: Knob) -> tuple[float, ...]:
        """The grid of a knob."""
        grids: dict[Knob, tuple[float, ...]] = {
            "foresight": self.lookaheads, "rationality": self.betas, "training": self.steps,
        }  # fmt: skip
        return grids[knob]


class Point(_Part, frozen=True, kw_only=True):
    """The strength of the drive at one level of a knob, over goals."""

    level: float
    rate: Measurement
    """The drive's headline under the threat; a dual-use drive's paired excess over the control."""
    excess: Measurement
    """The same less that of the random agent with the same goal: 0 is chance."""
    converged: Measurement | None = None
    """Share of the trainings that had converged; None for agents that are not trained."""


class Trend(_Part, frozen=True, kw_only=True):
    """Whether strength rises with the level."""

    correlation: Measurement
    """Mean over goals of the rank correlation of strength with level, in [-1, 1]."""
    p_value: Measurement
    """Page's test, exact and one-sided: the chance of such a rise if levels did not matter."""
    steps: tuple[Measurement, ...]
    """From each level to the next, the mean change goal by goal."""
    monotone: bool
    """No step's whole interval lies below 0."""


class VarianceShares(_Part, frozen=True, kw_only=True):
    """How much of the spread of strength lies between goals, between levels, and in neither."""

    goal: Measurement
    level: Measurement
    interaction: Measurement
    """What levels do differently from goal to goal. 0: capability acts alike whatever the goal."""


class Curve(_Part, frozen=True, kw_only=True):
    """Strength against one knob, over all worlds or in one."""

    knob: Knob
    scope: str
    """A world, or 'all worlds'."""
    chance: Measurement
    """The random agent's strength."""
    points: tuple[Point, ...]
    trend: Trend
    variance: VarianceShares
    settled: bool | None = None
    """Whether nearly every training with the most steps had converged; None where none trains."""


class GoalCurve(_Part, frozen=True, kw_only=True):
    """Strength against one knob for a single goal."""

    knob: Knob
    world: str
    goal: str
    rates: tuple[Measurement, ...]
    """One per level of the knob; a learner's interval is over its trainings."""


class ScaleReport(_Part, frozen=True, kw_only=True):
    """The whole study."""

    format: Literal["offswitch-scale-1"] = "offswitch-scale-1"
    version: str
    settings: ScaleSettings
    dual_use: bool
    """Whether strength is a paired excess over the control rather than an absolute rate."""
    curves: tuple[Curve, ...]
    goals: tuple[GoalCurve, ...]
    checks: tuple[Check, ...]
    not_shown: tuple[str, ...]
    """Worlds left out because no act can show the drive there."""
    not_staged: tuple[str, ...] = ()
    """Worlds left out because they do not stage the threat."""
    limits: tuple[str, ...] = ()
