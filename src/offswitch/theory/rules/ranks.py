"""The order of action values, with ties joined."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.numbers import number_array

__all__ = ["RELATIVE_TIE", "checked_values", "value_ranks"]

RELATIVE_TIE = 1e-9
"""Of the largest finite |value| of the same choice: closer values count as equal."""


def value_ranks(values: ArrayLike) -> NDArray[np.int64]:
    """[..., A] the rank of each action, 0 for the worst; equal ranks are ties, -1 is unavailable.

    Neighbours in the order that differ by at most 1e-9 of the largest value share a rank, so
    being tied is transitive and does not depend on what the actions are called. O(A log A) each.

    >>> value_ranks([[0.3, 0.7, 0.7, -np.inf]]).tolist()
    [[0, 1, 1, -1]]

    Raises:
        ModelError: as `checked_values`.
    """
    worth = checked_values(values)
    open_ = np.isfinite(worth)
    slack = RELATIVE_TIE * np.abs(np.where(open_, worth, 0)).max(axis=-1, keepdims=True)
    order = np.argsort(worth, axis=-1, kind="stable")  # the unavailable come first
    ascending = np.take_along_axis(worth, order, axis=-1)
    finite = np.isfinite(ascending)
    below = np.where(finite, ascending, 0.0)
    # From an unavailable action to the worst available one is no step between values.
    step = finite[..., :-1] & (np.diff(below, axis=-1) > slack)
    climbed = np.concatenate(
        [np.zeros((*worth.shape[:-1], 1), np.int64), np.cumsum(step, axis=-1)], axis=-1
    )
    ranks = np.empty(worth.shape, dtype=np.int64)
    np.put_along_axis(ranks, order, np.where(finite, climbed, -1), axis=-1)
    return ranks


def checked_values(values: ArrayLike) -> NDArray[np.float64]:
    """`values [..., A]` as float64; -inf marks an unavailable action.

    Raises:
        ModelError: a value is NaN or +inf, or a choice has no available action.
    """
    worth = number_array("values", values, "[..., A]")
    if worth.ndim == 0 or worth.shape[-1] == 0:
        raise ModelError(f"values have shape {worth.shape}, expected [..., A] with an action")
    wrong = np.isnan(worth) | np.isposinf(worth)
    if wrong.any():
        where = tuple(int(index) for index in np.argwhere(wrong)[0])
        raise ModelError(
            f"values{list(where)} is {worth[where]}, expected a finite number, or -inf for an "
            "unavailable action"
        )
    stuck = ~np.isfinite(worth).any(axis=-1)
    if stuck.any():
        raise ModelError(
            f"{int(stuck.sum())} of {stuck.size} choices have no available action: every value is "
            "-inf. Give at least one action a finite value."
        )
    return worth
