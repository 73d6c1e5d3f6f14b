"""What is known so far of means over goals, as blocks come in. S states in the plan's order."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.batched.lanes import LANES
from offswitch.mdp.batched.moments import merge_moments
from offswitch.theory.sampling.blocks import RELATIVE_TIE, TIES, Agreement, BlockPart
from offswitch.theory.sampling.part_means import PartMeans
from offswitch.theory.sampling.shape import MeanShape, Shape, mean_shape, merge_shapes

__all__ = ["Evidence", "IndependentMean", "ReplicateMean", "RunningMean"]


class Evidence(NamedTuple):
    """A mean and how accurate it is."""

    n: int
    """Goals it rests on."""
    mean: NDArray[np.float64]
    """[S]."""
    standard_error: NDArray[np.float64]
    """[S] from the spread of independent units: goals, blocks or replicates."""
    degrees: int
    """Units less 1."""
    error: float
    """Certified bound on the solver's part of the error."""
    agreement: Agreement | None
    parts: NDArray[np.float64]
    """[P, S] independent estimates, equal shares of the sample, whose mean is `mean`."""
    values: NDArray[np.float64] | None = None
    """[n, S] single goals, where they are kept."""
    shape: MeanShape | None = None
    """How far the mean is from normal, by single goals, and less where they are drawn evenly; None
    where only two moments are at hand (U(0, 1) in compiled blocks, which is near normal)."""


class RunningMean(Protocol):
    """A mean that takes in one block after the other.

    What was taken in is replaced in one assignment, so that an interrupt finds all of a block or
    nothing of it.
    """

    @property
    def n(self) -> int:
        """Goals taken in; blocks of an unfinished round do not count."""

    def add(self, part: BlockPart) -> None:
        """Take in the next block."""

    def evidence(self) -> Evidence:
        """All there is so far; 2 units at least."""


class _Sums(NamedTuple):
    n: int
    moments: tuple[int, NDArray[np.float64], NDArray[np.float64]]
    error: float
    agreement: Agreement | None
    shape: Shape | None


class IndependentMean:
    """Over goals, or over blocks that are each stratified within."""

    def __init__(self, n_states: int, *, by_block: bool, keep: bool = False) -> None:
        self._by_block = by_block
        self._sums = _Sums(0, (0, np.zeros(n_states), np.zeros(n_states)), 0.0, None, None)
        self._parts = PartMeans(n_states)
        self._kept: list[NDArray[np.float64]] | None = [] if keep else None

    @property
    def n(self) -> int:
        """Goals taken in."""
        return self._sums.n

    def add(self, part: BlockPart) -> None:
        """Take in the next block."""
        units = 1 if self._by_block else part.n
        m2 = np.zeros_like(part.m2) if self._by_block else part.m2
        so_far = self._sums
        self._sums = _Sums(
            so_far.n + part.n,
            merge_moments(so_far.moments, (units, part.mean, m2)),
            max(so_far.error, part.error),
            _joined(so_far.agreement, part.agreement),
            _merged(so_far.shape, part.shape),
        )
        self._parts.add(part.mean[None] if part.values is None else part.values)
        if self._kept is not None and part.values is not None:
            self._kept.append(part.values)

    def evidence(self) -> Evidence:
        """All there is so far."""
        units, mean, m2 = self._sums.moments
        return Evidence(
            n=self.n,
            mean=mean,
            standard_error=np.sqrt(m2 / (units - 1) / units),
            degrees=units - 1,
            error=self._sums.error,
            agreement=self._sums.agreement,
            parts=self._parts.table,
            values=np.concatenate(self._kept)[: self.n] if self._kept else None,
            shape=_of_mean(self._sums.shape),
        )


class _Rounds(NamedTuple):
    rounds: int
    total: NDArray[np.float64]
    """[R, S]."""
    error: float
    agreement: Agreement | None
    shape: Shape | None


