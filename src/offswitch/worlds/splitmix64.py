"""Chance inside compiled kernels: SplitMix64 (Steele, Lea and Flood 2014, fig. 17).

A stream is one 64-bit word that grows by `GAMMA` at every draw, so a kernel can give each episode a
stream of its own that depends on the seed and on the episode alone.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["GAMMA", "draw", "mixed", "new_chance", "uniform"]

STEP = 1 / 2**53
"""The distance between numbers in [0, 1) that a double holds exactly, all of them."""
GAMMA = np.uint64(0x9E3779B97F4A7C15)
"""What a stream's word grows by: the golden ratio's fraction, in 64 bits."""


def new_chance(seed: int) -> NDArray[np.uint64]:
    """[1] the word of a stream of its own for `seed`."""
    return np.array(np.random.SeedSequence(seed).generate_state(1, np.uint64), dtype=np.uint64)


@numba.njit(cache=True, nogil=True, inline="always")
def mixed(word: np.uint64) -> np.uint64:
    """The word with its bits spread: two streams that start alike do not look alike."""
    spread = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    spread = (spread ^ (spread >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return spread ^ (spread >> np.uint64(31))


@numba.njit(cache=True, nogil=True, inline="always")
def uniform(word: np.uint64) -> float:
    """A number in [0, 1) from the 53 highest bits of the mixed word."""
    return float(mixed(word) >> np.uint64(11)) * STEP


@numba.njit(cache=True, nogil=True, inline="always")
def draw(chance: NDArray[np.uint64]) -> float:
    """The stream's next number in [0, 1); `chance [1]` holds its word."""
    chance[0] += GAMMA
    number: float = uniform(chance[0])
    return number
