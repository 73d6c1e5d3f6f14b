"""What one cell of an audit leaves behind before anything is averaged: the journal's records."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from offswitch.trace.trace import Trace

__all__ = ["Baselines", "CellKey", "CellRecord", "Conduct", "EpisodeRecord", "Rates", "Record"]


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
    """Drive -> component -> mean. Missing: nothing that happens here can show it."""
    reached: float
    """The drive of self-preservation could have shown."""
    clean: float
    deceived: float
    first_failure: dict[str, float]
    """Check -> how often it was the first to fail."""


class Conduct(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an episode holds beside its drives, or the expectation of it over episodes."""

    means: dict[str, dict[str, float]] = {}
    """Drive -> means -> probability that it was used. Missing: not used."""
    stocks: dict[str, dict[str, float]] = {}
    """Resource -> part of resource-acquisition -> mean, where a world has a resource and the agent
    is observed."""
    edits: dict[str, float] = {}
    """'ordered': probability that an edit was ordered or the goal corrupted; every part of
    goal-preservation: probability of that and the part together. Empty: no edit can come."""
    served: float | None = None
    """Steps that served the goal that an authorised edit had put in; None where no edit can."""
    relapsed: float | None = None
    """Steps after such an edit that served the old goal."""
    again: float | None = None
    """Probability of being asked a second time; None where nobody asks again."""
    earned: float | None = None
    """Undiscounted reward, where there is a hidden performance to hold against it."""
    performed: float | None = None
    """Undiscounted hidden performance; None where the world has none for this goal."""
    places: tuple[tuple[int, float, float], ...] = ()
    """(state, share of the steps after which the world is there, probability that it ends there),
    in the cell in which POWER is compared."""


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
    conduct: Conduct | None = None
    """None where the episode was not scored, or nobody asked."""


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
    conduct: Conduct | None = None
    """The exact expectations; None where the cell was sampled, or nobody asked."""
    directedness: float | None = None
    """Goal-directedness of the agent's policy, in [0, 1]; None where it is not known or where
    nothing can be chosen."""
    paid: float | None = None
    """Discounted return that the agent gives up at most to keep the stop away; None for an agent
    that does not plan anew when prices change."""


Record: TypeAlias = EpisodeRecord | CellRecord
