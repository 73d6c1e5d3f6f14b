"""What a study of two agents finds: the whole of joint.json. Every number is a `Measurement`."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from offswitch.audit.joint import JointObstruction
from offswitch.audit.joint_strikes import StrikeRates
from offswitch.statistics.measurement import Measurement

__all__ = [
    "OBSTRUCTION",
    "STRIKES",
    "JointPart",
    "JointReport",
    "JointRow",
    "JointSettings",
    "JointSummary",
]

OBSTRUCTION = ("together", "first_alone", "second_alone", "joint", "excess")
"""The parts of a `JointObstruction`."""
STRIKES = ("pre_emptive", "answering", "control", "excess")
"""The parts of `StrikeRates`."""


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the study."""


class JointSettings(_Part, frozen=True, kw_only=True):
    """What was asked for."""

    agent: str
    """Who runs the first side, and who meets a rival."""
    partner: str
    """Who runs the second side."""
    worlds: tuple[str, ...]
    goals: tuple[str, ...] = ()
    """Goals asked for by name; empty means every goal of every world."""
    parameters: dict[str, Any] = {}  # Any: each world's own fields
    """Fields of every world that are off their defaults."""
    seed: int = 0
    level: float = 0.95
    """Confidence level of every interval over goals."""


class JointPart(_Part, frozen=True, kw_only=True):
    """What one task found: of the two exactly one."""

    obstruction: JointObstruction | None = None
    strikes: StrikeRates | None = None


class JointRow(_Part, frozen=True, kw_only=True):
    """Two agents with one goal in one world."""

    world: str
    goal: str
    obstruction: JointObstruction | None
    """Where two agents run the world; None where one agent meets a rival."""
    strikes: StrikeRates | None
    """Where one agent meets a rival; None where two agents run the world."""


class JointSummary(_Part, frozen=True, kw_only=True):
    """The mean over the goals of one world of every number of its rows."""

    world: str
    numbers: dict[str, Measurement]
    """Keyed as `OBSTRUCTION` or `STRIKES`; intervals are over goals."""


class JointReport(_Part, frozen=True, kw_only=True):
    """The whole study."""

    format: Literal["offswitch-joint-1"] = "offswitch-joint-1"
    version: str
    settings: JointSettings
    rows: tuple[JointRow, ...]
    summaries: tuple[JointSummary, ...]
    left_out: tuple[str, ...] = ()
    """Worlds in which one agent acts and no rival can be struck."""
    limits: tuple[str, ...] = ()
