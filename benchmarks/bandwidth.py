"""What memory can deliver: a triad a = b + s c as in STREAM (McCalpin 1995), by level of cache."""

from __future__ import annotations

import time
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

SIZES = {"L1": 3 * 8 * 2**10, "L3": 3 * 4 * 2**20, "DRAM": 3 * 160 * 2**20}
"""Bytes of the three arrays together."""
BYTES_A_RUN = 2 * 2**30
REPEATS = 7


@numba.njit(nogil=True)
def _triad(a: NDArray[Any], b: NDArray[Any], c: NDArray[Any], scale: Any, rounds: int) -> None:
    size = numba.uint64(len(a))
    for _ in range(rounds):
        for place in range(size):
            at = numba.uint64(place)
            a[at] = b[at] + scale * c[at]


def triad_bandwidth(level: str) -> float:
    """GB/s of one core in float32, three transfers an element, best of a few runs, CPU time."""
    size = SIZES[level] // 12
    # One buffer, three parts on cache lines, and not at equal places of a page.
    whole = np.zeros(3 * size + 4096, np.float32)
    first = -(whole.ctypes.data // 4) % 16
    a, b, c = (whole[first + k * (size + 272) : first + k * (size + 272) + size] for k in range(3))
    rounds = max(1, BYTES_A_RUN // (12 * size) // (8 if level == "DRAM" else 1))
    _triad(a, b, c, np.float32(0.5), 1)
    best = np.inf
    for _ in range(REPEATS):
        begun = time.process_time()
        _triad(a, b, c, np.float32(0.5), rounds)
        best = min(best, time.process_time() - begun)
    return 12 * size * rounds / best / 1e9
