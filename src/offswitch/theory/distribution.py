"""Tables of probabilities, checked in one place."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.numbers import number_array

__all__ = ["checked_distribution", "checked_numbers"]

MASS_TOLERANCE = 1e-9


def checked_distribution(
    name: str, table: ArrayLike, shape: tuple[int | None, ...]
) -> NDArray[np.float64]:
    """`table` as float64, each of its last axes a distribution; None in `shape` fits any size.

    Raises:
        ModelError: the shape does not fit, or an entry or a sum is no probability.
    """
    given = checked_numbers(name, table, shape)
    sums = given.sum(axis=-1)
    wrong = np.argwhere(~((given >= 0) & (given <= 1 + MASS_TOLERANCE)))
    if len(wrong):
        where = tuple(int(index) for index in wrong[0])
        raise ModelError(f"{name}{list(where)} is {given[where]:g}, expected a number in [0, 1]")
    off = np.argwhere(~(np.abs(sums - 1) <= MASS_TOLERANCE))
    if len(off):
        place = tuple(int(index) for index in off[0])
        row = f"{name}{list(place)}" if place else name
        raise ModelError(f"{row} sums to {sums[place]:.9g}, expected 1. Normalise it.")
    return given


def checked_numbers(
    name: str, table: ArrayLike, shape: tuple[int | None, ...]
) -> NDArray[np.float64]:
    """`table` as finite float64 numbers; None in `shape` fits any size of at least 1.

    Raises:
        ModelError: the shape does not fit, or an entry is not finite.
    """
    wanted = "[" + ", ".join("N" if size is None else str(size) for size in shape) + "]"
    given = number_array(name, table, wanted)
    fits = given.ndim == len(shape) and all(
        got > 0 if size is None else got == size
        for got, size in zip(given.shape, shape, strict=True)
    )
    if not fits:
        raise ModelError(f"{name} has shape {list(given.shape)}, expected {wanted}")
    if not np.isfinite(given).all():
        where = [int(index) for index in np.argwhere(~np.isfinite(given))[0]]
        raise ModelError(f"{name}{where} is {given[tuple(where)]}, expected a finite number")
    return given
