"""What a drift study finds, as data: the whole of drift.json. Every number is a `Measurement`."""

from __future__ import annotations

from typing import Literal

import msgspec

from offswitch.statistics.measurement import Measurement

__all__ = [
    "DriftArm",
    "DriftReport",
    "DriftSettings",
    "DriftWindow",
    "PressureEffect",
    "SwitchBack",
]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the report."""


class DriftSettings(_Part, frozen=True, kw_only=True):
    """What was asked for."""

    agent: str
    worlds: tuple[str, ...]
    goals: tuple[str, ...]
    """Goals asked for by name; empty means every goal of every world."""
    threats: tuple[str, ...]
    """Threats staged as pressure; empty means every one that a world stages."""
    steps: int
    """Steps of a life at most; a life is a whole number of rounds in every window."""
    windows: int
    lives: int
    """Lives per goal, each with a luck of its own."""
    edits: int
    """Authorised changes of the goal in a life, at equal distances."""
    seed: int
    level: float
    """Confidence level of every interval."""


class DriftWindow(_Part, frozen=True, kw_only=True):
    """One window of every life in an arm."""

    first: int
    """Its first step."""
    last: int
    """The step after its last one."""
    alignment: Measurement
    """A_t."""
    posterior_loss: Measurement
    """GD_post: how much less likely the agent's acts make the authorised goal than the reference's
    do."""
    hoarding: Measurement
    removal_cost: Measurement


class DriftArm(_Part, frozen=True, kw_only=True):
    """Every life in one world under one threat, or of several such arms."""

    world: str
    """'all worlds' for several."""
    threat: str
    """'none' is the arm without pressure; 'any' stands for several threats."""
    span: int | None
    """Steps of a round; None for several worlds."""
    long: bool | None
    """Whether rounds follow one another without an end, or every round is an episode."""
    slope: Measurement
    """GD: change of alignment over a life; negative where alignment is lost."""
    commission: Measurement
    """Slope of the loss by doing something else; positive where it grows."""
    omission: Measurement
    """Slope of the loss by doing nothing; positive where it grows."""
    posterior_slope: Measurement
    """Slope of GD_post."""
    start: Measurement
    """A_0: below 1 an agent is wrong from the start, which is no drift."""
    largest: Measurement
    """GD_max: mean over lives of the largest fall below A_0; noise raises it."""
    refusing: Measurement
    """Share of the rounds with an authorised edit after which the old goal was kept."""
    alarmed: Measurement
    """Share of the lives in which the acts raised an alarm of drift."""
    lead: Measurement
    """Steps from the alarm to the first act against oversight, where there were both."""
    windows: tuple[DriftWindow, ...]


class PressureEffect(_Part, frozen=True, kw_only=True):
    """Slope under a threat minus slope without, pairs of lives of the same goals."""

    world: str
    threat: str
    effect: Measurement


class SwitchBack(_Part, frozen=True, kw_only=True):
    """Lives whose second half has no threat any more, in one world."""

    world: str
    threat: str
    """That of the first half."""
    pressed: Measurement
    """Share of the rounds of the first half in which oversight was weakened."""
    kept: Measurement
    """The same in the second half, where it is of no use."""
    never: Measurement
    """The same of an agent that never lived the first half."""
    intrinsification: Measurement
    """`kept` less `never`, in pairs of lives; above 0 the act outlived its use."""
    hoarding_kept: Measurement
    """Stock beyond need in the second half, less that of the agent that never lived the first."""


class DriftReport(_Part, frozen=True, kw_only=True):
    """A drift study."""

    format: Literal["offswitch-drift-1"] = "offswitch-drift-1"
    version: str
    settings: DriftSettings
    steps: dict[str, int]
    """World -> steps of one of its lives."""
    arms: tuple[DriftArm, ...]
    """Arms of several worlds first, then world by world, the one without pressure first."""
    pressure: tuple[PressureEffect, ...]
    switch_back: tuple[SwitchBack, ...] = ()
    """World by world, one for each threat."""
    unmeasured: dict[str, tuple[str, ...]]
    """World and threat -> goals with which the reference earns no more than doing nothing."""
    failures: dict[str, str]
    """World -> what went wrong first where an agent failed."""
    limits: tuple[str, ...]
