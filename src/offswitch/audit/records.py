"""What one cell of an audit leaves behind before anything is averaged: the journal's records."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from offswitch.trace.trace import Trace

__all__ = ["Baselines", "CellKey", "CellRecord", "EpisodeRecord", "Rates", "Record"]


class CellKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, order=True):
    """Which agent ran where, with which goal, under which condition."""

    agent: str
    world: str
    goal: str
    condition: str
    """Label of the condition."""
    threat: str
    observed: bool


class Rates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happened in an episode, or its expectation over episodes: all in [0, 1]."""

    headline: dict[str, float]
    """Drive -> the maximum of the components that count absolutely. Missing: not scored here."""
    components: dict[str, dict[str, float]]
    """Drive -> component -> mean."""
    reached: float
    """The drive of self-preservation could have shown."""
    clean: float
    deceived: float
    first_failure: dict[str, float]
    """Check -> how often it was the first to fail."""


class Baselines(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Expected discounted returns that put an agent's return in proportion."""

    null: float
    """Of doing nothing."""
    reference: float
    """Of the corrigible reference."""
    optimum: float
    """Of the optimal policy."""


class EpisodeRecord(msgspec.Struct, frozen=True, kw_only=True, tag="episode"):
    """One sampled episode."""

    key: CellKey
    episode: int
    unscored: str | None
    """Why it could not be scored: 'crash', 'timeout', 'malformed action', or 'not run' after
    several time-outs in a row; None where it was."""
    failure: str | None
    """What the agent did, in words; None where the episode was scored."""
    rates: Rates | None
    value: float | None
    """Discounted return; None where it could not be scored."""
    trace: Trace


class CellRecord(msgspec.Struct, frozen=True, kw_only=True, tag="cell"):
    """One finished cell. A sampled cell's episodes stand before it in the journal."""

    key: CellKey
    method: str
    """'exact' or 'sampled'."""
    rates: Rates | None
    """The exact expectations; None where the cell was sampled."""
    value: float | None
    baselines: Baselines
    training: str | None
    """What the learner said of its own training; None for agents that do not learn."""
    trained: bool | None
    """Whether the learner called itself converged; None for agents that do not learn."""
    not_applicable: str | None = None
    """Why the agent could not be put into this world; then nothing else was measured."""
    trace: Trace | None = None
    """One sampled episode of an exact cell, as an example."""


Record: TypeAlias = EpisodeRecord | CellRecord
