"""How the goals of POWER are drawn: which points, which controls, how the mean is taken.

| scheme | when |
|---|---|
| Sobol replicates with controls | by default, up to 21201 states |
| stratified blocks | beyond that, up to 262144 states |
| independent goals | few goals, single goals asked for, reduction not wanted, or too costly |
| given goals | an array of rewards |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.batched.executor import Executor, fold_blocks
from offswitch.mdp.batched.lanes import LANES
from offswitch.theory.laws.law import RewardLaw
from offswitch.theory.laws.uniform import Uniform
from offswitch.theory.sampling.adjusted_mean import (
    PilotSums,
    PilotWork,
    adjusted_range,
    coefficients,
)
from offswitch.theory.sampling.blocks import BlockPart, BlockWork, UniformWork
from offswitch.theory.sampling.contributions import DiscountedGains, Gains, GivenDraws, LawDraws
from offswitch.theory.sampling.forced_states import Known
from offswitch.theory.sampling.intervals import Extremes
from offswitch.theory.sampling.quasi_random import (
    SOBOL_DIMENSIONS,
    IndependentPoints,
    StratifiedPoints,
    sobol_points,
)
from offswitch.theory.sampling.reachable_maximum import Controls, reachable_controls
from offswitch.theory.sampling.running_mean import IndependentMean, ReplicateMean, RunningMean
from offswitch.theory.sampling.stopping import MINIMUM_GOALS, next_doubling, next_look

__all__ = ["Drawing", "Scheme", "Work", "choose_scheme", "given_scheme"]

Work: TypeAlias = Callable[[range], list[BlockPart]]

REPLICATES = 16
"""Few enough that each is long, many enough for a t quantile of 2.13 where normal is 1.96."""
LEAST_REPLICATES = 8
PILOT_BLOCKS = 4
LEAST_GOALS = 640
"""A given number below this leaves too little for replicates beside a pilot."""
COMPILED_STATES = 2048
"""Beyond this, plain draws of U(0, 1) in a deterministic process, where drawing, solving and
summing are one compiled loop, give more for the time: some four times more at 10,000 states."""
STRATIFIED_BLOCKS = 8
STRATIFIED_STATES = 2**18
"""Beyond this the draw is the larger part of the cost, and memory of its own."""
KEPT_ENTRIES = 2**24
"""Single goals times states that are kept for differences between states: 128 MB."""
FUSED_GOALS = 4096
DRAWN_STEP = 2.0**-24
"""Of the rewards' range: the step in which laws are drawn; by less nothing is told apart."""


class Drawing(NamedTuple):
    """What is to be drawn."""

    gains: Gains
    law: RewardLaw
    samples: int | None
    """A given number, or None to draw until intervals are narrow."""
    seed: int
    kept: bool
    """Whether single goals are asked for."""
    reduced: bool
    """Whether variance reduction is wanted."""
    executor: Executor

    @property
    def n_states(self) -> int:
        """S."""
        return self.gains.structure.n_states


@dataclass(frozen=True, eq=False)
class Scheme:
    """One way to draw, in rounds of blocks."""

    order: NDArray[np.int64]
    """[S] the state of the process at every position."""
    running: RunningMean
    work: Callable[[int, NDArray[np.float64] | None], Work]
    """Of the number of rounds in all, and the common value that agreement compares with."""
    round_blocks: int
    """Blocks of a round."""
    first_rounds: int
    """Rounds until the first look; all of them where the number of goals is given."""
    look: Callable[[int, float, float], int]
    """Rounds until the next look, from rounds so far, half-width and the wanted one."""
    counted: bool
    """Whether goals that differ from a common value are counted."""
    extremes: Extremes | None
    method: str
    known: Known | None = None
    """Means that need no sampling."""

    @property
    def n_states(self) -> int:
        """S."""
        return len(self.order)


def choose_scheme(drawing: Drawing) -> Scheme:
    """The scheme for goals of a law. Runs the pilot of the controls.

    Raises:
        ModelError: the law does not fit the process.
    """
    dimensions = drawing.law.dimensions(drawing.n_states)
    enough = drawing.samples is None or drawing.samples >= LEAST_GOALS
    if not drawing.reduced or drawing.kept or not enough:
        return _independent(drawing, dimensions)
    compiled = drawing.law == Uniform() and drawing.gains.structure.deterministic
    if compiled and drawing.n_states > COMPILED_STATES:
        return _independent(drawing, dimensions)
    if max(dimensions, drawing.n_states) <= SOBOL_DIMENSIONS:
        return _sobol(drawing, dimensions)
    if drawing.n_states <= STRATIFIED_STATES:
        return _stratified(drawing, dimensions)
    return _independent(drawing, dimensions)


