"""Choices between ways to leave a place, as the solvers of long runs take them."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["Moves", "chain_of", "moves_between"]


class Moves(NamedTuple):
    """Choices between ways to leave n places; the chance to stay is what is missing to 1."""

    choice_start: NDArray[np.int64]
    """[n + 1] first choice of every place."""
    start: NDArray[np.int64]
    """[C + 1] first transition of every choice."""
    following: NDArray[np.int64]
    """[N] place it leads to, other than its own."""
    chance: NDArray[np.float64]
    """[N] in (0, 1]."""


def moves_between(
    owner: NDArray[np.int64],
    edges: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]],
    places: int,
) -> Moves:
    """Choices of `owner`, ascending, and their transitions by choice, ascending too."""
    row, following, chance = edges
    return Moves(
        np.searchsorted(owner, np.arange(places + 1)).astype(np.int64),
        np.searchsorted(row, np.arange(len(owner) + 1)).astype(np.int64),
        following.astype(np.int64),
        np.ascontiguousarray(chance),
    )


@numba.njit(cache=True, nogil=True, error_model="numpy")
def chain_of(
    moves: Moves, policy: NDArray[np.int64], order: NDArray[np.int64]
) -> NDArray[np.float64]:
    """[n, n] what the policy does, every place at its position `order [n]`."""
    found = np.zeros((len(policy), len(policy)))
    for place in range(len(policy)):
        choice = policy[place]
        for entry in range(moves.start[choice], moves.start[choice + 1]):
            found[order[place], order[moves.following[entry]]] += moves.chance[entry]
    return found
