"""Colours that interchangeable states share: a cheap invariant that tells most states apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.mdp.model import FiniteMDP
from offswitch.theory.certificates.certificate import PROBABILITY_DIGITS

__all__ = ["state_colours"]


def state_colours(mdp: FiniteMDP, acts: ArrayLike | None = None) -> NDArray[np.int64]:
    """[S] the coarsest colours under which equal states have equal acts, over `acts [S, A]`.

    Two acts are equal if they lead to each colour with the same probability; two states, if they
    have the same acts, where acts with the very same successors count once. Every isomorphism keeps
    these colours (partition refinement: Paige & Tarjan 1987). O(transitions log transitions) a
    round, at most S rounds and usually few.

    >>> fork = FiniteMDP.from_coo(
    ...     3, 2, [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 1, 1), (2, 0, 2, 1)]
    ... )
    >>> colours = state_colours(fork)
    >>> bool(colours[1] == colours[2]), bool(colours[0] == colours[1])
    (True, False)
    """
    open_acts = mdp.available if acts is None else mdp.available & np.asarray(acts, dtype=np.bool_)
    row = np.repeat(np.arange(open_acts.size), np.diff(mdp.row_start))
    chance = np.unique(np.round(mdp.probability, PROBABILITY_DIGITS), return_inverse=True)[1]
    kept = open_acts.ravel()[row]
    row, to, chance = row[kept], mdp.next_state[kept], chance.ravel()[kept]
    contents = _bags(row, _numbers(to, chance), open_acts.size)
    used = np.flatnonzero(open_acts)
    # Acts with the very same successors count once, whatever their number.
    used = used[np.unique(_numbers(used // mdp.n_actions, contents[used]), return_index=True)[1]]
    owner = used // mdp.n_actions
    colour = np.zeros(mdp.n_states, dtype=np.int64)
    while True:
        acts_now = _bags(row, _numbers(colour[to], chance), open_acts.size)
        states_now = _bags(owner, _numbers(acts_now[used]), mdp.n_states)
        finer = _numbers(colour, states_now)
        if finer.max() == colour.max():
            return colour
        colour = finer


def _numbers(*columns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Equal rows of the columns get equal numbers, from 0, in the order of the rows.

    Column by column: `np.unique` of whole rows takes ten times as long.
    """
    if not len(columns[0]):
        return np.zeros(0, dtype=np.int64)
    numbers = _distinct(columns[0])
    for column in columns[1:]:
        own = _distinct(column)
        numbers = _distinct(numbers * (int(own.max()) + 1) + own)
    return numbers


def _distinct(column: NDArray[np.int64]) -> NDArray[np.int64]:
    numbers: NDArray[np.int64] = np.unique(column, return_inverse=True)[1].ravel()
    return numbers


def _bags(owner: NDArray[np.int64], items: NDArray[np.int64], n_owners: int) -> NDArray[np.int64]:
    """[owners] owners of equal multisets of `items` get equal numbers: sums of 64-bit hashes.

    A collision would only lump states together, which costs the search time and no certificate its
    truth.
    """
    hashed = items.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        hashed = (hashed ^ (hashed >> np.uint64(shift))) * np.uint64(factor)
    sums = np.zeros(n_owners, dtype=np.uint64)
    np.add.at(sums, owner, hashed ^ (hashed >> np.uint64(31)))
    return sums.view(np.int64)
