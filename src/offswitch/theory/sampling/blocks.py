"""The work on blocks of goals: solved, sharpened by controls where there are any, and summed.

S states in the plan's order. Work objects are called with a range of blocks, in threads or on other
machines, and give one `BlockPart` for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.batched.lanes import LANES
from offswitch.mdp.batched.plan import SolverPlan
from offswitch.mdp.batched.uniform_blocks import uniform_blocks
from offswitch.theory.sampling.adjusted_mean import adjust
from offswitch.theory.sampling.contributions import Draws, Gains, certified_block
from offswitch.theory.sampling.reachable_maximum import Controls
from offswitch.theory.sampling.shape import Shape, shape_of

__all__ = ["Agreement", "BlockPart", "BlockWork", "UniformWork"]

TIES = 4
"""Gains that differ by at most this many certified errors count as equal."""
RELATIVE_TIE = 1e-12


class Agreement(NamedTuple):
    """How many goals differ from a common value: few where chance hides what may happen."""

    common: NDArray[np.float64]
    """[S] the median of the first block."""
    above: NDArray[np.int64]
    """[S] goals with more."""
    below: NDArray[np.int64]
    """[S] goals with less."""


class BlockPart(NamedTuple):
    """Sums over the goals of one block."""

    n: int
    """Goals, 64 but for the last block of a given number."""
    mean: NDArray[np.float64]
    """[S]."""
    m2: NDArray[np.float64]
    """[S] sum of squared distances to the mean."""
    error: float
    """Certified bound on the error of every entry."""
    agreement: Agreement | None
    values: NDArray[np.float64] | None
    """[n, S] single goals, where they are kept."""
    shape: Shape | None = None
    """Third and fourth moments, too, where they are known."""


@dataclass(frozen=True, eq=False)
class BlockWork:
    """Blocks of goals of any law."""

    gains: Gains
    draws: Draws
    controls: Controls | None = None
    coefficient: NDArray[np.float64] | None = None
    """[k, S] of the controls."""
    common: NDArray[np.float64] | None = None
    """[S] what `Agreement` compares with; None takes the block's own median."""
    counted: bool = False
    """Whether agreement is counted."""
    kept: bool = False
    """Whether single goals are returned."""
    n: int | None = None
    """Goals in all; those beyond are not counted."""
    step: float = 0.0
    """Gains that differ by less count as equal, too."""

    def __call__(self, blocks: range) -> list[BlockPart]:
        """One part for each block.

        Raises:
            ModelError: the solver cannot certify its tolerance.
        """
        return [self._part(number) for number in blocks]

    def _part(self, number: int) -> BlockPart:
        found = self.gains.of(self.draws.block(number))
        gain = found.gain
        if self.controls is not None and self.coefficient is not None:
            gain = adjust(self.controls, self.coefficient, found)
        n = LANES if self.n is None else min(LANES, self.n - LANES * number)
        gain = gain[:, :n]
        shape = shape_of(gain)
        return BlockPart(
            n=n,
            mean=shape.mean,
            m2=shape.m2,
            error=found.error,
            agreement=self._agreement(gain, found.error) if self.counted else None,
            values=gain.T.copy() if self.kept else None,
            shape=shape,
        )

    def _agreement(self, gain: NDArray[np.float64], error: float) -> Agreement:
        common = np.median(gain, axis=1) if self.common is None else self.common
        tie = TIES * error + self.step + RELATIVE_TIE * np.abs(common)[:, None]
        away = gain - common[:, None]
        return Agreement(common, (away > tie).sum(axis=1), (away < -tie).sum(axis=1))


@dataclass(frozen=True, eq=False)
class UniformWork:
    """Blocks of goals iid U(0, 1), drawn and summed inside compiled code."""

    plan: SolverPlan
    seed: int

    def __call__(self, blocks: range) -> list[BlockPart]:
        """One part for each block.

        Raises:
            ModelError: the solver cannot certify its tolerance.
        """
        return [self._part(number) for number in blocks]

    def _part(self, number: int) -> BlockPart:
        blocks = range(number, number + 1)
        sums = certified_block(self.plan, lambda: uniform_blocks(self.plan, self.seed, blocks))
        order = self.plan.order
        return BlockPart(sums.n, sums.mean[order], sums.m2[order], sums.error, None, None)