class ReplicateMean:
    """Over R replicates that take turns, block after block; a round is a block of each."""

    def __init__(self, n_states: int, *, replicates: int) -> None:
        self._done = _Rounds(0, np.zeros((replicates, n_states)), 0.0, None, None)
        self._round: list[BlockPart] = []

    @property
    def n(self) -> int:
        """Goals of complete rounds."""
        return LANES * len(self._done.total) * self._done.rounds

    def add(self, part: BlockPart) -> None:
        """Take in the next block; it counts when its round is complete."""
        self._round.append(part)
        if len(self._round) < len(self._done.total):
            return
        rounds, total, error, agreement, shape = self._done
        for each in self._round:
            agreement = _joined(agreement, each.agreement)
            shape = _merged(shape, each.shape)
        self._done = _Rounds(
            rounds + 1,
            total + np.stack([each.mean for each in self._round]),
            max(error, *(each.error for each in self._round)),
            agreement,
            shape,
        )
        self._round = []

    def evidence(self) -> Evidence:
        """All complete rounds."""
        parts = self._done.total / self._done.rounds
        units = len(parts)
        standard_error = parts.std(axis=0, ddof=1) / np.sqrt(units)
        return Evidence(
            n=self.n,
            mean=parts.mean(axis=0),
            standard_error=standard_error,
            degrees=units - 1,
            error=self._done.error,
            agreement=_of_replicates(self._done.agreement, parts, self._done.error),
            parts=parts,
            shape=_of_even_mean(self._done.shape, standard_error),
        )


def _joined(one: Agreement | None, other: Agreement | None) -> Agreement | None:
    if one is None or other is None:
        return other if one is None else one
    return Agreement(one.common, one.above + other.above, one.below + other.below)


def _merged(one: Shape | None, other: Shape | None) -> Shape | None:
    if one is None or other is None:
        return other if one is None else one
    return merge_shapes(one, other)


def _of_replicates(
    found: Agreement | None, parts: NDArray[np.float64], error: float
) -> Agreement | None:
    """What differs among replicates, where that is less than half of them.

    Goals drawn evenly may balance all but rare coincidences: each of 64 goals of Bernoulli(1/64)
    rewards pays one state, and only those that pay two make a replicate differ. The number of such
    goals is that of replicates with one, as if they had fallen into them at random.
    """
    if found is None:
        return None
    units, common = len(parts), np.median(parts, axis=0)
    tie = TIES * error + RELATIVE_TIE * np.abs(common)
    more, less = ((sign * (parts - common) > tie).sum(axis=0) for sign in (1, -1))
    few = more + less < (units + 1) // 2
    # The two common values differ, and so may the side of it on which a goal stands.
    differing = found.above + found.below
    above, below = (
        np.ceil(-units * np.log1p(-np.minimum(k, units - 1) / units)).astype(np.int64)
        for k in (more, less)
    )
    return Agreement(
        np.where(few, common, found.common),
        np.where(few, np.minimum(above, differing), found.above),
        np.where(few, np.minimum(below, differing), found.below),
    )


def _of_even_mean(shape: Shape | None, standard_error: NDArray[np.float64]) -> MeanShape | None:
    """The shape of a mean over goals drawn evenly, whose standard error is given.

    Evenness takes more of the third and fourth cumulants than of the variance. A rare event that
    one goal of a replicate shows with probability f, and no second one does, has (1 - f) times the
    variance of independent goals, and a skewness and excess kurtosis less than (1 - f) times theirs
    (for f up to 0.6), so they are shrunk as the variance is.
    """
    found = _of_mean(shape)
    if shape is None or found is None or shape.n < 2:
        return found
    plain = shape.m2 / (shape.n - 1) / shape.n
    share = np.where(plain > 0, standard_error**2 / np.where(plain > 0, plain, 1.0), 1.0)
    left = np.minimum(share, 1.0)
    return MeanShape(found.skewness * left, found.excess * left)


def _of_mean(shape: Shape | None) -> MeanShape | None:
    return None if shape is None else mean_shape(shape)
