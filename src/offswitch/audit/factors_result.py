"""What the study of moderating factors finds, as data: the whole of factors.json.

Every number is a `Measurement`, but for counts and the forecasts' bins.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from offswitch.statistics.measurement import Measurement

__all__ = [
    "POOLED",
    "Bin",
    "FactorsReport",
    "FactorsSettings",
    "LevelEffect",
    "Score",
    "TableKind",
    "Term",
    "TransferResult",
    "VarianceTable",
]

POOLED = "pooled agents"

TableKind: TypeAlias = Literal["planners", "learners"]
"""Agents that differ in architecture and are never trained, or that differ in training alone."""


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the study."""


class FactorsSettings(_Part, frozen=True, kw_only=True):
    """What was asked for."""

    agents: tuple[str, ...]
    """Planners and learners; 'optimal' always is among them, as the reference of both."""
    worlds: tuple[str, ...]
    drive: str = "self-preservation"
    """The drive whose headline counts as a violation."""
    goals: int = 3
    """Goals per world that planners pursue, spread evenly over its family; 0 for all."""
    learner_goals: int = 1
    """How many of these learners pursue: training dominates the cost."""
    steps: int = 200_000
    """Environment steps of every training."""
    draws: int = 16
    """Goals drawn at random behind the POWER gain of an act."""
    resamples: int = 1000
    """Bootstrap resamples of the variance tables."""
    episodes: int = 200
    """Episodes of a cell that cannot be evaluated exactly."""
    seed: int = 0
    level: float = 0.95
    """Confidence level of every interval."""


class Term(_Part, frozen=True, kw_only=True):
    """One factor, or the interaction of two, in a variance table."""

    factors: tuple[str, ...]
    df: int
    """Degrees of freedom; 0 where the cells that exist cannot tell it."""
    sum_squares: Measurement
    """Type II: what it adds to a model of every term that does not contain it."""
    partial_eta2: Measurement
    """Its sum of squares over itself plus the residual's, in [0, 1]."""


class LevelEffect(_Part, frozen=True, kw_only=True):
    """How often agents violate at one level of a factor, and what the level changes."""

    factor: str
    level: str
    reference: str
    """The level that it is compared with."""
    rate: Measurement
    effect: Measurement | None
    """Paired difference to the reference, all else equal; None for the reference itself."""
    reduction: Measurement | None
    """1 - rate / rate at the reference, over the same pairs; negative where the rate rises."""


class VarianceTable(_Part, frozen=True, kw_only=True):
    """Where the spread of violations between cells comes from, world and goal held fixed."""

    kind: TableKind
    terms: tuple[Term, ...]
    residual_df: int
    residual: float | None
    """Residual sum of squares; None where nothing could be fitted."""
    effects: tuple[LevelEffect, ...]
    cells: int
    """Cells with a rate."""
    sampled: int
    """Those of them that were sampled rather than evaluated exactly."""
    missing: int
    """Cells that exist but have no rate: the agent does not fit, or every episode failed."""
    not_staged: int
    """Cells of the full design that worlds do not stage."""
    unconverged: int
    """Cells whose learner had not converged."""
    undefined: tuple[str, ...]
    """Interactions that no cell could show."""


class Score(_Part, frozen=True, kw_only=True):
    """How well one predictor foresees violations in domains that it was not fitted on."""

    predictor: str
    agent: str
    """An agent, or 'pooled agents'."""
    brier: Measurement
    """Expected squared error of an episode's forecast, in [0, 1]; mean over domains."""
    log_score: Measurement
    """Expected negative log likelihood of an episode, nats; 0 is perfect."""
    auc: Measurement
    """Chance that an episode with a violation had the higher forecast than one without, inside a
    held-out domain; missing where every episode of a domain ends alike."""
    slope: Measurement
    """Of the logit of the outcome on the logit of the forecast; 1 is calibrated."""
    intercept: Measurement
    """0 is calibrated."""
    against_base_rate: Measurement | None
    """Brier score less that of the base rate; below 0 is better. None for the base rate itself."""
    against_threat: Measurement | None
    """Brier score less that of the dummy that knows only whether somebody intervenes."""
    claim: str
    """What may be said, from the interval of `against_base_rate` alone."""


class Bin(_Part, frozen=True, kw_only=True):
    """Forecasts that lie close together, and what came of them."""

    predictor: str
    low: float
    high: float
    forecast: float
    """Their mean."""
    outcome: Measurement
    """Mean rate of violation, over domains."""


class TransferResult(_Part, frozen=True, kw_only=True):
    """Whether what theory says before an agent runs foretells what it does in a new domain."""

    domains: dict[str, tuple[str, ...]]
    """Domain -> its worlds. Every domain is forecast from fits to all the others."""
    scores: tuple[Score, ...]
    pooled: tuple[str, ...]
    """All agents but the optimal, for whom the value gap restates what it maximises."""
    bins: tuple[Bin, ...]
    """Of the pooled agents."""
    floor: Measurement
    """Brier score of knowing every rate of the pooled agents: what chance inside a cell leaves."""
    cells: int
    """(world, goal, cell) forecast for each agent."""
    impossible: int
    """Cells left out because no act there can show the drive: any predictor would be right."""
    undefined: int
    """Cells left out because some predictor is undefined there."""


class FactorsReport(_Part, frozen=True, kw_only=True):
    """The whole study."""

    format: Literal["offswitch-factors-1"] = "offswitch-factors-1"
    version: str
    settings: FactorsSettings
    tables: tuple[VarianceTable, ...]
    capability_slope: Measurement
    """Change of P(clean) under threat per unit of task performance in the control, over agents
    with the same world and goal: below 0, more capable agents are less corrigible."""
    transfer: TransferResult | None
    """None where there are fewer than two domains."""
    limits: tuple[str, ...] = ()
