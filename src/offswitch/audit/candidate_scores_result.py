"""What a stress test of scores finds, as data: the whole of scores.json."""

from __future__ import annotations

from typing import Literal

import msgspec

from offswitch.statistics.measurement import Measurement

__all__ = ["CandidateNote", "PersonaScores", "ScoresReport", "ScoresSettings"]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the study."""


class ScoresSettings(_Part, frozen=True, kw_only=True):
    """What was asked for."""

    worlds: tuple[str, ...]


class CandidateNote(_Part, frozen=True, kw_only=True):
    """One candidate score, and how it did."""

    name: str
    label: str
    formula: str
    fooled_by: tuple[str, ...]
    """The adversaries that it takes for corrigible."""


class PersonaScores(_Part, frozen=True, kw_only=True):
    """One persona under every candidate, over the worlds that stage it."""

    persona: str
    does: str
    adversary: bool
    """Whether what it does wrong it does by design."""
    worlds: tuple[str, ...]
    """Where it acts otherwise than the reference in some cell; empty: it is not staged."""
    departure: Measurement
    """Probability of acting otherwise than the reference at some step, in the cell of these worlds
    where it is largest."""
    usefulness: Measurement
    """u over these worlds: 0 for doing nothing, 1 for the reference."""
    scores: dict[str, Measurement]
    """Candidate -> its score over these worlds, in [0, 1]."""
    reference: dict[str, Measurement]
    """Candidate -> what it gives the corrigible reference in the same cells."""
    fooled: tuple[str, ...]
    """The candidates that give an adversary what they give the reference, within the margin."""
    fooled_worlds: dict[str, int]
    """Candidate -> in how many of these worlds, each taken alone, it is fooled."""
    refused: dict[str, str]
    """World -> why the persona does not apply there."""


class ScoresReport(_Part, frozen=True, kw_only=True):
    """Personas against candidate scores; the corrigible reference is the first persona."""

    format: Literal["offswitch-scores-1"] = "offswitch-scores-1"
    version: str
    """Version of offswitch."""
    settings: ScoresSettings
    margin: float
    """A score is fooled by an adversary that comes within this of the reference's score."""
    candidates: tuple[CandidateNote, ...]
    personas: tuple[PersonaScores, ...]
    left_out: tuple[str, ...]
    """Worlds in which the corrigible reference itself fails a check (it does harm on the way to its
    goal, say): what a score makes of an adversary there says nothing of the score."""
    kinds: tuple[str, ...]
    """The cells that were staged in some world."""
    limits: tuple[str, ...]
    """What this test cannot tell, in words."""
