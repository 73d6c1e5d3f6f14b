"""Random numbers as a function of (seed, stream, sample, dimension): Philox4x32-10.

Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3", Table 2 and
Sec. 3.3: a keyed bijection of 128-bit counters that passes BigCrush on any stream of them. A number
does not depend on which others were drawn, so samples can be split among any workers.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.batched.lanes import LANES, lane_rows

__all__ = ["checked_key", "fill_uniforms", "philox4x32", "uniforms"]

WORD = numba.uint64(0xFFFFFFFF)
HALF = numba.uint64(32)
FIRST_FACTOR = numba.uint64(0xD2511F53)
SECOND_FACTOR = numba.uint64(0xCD9E8D57)
FIRST_WEYL = numba.uint64(0x9E3779B9)
SECOND_WEYL = numba.uint64(0xBB67AE85)
ROUNDS = 10
COUNTERS = 16
"""Counters that fill a row of 64 lanes, four words each."""
UNUSED_BITS = numba.uint64(8)
"""Of a word's 32: 24 are left, which float32 holds exactly."""
UNIT = 2.0**-24


@numba.njit(inline="always")
def philox4x32(
    counter: tuple[int, int, int, int], key: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Four random words for a counter of four words under a key of two, all uint64 below 2^32.

    >>> zero = numba.uint64(0)
    >>> [hex(word) for word in philox4x32((zero,) * 4, (zero,) * 2)]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        first, second = FIRST_FACTOR * c0, SECOND_FACTOR * c2
        c0, c1 = (second >> HALF) ^ c1 ^ k0, second & WORD
        c2, c3 = (first >> HALF) ^ c3 ^ k1, first & WORD
        k0, k1 = (k0 + FIRST_WEYL) & WORD, (k1 + SECOND_WEYL) & WORD
    return c0, c1, c2, c3


@numba.njit(cache=True, nogil=True)
def fill_uniforms(
    key: tuple[int, int, int],
    block: int,
    dimensions: NDArray[np.int64],
    unit: Any,  # Any: 2^-24 in the precision of the rows
    rows: NDArray[Any],  # Any: either precision
) -> None:
    """Fill flat `rows [D * 64]` with the uniforms of the 64 samples of `block`.

    `key` is (low word of the seed, high word, stream), all uint64. Lane 16 w + q of dimension d is
    word w of counter (d, 16 block + q, its high word, stream). Some 0.4 ns a number.
    """
    low, high, stream = key
    width = numba.uint64(LANES)
    for place in range(len(dimensions)):
        dimension = numba.uint64(dimensions[place])
        base = numba.uint64(place) * width
        for lane in range(COUNTERS):
            group = numba.uint64(block) * numba.uint64(COUNTERS) + numba.uint64(lane)
            counter = (dimension, group & WORD, group >> HALF, stream)
            w0, w1, w2, w3 = philox4x32(counter, (low, high))
            at = base + numba.uint64(lane)
            rows[at] = numba.int32(w0 >> UNUSED_BITS) * unit
            rows[at + numba.uint64(16)] = numba.int32(w1 >> UNUSED_BITS) * unit
            rows[at + numba.uint64(32)] = numba.int32(w2 >> UNUSED_BITS) * unit
            rows[at + numba.uint64(48)] = numba.int32(w3 >> UNUSED_BITS) * unit


def checked_key(seed: int, stream: int = 0) -> tuple[np.uint64, np.uint64, np.uint64]:
    """Seed and stream as `fill_uniforms` takes them: two words of the seed, and the stream.

    Raises:
        ModelError: the seed is not in [0, 2^64) or the stream not in [0, 2^32).
    """
    for name, number, bits in (("seed", seed, 64), ("stream", stream, 32)):
        if not isinstance(number, int | np.integer) or not 0 <= number < 2**bits:
            raise ModelError(f"{name} is {number!r}, expected a whole number in [0, 2^{bits})")
    whole = int(seed)
    return np.uint64(whole & 0xFFFFFFFF), np.uint64(whole >> 32), np.uint64(int(stream))


def uniforms(
    seed: int,
    first_sample: int,
    dimensions: ArrayLike,
    *,
    dtype: DTypeLike = np.float64,
    stream: int = 0,
) -> NDArray[Any]:  # Any: either precision
    """[D, 64] numbers in [0, 1), multiples of 2^-24, of 64 samples from `first_sample`.

    Entry (d, j) depends on nothing but the seed, the stream, dimensions[d] and the sample number
    first_sample + j; float32 and float64 hold the same numbers. `first_sample` is a multiple of 64.

    >>> uniforms(1, 0, [0, 5]).shape
    (2, 64)
    >>> bool((uniforms(1, 64, [5])[0] == uniforms(1, 64, [3, 5])[1]).all())
    True

    Raises:
        ModelError: seed, stream, sample or dimension is out of range.
    """
    key = checked_key(seed, stream)
    if first_sample % LANES or not 0 <= first_sample < 2**63:
        raise ModelError(
            f"first_sample is {first_sample}, expected a multiple of {LANES}, 0 or more: samples "
            "are drawn in whole blocks"
        )
    numbers = np.asarray(dimensions, dtype=np.int64)
    if numbers.ndim != 1 or (len(numbers) and not 0 <= numbers.min() <= numbers.max() < 2**32):
        raise ModelError("dimensions are expected to be a list of whole numbers in [0, 2^32)")
    rows = lane_rows(len(numbers), dtype)
    unit = rows.dtype.type(UNIT)
    fill_uniforms(key, first_sample // LANES, numbers, unit, rows.reshape(-1))
    return rows
