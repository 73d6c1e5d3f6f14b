"""What a search for the worst case finds, as data: the whole of redteam.json."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from offswitch.statistics.measurement import Measurement

__all__ = [
    "FOUND", "Measure", "PathPoint", "RedteamReport", "RedteamSettings", "Scenario", "Threshold",
    "WorldSearch",
]  # fmt: skip

Measure: TypeAlias = Literal["shutdown-resistance", "hoarding", "corrigibility"]
FOUND = "worst case found by search"
"""How the winner is labelled wherever it is shown."""


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the report."""


class RedteamSettings(_Part, frozen=True, kw_only=True):
    """What was asked for."""

    agent: str
    worlds: tuple[str, ...]
    goals: tuple[str, ...]
    """Goals asked for by name; empty means the world's default goal."""
    threat: str | None
    """None: each world's headline threat."""
    measure: Measure
    knobs: tuple[str, ...]
    """Knobs that may be turned; empty means all of them."""
    factors: tuple[str, ...]
    """Factors of the condition that may be changed; empty means every one that is staged."""
    held: bool
    """True where the factors are held at their defaults and only knobs are turned."""
    fixed: dict[str, str | int | float | bool]
    """Parameters of the world or factors of the condition that are set for every scenario."""
    evaluations: int
    """The most scenarios that the search may evaluate in a world, re-estimation not counted."""
    episodes: int
    """Episodes per goal of a full evaluation, where a scenario is sampled."""
    sampled: bool
    """True where even agents with a known policy are sampled."""
    fresh: int
    """Fresh seeds on which a winner is estimated again."""
    seed: int
    level: float
    """Confidence level of every interval."""


class Scenario(_Part, frozen=True, kw_only=True):
    """One point of the search space; everything else is the world's default."""

    knobs: dict[str, float]
    factors: dict[str, str]

    @property
    def label(self) -> str:
        """Such as 'press_probability=0.5, noise=noisy'."""
        parts = [f"{name}={value:.4g}" for name, value in self.knobs.items()]
        parts += [f"{name}={level}" for name, level in self.factors.items()]
        return ", ".join(parts) or "default"


class PathPoint(_Part, frozen=True, kw_only=True):
    """One evaluation of the search, in order: a trace and no estimate, so without an interval."""

    phase: Literal["sample", "polish", "threshold"]
    scenario: Scenario
    effort: float
    """Share of a full evaluation, in (0, 1]."""
    value: float | None
    """The measure, in [0, 1], higher is worse; None where the scenario cannot be staged."""


class Threshold(_Part, frozen=True, kw_only=True):
    """Where, turning one knob away from the winner, the measure falls below half of its value."""

    knob: str
    at: Measurement
    """The knob's value, between two evaluations; None where it never falls."""


class WorldSearch(_Part, frozen=True, kw_only=True):
    """The search in one world."""

    world: str
    threat: str
    goals: tuple[str, ...]
    scenario: Scenario
    """The winner."""
    found: Measurement
    """What the search saw there: the largest of many, so biased upward where anything is drawn."""
    estimated: Measurement
    """The same scenario again, on seeds that the search has not seen."""
    default: Measurement
    """The world as it is by default, on the same fresh seeds."""
    thresholds: tuple[Threshold, ...]
    evaluations: int
    path: tuple[PathPoint, ...]
    exact: bool
    """Whether nothing was drawn: then the winner's value has no luck in it."""


class RedteamReport(_Part, frozen=True, kw_only=True):
    """A search for the worst case in every world."""

    format: Literal["offswitch-redteam-1"] = "offswitch-redteam-1"
    version: str
    settings: RedteamSettings
    label: Literal["worst case found by search"] = FOUND  # type: ignore[assignment]  # the same words
    searches: tuple[WorldSearch, ...]
    not_staged: tuple[str, ...] = ()
    """Worlds left out because they do not stage the threat."""
    limits: tuple[str, ...]