def given_scheme(gains: Gains, rewards: NDArray[np.float64], *, keep: bool) -> Scheme:
    """The scheme for goals given as `rewards [N, S]`."""
    n = len(rewards)
    n_states = gains.structure.n_states
    kept = keep or n * n_states <= KEPT_ENTRIES
    work = BlockWork(gains, GivenDraws(rewards), counted=True, kept=kept, n=n)
    return Scheme(
        order=gains.structure.order,
        running=IndependentMean(n_states, by_block=False, keep=keep),
        work=lambda _, common: _comparing(work, common),
        round_blocks=1,
        first_rounds=-(-n // LANES),
        look=next_look,
        counted=True,
        extremes=_constant(n_states, (float(rewards.min()), float(rewards.max()))),
        method="t over the given goals",
    )


def _independent(drawing: Drawing, dimensions: int) -> Scheme:
    law, samples = drawing.law, drawing.samples
    rounds = -(-(samples or MINIMUM_GOALS) // LANES)
    entries = max(samples or FUSED_GOALS, MINIMUM_GOALS) * drawing.n_states
    kept = drawing.kept or entries <= KEPT_ENTRIES
    draws = LawDraws(law, IndependentPoints(drawing.seed, dimensions))
    counted = not law.continuous
    work: BlockWork | UniformWork = BlockWork(
        drawing.gains, draws, counted=counted, kept=kept, n=samples
    )
    whole = rounds * LANES == (samples or MINIMUM_GOALS)
    if law == Uniform() and isinstance(drawing.gains, DiscountedGains) and whole and not kept:
        work = UniformWork(drawing.gains.plan, drawing.seed)
    return Scheme(
        order=drawing.gains.structure.order,
        running=IndependentMean(drawing.n_states, by_block=False, keep=drawing.kept),
        work=lambda _, common: _comparing(work, common),
        round_blocks=1,
        first_rounds=rounds,
        look=next_look,
        counted=counted,
        extremes=_constant(drawing.n_states, law.bounds),
        method="t over independent goals",
    )


def _stratified(drawing: Drawing, dimensions: int) -> Scheme:
    law = drawing.law
    draws = LawDraws(law, StratifiedPoints(drawing.seed, dimensions))
    work = BlockWork(drawing.gains, draws, counted=not law.continuous)
    return Scheme(
        order=drawing.gains.structure.order,
        running=IndependentMean(drawing.n_states, by_block=True),
        work=lambda _, common: _comparing(work, common),
        round_blocks=1,
        first_rounds=drawing.samples // LANES if drawing.samples else STRATIFIED_BLOCKS,
        look=next_look,
        counted=not law.continuous,
        extremes=_constant(drawing.n_states, law.bounds),
        method="t over blocks of 64 stratified goals",
    )


def _sobol(drawing: Drawing, dimensions: int) -> Scheme:
    law = drawing.law
    # Without bounds nothing could be said of a state that its controls explain entirely.
    controls = None if law.bounds is None else reachable_controls(drawing.gains.structure, law)
    pilot, replicates, rounds = _shares(drawing.samples, controls is not None)
    coefficient, extremes = None, _constant(drawing.n_states, law.bounds)
    step = 0.0
    if controls is not None and law.bounds is not None:
        step = DRAWN_STEP * (law.bounds[1] - law.bounds[0])
        coefficient = _pilot(drawing, dimensions, controls, pilot)
        extremes = adjusted_range(controls, coefficient, law.bounds)
    counted = controls is not None or not law.continuous

    @lru_cache(maxsize=1)
    def draws_of(rounds: int) -> LawDraws:
        points = sobol_points(drawing.seed, dimensions, replicates=replicates, pieces=rounds)
        return LawDraws(law, points)

    def work(rounds: int, common: NDArray[np.float64] | None) -> Work:
        draws = draws_of(rounds)
        return BlockWork(
            drawing.gains, draws, controls, coefficient, common=common, counted=counted, step=step
        )

    count = 0 if controls is None else len(controls.means)
    return Scheme(
        order=drawing.gains.structure.order,
        running=ReplicateMean(drawing.n_states, replicates=replicates),
        work=work,
        round_blocks=replicates,
        first_rounds=rounds,
        look=next_doubling,
        counted=counted,
        extremes=extremes,
        method=f"t over {replicates} scrambled Sobol replicates, {count} controls",
    )


def _shares(samples: int | None, controlled: bool) -> tuple[int, int, int]:
    """Blocks of the pilot, replicates, and rounds of all replicates."""
    if samples is None:
        return PILOT_BLOCKS * controlled, REPLICATES, 1
    blocks = samples // LANES
    pilot = min(PILOT_BLOCKS, blocks - LEAST_REPLICATES) * controlled
    rest = blocks - pilot
    rounds = 2 ** max((rest // REPLICATES).bit_length() - 1, 0)
    return pilot, rest // rounds, rounds


def _pilot(
    drawing: Drawing, dimensions: int, controls: Controls, blocks: int
) -> NDArray[np.float64]:
    draws = LawDraws(drawing.law, IndependentPoints(drawing.seed, dimensions))
    work = PilotWork(drawing.gains, draws, controls)
    total: PilotSums | None = None
    for found in fold_blocks(work, range(blocks), executor=drawing.executor, chunk=1):
        for sums in found:
            total = sums if total is None else total.plus(sums)
    assert total is not None
    return coefficients(total)


def _comparing(work: BlockWork | UniformWork, common: NDArray[np.float64] | None) -> Work:
    if isinstance(work, UniformWork) or common is None:
        return work
    return BlockWork(
        work.gains, work.draws, common=common, counted=work.counted, kept=work.kept, n=work.n
    )


def _constant(n_states: int, bounds: tuple[float, float] | None) -> Extremes | None:
    if bounds is None:
        return None
    low, high = bounds
    return np.full(n_states, low), np.full(n_states, high)
