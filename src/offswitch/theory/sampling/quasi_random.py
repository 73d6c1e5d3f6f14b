"""Uniform numbers that fill the cube more evenly than chance: scrambled Sobol and stratified.

D dimensions. A block is 64 points, a column for each. Every point is uniform by itself, so means
over them are unbiased; independent replicates say how accurate they are.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, Protocol

import numba
import numpy as np
from numpy.typing import NDArray

from offswitch.errors import ModelError
from offswitch.mdp.batched.philox import uniforms

__all__ = [
    "SOBOL_DIMENSIONS",
    "IndependentPoints",
    "Points",
    "SobolPoints",
    "StratifiedPoints",
    "sobol_points",
]

LANES = 64
LANE_BITS = 6
BITS = 24
"""Of a number: multiples of 2^-24 are exact in float32, too."""
SOBOL_DIMENSIONS = 21201
"""Joe & Kuo's direction numbers, as scipy has them, end here."""
MOST_PIECES = 2**14
"""Blocks of one replicate: a million points."""
SCRAMBLE_STREAM, STRATIFY_STREAM = 1, 2
"""Streams of random words other than that of plain draws, 0."""


class Points(Protocol):
    """Where the uniform numbers of block b come from."""

    def block(self, number: int) -> NDArray[np.float64]:
        """[D, 64] multiples of 2^-24 in [0, 1)."""


class IndependentPoints(NamedTuple):
    """Plain random points: those of `sample_rewards`."""

    seed: int
    dimensions: int

    def block(self, number: int) -> NDArray[np.float64]:
        """[D, 64] independent uniform numbers."""
        drawn: NDArray[np.float64] = uniforms(self.seed, LANES * number, np.arange(self.dimensions))
        return drawn


class StratifiedPoints(NamedTuple):
    """A Latin hypercube in every block: McKay, Beckman & Conover 1979.

    In each dimension one point falls into each 64th. Blocks are independent.
    """

    seed: int
    dimensions: int

    def block(self, number: int) -> NDArray[np.float64]:
        """[D, 64] one number in each 64th, in an order of its own in each dimension."""
        rows = np.arange(self.dimensions)
        first = 2 * LANES * number
        order = uniforms(self.seed, first, rows, stream=STRATIFY_STREAM)
        inside = uniforms(self.seed, first + LANES, rows, stream=STRATIFY_STREAM)
        found: NDArray[np.float64] = _stratify(order, inside)
        return found


class SobolPoints(NamedTuple):
    """R independently scrambled Sobol sequences: block b is piece b // R of replicate b % R.

    Sobol 1967 with Joe & Kuo's direction numbers; scrambled by a random lower triangular matrix
    and a random shift in each dimension (Matousek 1998), so that every point is uniform.
    """

    columns: NDArray[np.uint32]
    """[R, D, bits] scrambled direction numbers."""
    shift: NDArray[np.uint32]
    """[R, D]."""

    @property
    def replicates(self) -> int:
        """R."""
        return len(self.columns)

    def block(self, number: int) -> NDArray[np.float64]:
        """[D, 64] points 64 p to 64 p + 63 of the replicate's sequence, for piece p.

        Raises:
            ModelError: the sequence was not made that long.
        """
        piece, replicate = divmod(number, self.replicates)
        if LANES * (piece + 1) > 2 ** self.columns.shape[2]:
            raise ModelError(f"block {number} is beyond the {self.columns.shape[2]} bits prepared")
        found: NDArray[np.float64] = _sobol_block(
            self.columns[replicate], self.shift[replicate], LANES * piece
        )
        return found


