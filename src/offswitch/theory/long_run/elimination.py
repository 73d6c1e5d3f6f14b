"""Chains solved by elimination without subtraction: rare transitions cost no digits.

Grassmann, Taksar & Heyman 1985.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["NOISE", "absorbed", "differences", "eliminated"]

NOISE = 32 * float(np.finfo(np.float64).eps)
"""Relative rounding of a sum of products of bias differences."""


@numba.njit(cache=True, nogil=True, error_model="numpy")
def eliminated(
    chain: NDArray[np.float64], reward: NDArray[np.float64], first: int
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Average, [n] shares and [n] chances to leave for places before, where all lead to place 0.

    Only places from `first` on are eliminated, 1 for an average. In `chain` it leaves
    chances among the places before, and above the diagonal expected visits.
    """
    n = len(chain)
    leave, earned, time = np.zeros(n), reward.copy(), np.ones(n)
    for last in range(n - 1, first - 1, -1):
        leave[last] = chain[last, :last].sum()
        for place in range(last):
            if chain[place, last] > 0:
                visits = chain[place, last] / leave[last]
                chain[place, last] = visits
                for other in range(last):
                    chain[place, other] += visits * chain[last, other]
                earned[place] += visits * earned[last]
                time[place] += visits * time[last]
    share = np.zeros(n)
    share[0] = 1.0
    for place in range(1, n):
        for before in range(place):
            share[place] += share[before] * chain[before, place]
    return earned[0] / time[0], share / share.sum(), leave


@numba.njit(cache=True, nogil=True, error_model="numpy")
def differences(
    chain: NDArray[np.float64],
    leave: NDArray[np.float64],
    excess: NDArray[np.float64],
    fixed: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[n, n] bias of one place less that of another, from what `eliminated` left; and rounding.

    The places before those eliminated have the biases `fixed`.

    Found as differences, not from biases: those can be so large that they agree in all digits.
    """
    n = len(chain)
    blur = NOISE * np.abs(excess)
    doubt = np.zeros((n, n))
    found = np.zeros((n, n))
    first = len(fixed)
    for one in range(first):
        for other in range(first):
            found[one, other] = fixed[one] - fixed[other]
    for last in range(n - 1, first - 1, -1):
        for place in range(last):
            excess[place] += chain[place, last] * excess[last]
            blur[place] += chain[place, last] * (blur[last] + NOISE * abs(excess[last]))
    row, far = np.empty(n), np.empty(n)
    for last in range(first, n):
        row[:last] = excess[last] / leave[last]
        far[:last] = (blur[last] + NOISE * abs(excess[last])) / leave[last]
        for before in range(last):
            weight = chain[last, before] / leave[last]
            if weight > 0:
                for other in range(last):
                    step = found[before, other]
                    row[other] += weight * step
                    far[other] += weight * (doubt[before, other] + NOISE * abs(step))
        for other in range(last):
            found[last, other] = row[other]
            found[other, last] = -row[other]
            doubt[last, other] = doubt[other, last] = far[other]
    return found, doubt


@numba.njit(cache=True, nogil=True, error_model="numpy")
def absorbed(
    chain: NDArray[np.float64], out: NDArray[np.float64], paid: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[n, q] expected sum of `paid [n, q]` from each place, left with chances `out [n]`."""
    n = len(chain)
    out, paid = out.copy(), paid.copy()
    leave = np.zeros(n)
    for last in range(n - 1, -1, -1):
        leave[last] = out[last] + chain[last, :last].sum()
        for place in range(last):
            if chain[place, last] > 0:
                visits = chain[place, last] / leave[last]
                for other in range(last):
                    chain[place, other] += visits * chain[last, other]
                out[place] += visits * out[last]
                paid[place] += visits * paid[last]
    for last in range(n):
        for before in range(last):
            if chain[last, before] > 0:
                paid[last] += chain[last, before] * paid[before]
        paid[last] /= leave[last]
    return paid
