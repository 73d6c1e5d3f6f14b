"""Rows on the stack are whole, apart from each other, of the asked precision and aligned."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from offswitch.mdp.batched.lanes import CACHE_LINE, LANES
from offswitch.mdp.batched.stack_row import stack_row


@numba.njit
def _two_rows(like):
    first = numba.carray(stack_row(like), (LANES,))
    second = numba.carray(stack_row(like), (LANES,))
    for lane in range(LANES):
        first[lane] = lane / 4
        second[lane] = -lane / 4
    return first.copy(), second.copy(), first.ctypes.data, second.ctypes.data


@pytest.mark.slow  # compiles
@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_two_rows_hold_64_numbers_each_without_sharing_memory(precision):
    first, second, *addresses = _two_rows(np.empty(1, precision))
    assert first.dtype == second.dtype == precision
    assert first.tolist() == (np.arange(64) / 4).tolist()
    assert second.tolist() == (-np.arange(64) / 4).tolist()
    assert abs(addresses[0] - addresses[1]) >= 64 * np.dtype(precision).itemsize
    assert [address % CACHE_LINE for address in addresses] == [0, 0]
