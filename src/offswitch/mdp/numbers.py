"""Arrays of numbers from whatever a user gives."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError

__all__ = ["number_array"]


def number_array(name: str, given: ArrayLike, shape: str) -> NDArray[np.float64]:
    """`given` as float64; `shape` says in the message what was expected.

    Raises:
        ModelError: it holds text or other things, or its rows have unequal lengths.
    """
    try:
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"{name} is no array of numbers ({error}), expected {shape}. Rows must be equally "
            "long, and every entry a number."
        ) from None
