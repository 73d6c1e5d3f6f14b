"""Direction numbers of Sobol points: Joe & Kuo 2008, from the table that comes with scipy.

D dimensions. The table is read without `scipy.stats`, which takes most of a second to import.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from offswitch.errors import ModelError

__all__ = ["BITS", "SOBOL_DIMENSIONS", "direction_numbers"]

BITS = 24
"""Of a number: multiples of 2^-24 are exact in float32, too."""
SOBOL_DIMENSIONS = 21201
"""Joe & Kuo's direction numbers, as scipy has them, end here."""


@lru_cache(maxsize=8)
def direction_numbers(dimensions: int, bits: int) -> NDArray[np.uint32]:
    """[D, bits] the first `bits` direction numbers of every dimension, of 24 bits each. O(D bits).

    Joe & Kuo 2008, eq. 2, in their notation: m_1 to m_s of a dimension are given with its primitive
    polynomial of degree s, and every later one follows from the s before it.

    >>> direction_numbers(2, 3).tolist() == [[2**23, 2**22, 2**21], [2**23, 3 * 2**22, 5 * 2**21]]
    True

    Raises:
        ModelError: scipy does not have its table where it used to be.
    """
    polynomials, given = _table()
    m = np.ones((dimensions, bits), dtype=np.int64)  # all 1 in the first dimension
    for dimension in range(1, dimensions):
        polynomial = int(polynomials[dimension])
        degree = polynomial.bit_length() - 1
        terms = [k for k in range(1, degree + 1) if polynomial >> (degree - k) & 1]
        row = given[dimension, :degree].tolist()
        for place in range(degree, bits):
            following = row[place - degree]
            for k in terms:
                following ^= row[place - k] << k
            row.append(following)
        m[dimension] = row[:bits]
    return (m << (BITS - 1 - np.arange(bits))).astype(np.uint32)


@lru_cache(maxsize=1)
def _table() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """[21201] primitive polynomials as bits, [21201, 18] their first numbers m."""
    package = find_spec("scipy.stats")
    folder = (package and package.submodule_search_locations) or ["scipy/stats"]
    file = Path(folder[0]) / "_sobol_direction_numbers.npz"
    if not file.is_file():
        raise ModelError(
            f"{file} is missing, expected scipy's direction numbers of Sobol points. Install "
            "another version of scipy, or draw plainly with variance_reduction=False."
        )
    with np.load(file) as table:
        return table["poly"].astype(np.int64), table["vinit"].astype(np.int64)
