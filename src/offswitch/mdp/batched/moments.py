"""Mean and spread of V - r over samples, block by block.

Each block of 64 samples is summed by itself, in float64, about one of its own samples, and then
merged (Chan, Golub & LeVeque 1983, Eq. 2.1): sums of squares of large values lose every digit of a
small spread. The order of additions is fixed, so the bytes do not depend on who did what.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.batched.lanes import LANES

__all__ = ["add_block", "merge_moments"]


@numba.njit(cache=True, nogil=True)
def add_block(
    reward: NDArray[Any],  # Any: either precision
    value: NDArray[Any],
    before: int,
    mean: NDArray[np.float64],
    m2: NDArray[np.float64],
) -> None:
    """Merge V - r of 64 samples into `mean [S]` and `m2 [S]`, of `before` samples so far.

    `reward` and `value` are flat, `[S * 64]`; `m2` is the sum of squared distances to the mean.
    """
    sums, squares = np.empty(16), np.empty(16)
    share = LANES / (before + LANES)
    width, eight = numba.uint64(LANES), numba.uint64(8)
    for state in range(len(mean)):
        row = numba.uint64(state) * width
        # Any of the samples is near enough to their mean for the squares to keep their digits.
        shift = np.float64(value[row]) - np.float64(reward[row])
        # By quarters, and then by halves: additions in an order that wide registers can follow.
        for lane in range(16):
            at = row + numba.uint64(lane)
            b, c, d = at + numba.uint64(16), at + numba.uint64(32), at + numba.uint64(48)
            one = np.float64(value[at]) - np.float64(reward[at]) - shift
            two = np.float64(value[b]) - np.float64(reward[b]) - shift
            three = np.float64(value[c]) - np.float64(reward[c]) - shift
            four = np.float64(value[d]) - np.float64(reward[d]) - shift
            place = numba.uint64(lane)
            sums[place] = (one + two) + (three + four)
            squares[place] = (one * one + two * two) + (three * three + four * four)
        for lane in range(8):
            place = numba.uint64(lane)
            sums[place] += sums[place + eight]
            squares[place] += squares[place + eight]
        centre = _eight(sums) / LANES
        away = shift + centre - mean[state]
        mean[state] += away * share
        spread = max(_eight(squares) - LANES * centre * centre, 0.0)
        m2[state] += spread + away * away * (before * share)


@numba.njit(cache=True, nogil=True)
def _eight(terms: NDArray[np.float64]) -> float:
    left = (terms[0] + terms[4]) + (terms[2] + terms[6])
    return float(left + ((terms[1] + terms[5]) + (terms[3] + terms[7])))


def merge_moments(
    one: tuple[int, NDArray[np.float64], NDArray[np.float64]],
    other: tuple[int, NDArray[np.float64], NDArray[np.float64]],
) -> tuple[int, NDArray[np.float64], NDArray[np.float64]]:
    """Number, mean and sum of squared distances of two sets of samples put together.

    >>> low, high = np.array([1.0]), np.array([3.0])
    >>> merge_moments((1, low, np.zeros(1)), (1, high, np.zeros(1)))
    (2, array([2.]), array([2.]))
    """
    n, mean, m2 = one
    more, other_mean, other_m2 = other
    away = other_mean - mean
    share = more / (n + more)
    return n + more, mean + away * share, m2 + other_m2 + away * away * (n * share)
