"""Rows of 64 lanes: the memory in which 64 samples are solved side by side.

Row i holds one number of state i for each of 64 consecutive samples. Compiled loops over a row have
a length known in advance and start on a cache line, which is worth a factor of 1.5: a wide load
that straddles two lines costs two.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["LANES", "lane_rows"]

LANES = 64
"""Samples of a block, the unit of work: a block is always solved whole."""
CACHE_LINE = 64


def lane_rows(n_rows: int, dtype: DTypeLike) -> NDArray[Any]:  # Any: either precision
    """[n_rows, 64] uninitialised and C-contiguous, its first byte on a cache line.

    >>> lane_rows(3, np.float32).ctypes.data % 64
    0
    """
    size = n_rows * LANES * np.dtype(dtype).itemsize
    raw = np.empty(size + CACHE_LINE, np.uint8)
    shift = -raw.ctypes.data % CACHE_LINE
    return raw[shift : shift + size].view(dtype).reshape(n_rows, LANES)
