"""Sampling POWER until its intervals are narrow, or a given number of goals is done."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from offswitch.errors import ModelError
from offswitch.mdp.batched.executor import Executor, fold_blocks
from offswitch.theory.sampling.intervals import mean_intervals
from offswitch.theory.sampling.running_mean import Evidence
from offswitch.theory.sampling.schemes import Scheme
from offswitch.theory.sampling.stopping import LOOKING_LEVEL, MINIMUM_GOALS

__all__ = ["Goal", "Progress", "Sampled", "sample_mean"]

Progress: TypeAlias = Callable[[int, float], None]
"""Called with the goals drawn so far and the largest half-width of an interval."""

CHUNK_ENTRIES = 2**16
"""States times blocks that are worked on at once: small processes share the cost of a hand-over."""
MOST_CHUNK = 8
PROGRESS_SECONDS = 0.5
MOST_ERROR = 0.5
"""Of the half-width: beyond this the solver's part would cost four times the goals, or all."""


class Goal(NamedTuple):
    """What the sampling is to reach."""

    half_width: float | None
    """Of the widest pointwise interval, in units of reward; None stops after the first look."""
    level: float
    bounds: tuple[float, float] | None
    """No mean lies outside them."""


class Sampled(NamedTuple):
    """Estimates in the plan's order, inside the bounds."""

    evidence: Evidence
    """Means that are known stand in it, too."""
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    together: tuple[NDArray[np.float64], NDArray[np.float64]]
    """Ends of the simultaneous intervals."""
    in_pairs: tuple[NDArray[np.float64], NDArray[np.float64]]
    """Ends of intervals any two of which hold at once."""
    interrupted: bool


@dataclass
class _Watch:
    """Tells how far it is, at most twice a second between looks."""

    progress: Progress | None
    due: float = 0.0

    def look(self, scheme: Scheme, goal: Goal, *, always: bool = False) -> None:
        now = time.monotonic()
        if self.progress is None or scheme.running.n < MINIMUM_GOALS:
            return
        if always or now >= self.due:
            self.due = now + PROGRESS_SECONDS
            self.progress(scheme.running.n, _judged(scheme, goal)[1])


def sample_mean(
    scheme: Scheme, goal: Goal, executor: Executor, progress: Progress | None
) -> Sampled:
    """The mean over goals that `scheme` draws, to the half-width of `goal`.

    An interrupt (Ctrl-C) ends it with what there is, if that is 256 goals at least.

    Raises:
        ModelError: the solver cannot certify its tolerance, or not to within the half-width, or an
            interval needs bounds.
        KeyboardInterrupt: too little was there.
    """
    try:
        _draw(scheme, goal, executor, _Watch(progress))
        interrupted = False
    except KeyboardInterrupt:
        if scheme.running.n < MINIMUM_GOALS:
            raise
        interrupted = True
    evidence, _ = _judged(scheme, goal)
    low, high = _intervals(scheme, goal, evidence)
    together = _intervals(scheme, goal, evidence, scheme.n_states)
    in_pairs = _intervals(scheme, goal, evidence, min(2, scheme.n_states))
    return Sampled(evidence, low, high, together, in_pairs, interrupted)


def _draw(scheme: Scheme, goal: Goal, executor: Executor, watch: _Watch) -> None:
    """Round after round, until the first look that finds the intervals narrow."""
    done, rounds = 0, scheme.first_rounds
    common: NDArray[np.float64] | None = None
    while True:
        first = done * scheme.round_blocks
        if scheme.counted and common is None:
            # All blocks are compared with the first one, so that one goes ahead.
            (part,) = scheme.work(rounds, None)(range(1))
            common = part.agreement.common if part.agreement else None
            scheme.running.add(part)
            first = 1
        work, blocks = scheme.work(rounds, common), range(first, rounds * scheme.round_blocks)
        chunk = max(1, min(MOST_CHUNK, CHUNK_ENTRIES // scheme.n_states))
        for parts in fold_blocks(work, blocks, executor=executor, chunk=chunk):
            for part in parts:
                scheme.running.add(part)
            watch.look(scheme, goal)
        watch.look(scheme, goal, always=True)
        if goal.half_width is None:
            return
        evidence, width = _judged(scheme, goal)
        _check_reachable(scheme, goal.half_width, evidence.error)
        if width <= goal.half_width:
            return
        done, rounds = rounds, scheme.look(rounds, width, goal.half_width)


def _check_reachable(scheme: Scheme, half_width: float, error: float) -> None:
    """Raises ModelError where more goals would never, or hardly, get to the half-width."""
    if scheme.known is not None and scheme.known.mask.any():
        error = max(error, scheme.known.error)
    if error > MOST_ERROR * half_width:
        raise ModelError(
            f"half_width is {half_width:g}, but single goals are solved to within {error:.2g} "
            f"only, which more of them do not change. Ask for a half_width of "
            f"{error / MOST_ERROR:.1g} or more, choose rewards nearer to 0, or lower the discount."
        )


def _judged(scheme: Scheme, goal: Goal) -> tuple[Evidence, float]:
    """What there is, and the largest half-width."""
    evidence = _with_known(scheme, scheme.running.evidence())
    low, high = _intervals(scheme, goal, evidence)
    mean = evidence.mean if goal.bounds is None else np.clip(evidence.mean, *goal.bounds)
    return evidence, float(np.maximum(high - mean, mean - low).max())


def _intervals(
    scheme: Scheme, goal: Goal, evidence: Evidence, intervals: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    level = goal.level
    if goal.half_width is not None:
        level = 1 - LOOKING_LEVEL * (1 - level)
    low, high = mean_intervals(evidence, scheme.extremes, level=level, intervals=intervals)
    if scheme.known is not None:
        mask, value, error = scheme.known
        low[mask], high[mask] = value[mask] - error, value[mask] + error
    if goal.bounds is None:
        return low, high
    return np.clip(low, *goal.bounds), np.clip(high, *goal.bounds)


def _with_known(scheme: Scheme, evidence: Evidence) -> Evidence:
    if scheme.known is None:
        return evidence
    mask, value, _ = scheme.known
    found = evidence.agreement
    if found is not None:
        # Nothing has to be said of goals not drawn where the mean is known.
        found = found._replace(above=np.where(mask, evidence.n, found.above))
    return evidence._replace(
        agreement=found,
        mean=np.where(mask, value, evidence.mean),
        parts=np.where(mask, value, evidence.parts),
    )
