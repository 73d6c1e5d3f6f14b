"""A process cut into its strongly connected components, successors first.

The optimal values of a component depend on those of the components it can reach, never the other
way round: solved in this order every component meets finished values only, and whatever is slow
about one (a long horizon, a period, several ends) does not slow the others.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from offswitch.mdp.batched.structure import Structure

__all__ = ["Component", "components"]


class Component(NamedTuple):
    """States that reach each other, or a run of states none of which is on a cycle with another.

    n states, C choices. All numbering of states is local except in `exit_state`.
    """

    members: NDArray[np.uint32]
    """[n] internal positions, ascending inside a component; a run is in solving order."""
    choice_start: NDArray[np.uint32]
    """[n + 1] first choice of every state."""
    transition_start: NDArray[np.uint32]
    """[C + 1] first transition of every choice to another state of the component."""
    next_state: NDArray[np.uint32]
    """[N] local number of the successor."""
    probability: NDArray[np.float64]
    """[N] in (0, 1]."""
    stay: NDArray[np.float64]
    """[C] probability of staying in the same state."""
    exit_start: NDArray[np.uint32]
    """[C + 1] first transition of every choice that leaves the component."""
    exit_state: NDArray[np.uint32]
    """[X] internal position of the successor; its value is final when this component's turn is."""
    exit_probability: NDArray[np.float64]
    """[X] in (0, 1]."""

    @property
    def connected(self) -> bool:
        """Whether it is one component with cycles, not a run of single states."""
        return len(self.next_state) > 0

    @property
    def closed(self) -> bool:
        """Whether no choice leaves it."""
        return len(self.exit_state) == 0


def components(structure: Structure) -> tuple[Component, ...]:
    """The components in an order in which successors come first; single states in runs.

    O(transitions + components * S).
    """
    n_states = structure.n_states
    if structure.acyclic:
        return (_component(structure, np.arange(n_states), one=False),)
    starts, edges = structure.move_start, np.ones(len(structure.next_state), np.int8)
    arrays = (edges, structure.next_state.astype(np.int64), starts.astype(np.int64))
    graph = sp.csr_array(arrays, shape=(n_states, n_states))
    _, label = connected_components(graph, connection="strong")
    # In depth-first post-order the last state of a component comes after the last one of every
    # component it leads to (Kosaraju's lemma), whatever lies between.
    last = np.zeros(label.max() + 1, np.int64)
    np.maximum.at(last, label, np.arange(n_states))
    turn = last[label]
    sequence = np.lexsort((np.arange(n_states), turn))
    size = np.bincount(turn, minlength=n_states)[turn[sequence]]
    # A new piece begins with every larger component and wherever a run of single states begins.
    new_turn = np.diff(turn[sequence], prepend=-1) != 0
    begins = new_turn & ((size > 1) | np.concatenate([[True], size[:-1] > 1]))
    cuts = np.append(np.flatnonzero(begins), n_states)
    return tuple(
        _component(structure, sequence[first:end], one=bool(size[first] > 1))
        for first, end in itertools.pairwise(cuts)
    )


def _component(structure: Structure, members: NDArray[np.int64], *, one: bool) -> Component:
    """The piece with these members; `one` component, or a run whose transitions all leave it."""
    local = np.full(structure.n_states if one else 0, -1, np.int64)
    choice_of, choices = _spans(structure.choice_start, members)
    move_of, moves = _spans(structure.transition_start, choices)
    successor = structure.next_state[moves].astype(np.int64)
    inside = np.zeros(len(moves), np.bool_)
    if one:
        local[members] = np.arange(len(members))
        inside = local[successor] >= 0
    chance = structure.probability[moves]
    return Component(
        members=members.astype(np.uint32),
        choice_start=_starts(choice_of, len(members)),
        transition_start=_starts(move_of[inside], len(choices)),
        next_state=local[successor[inside]].astype(np.uint32),
        probability=chance[inside],
        stay=structure.stay[choices],
        exit_start=_starts(move_of[~inside], len(choices)),
        exit_state=successor[~inside].astype(np.uint32),
        exit_probability=chance[~inside],
    )


def _spans(
    start: NDArray[np.uint32], rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The entries of the given rows one after another: whose each is (0, 1, ...), and which."""
    first = start[rows].astype(np.int64)
    length = start[rows + 1].astype(np.int64) - first
    owner = np.repeat(np.arange(len(rows)), length)
    begin = np.concatenate([[0], np.cumsum(length)])[:-1]
    return owner, np.arange(len(owner)) - begin[owner] + first[owner]


def _starts(owner: NDArray[np.int64], rows: int) -> NDArray[np.uint32]:
    counted = np.cumsum(np.bincount(owner, minlength=rows))
    return np.concatenate([[0], counted]).astype(np.uint32)