def sobol_points(seed: int, dimensions: int, *, replicates: int, pieces: int) -> SobolPoints:
    """The first `pieces` blocks of `replicates` scrambled sequences in up to 21201 dimensions.

    More pieces continue the same sequences. About a microsecond for each replicate and dimension.

    >>> points = sobol_points(0, 2, replicates=3, pieces=1)
    >>> np.histogram(points.block(2)[1], bins=8, range=(0, 1))[0].tolist()
    [8, 8, 8, 8, 8, 8, 8, 8]

    Raises:
        ModelError: more than 21201 dimensions, or a million points of a replicate.
    """
    if dimensions > SOBOL_DIMENSIONS or pieces > MOST_PIECES:
        raise ModelError(
            f"Sobol points were asked for in {dimensions} dimensions and {pieces} blocks, expected "
            f"at most {SOBOL_DIMENSIONS} and {MOST_PIECES}. Ask for a larger half-width, or for "
            "plain draws with variance_reduction=False."
        )
    base = _directions(dimensions, LANE_BITS + max(pieces - 1, 0).bit_length())
    rows = np.arange(dimensions)
    columns = np.empty((replicates, *base.shape), np.uint32)
    shift = np.empty((replicates, dimensions), np.uint32)
    for replicate in range(replicates):
        words = uniforms(seed, LANES * replicate, rows, stream=SCRAMBLE_STREAM) * 2.0**BITS
        whole = words.astype(np.uint32)
        _scramble(base, whole, columns[replicate])
        shift[replicate] = whole[:, BITS]
    return SobolPoints(columns, shift)


@lru_cache(maxsize=8)
def _directions(dimensions: int, bits: int) -> NDArray[np.uint32]:
    """[D, bits] direction numbers, from the points whose number is a power of two."""
    # Lazy: scipy.stats takes half a second to import.
    from scipy.stats import qmc

    engine = qmc.Sobol(dimensions, scramble=False, bits=BITS)
    columns = np.empty((dimensions, bits), np.uint32)
    before = np.zeros(dimensions, np.uint32)
    for bit in range(bits):
        engine.fast_forward(2**bit - engine.num_generated)
        point = (engine.random(1)[0] * 2.0**BITS).astype(np.uint32)
        # Points come in Gray code order: number 2^j is direction j and direction j - 1.
        before = point ^ before
        columns[:, bit] = before
    return columns


@numba.njit(cache=True, nogil=True)
def _scramble(
    base: NDArray[np.uint32], words: NDArray[np.uint32], columns: NDArray[np.uint32]
) -> None:
    """Multiply every column by a random lower triangular matrix with ones on its diagonal."""
    for dimension in range(base.shape[0]):
        for column in range(base.shape[1]):
            columns[dimension, column] = 0
        for row in range(24):
            own = np.uint32(1) << np.uint32(23 - row)
            # Only digits above this one take part, and the digit itself always does.
            above = np.uint32(0xFFFFFF) & ~(own | (own - np.uint32(1)))
            mask = (words[dimension, row] & above) | own
            for column in range(base.shape[1]):
                parity = base[dimension, column] & mask
                parity ^= parity >> np.uint32(16)
                parity ^= parity >> np.uint32(8)
                parity ^= parity >> np.uint32(4)
                parity ^= parity >> np.uint32(2)
                parity ^= parity >> np.uint32(1)
                if parity & np.uint32(1):
                    columns[dimension, column] |= own


@numba.njit(cache=True, nogil=True)
def _sobol_block(
    columns: NDArray[np.uint32], shift: NDArray[np.uint32], first: int
) -> NDArray[np.float64]:
    found = np.empty((len(columns), LANES))
    for dimension in range(len(columns)):
        point = shift[dimension]
        gray = first ^ (first >> 1)
        for bit in range(columns.shape[1]):
            if (gray >> bit) & 1:
                point ^= columns[dimension, bit]
        found[dimension, 0] = point * 2.0**-24
        for lane in range(1, LANES):
            # From one number to the next in Gray code only the lowest set bit's digit changes.
            bit, number = 0, lane
            while not number & 1:
                number >>= 1
                bit += 1
            point ^= columns[dimension, bit]
            found[dimension, lane] = point * 2.0**-24
    return found


@numba.njit(cache=True, nogil=True)
def _stratify(order: NDArray[np.float64], inside: NDArray[np.float64]) -> NDArray[np.float64]:
    found = np.empty_like(order)
    place = np.empty(LANES, np.int64)
    for dimension in range(len(order)):
        for lane in range(LANES):
            place[lane] = lane
        for lane in range(LANES - 1, 0, -1):
            other = int(order[dimension, lane] * (lane + 1))
            place[lane], place[other] = place[other], place[lane]
        for lane in range(LANES):
            fine = int(inside[dimension, lane] * 2.0**18)
            found[dimension, lane] = (place[lane] * 2.0**18 + fine) * 2.0**-24
    return found
