"""What every solver of the package wants to know of a process, found out once.

S states, A actions, C choices, N transitions. A choice is an action less its duplicates: actions
of a state with equal successors and probabilities are one choice. States are renumbered so that
successors come first (`state_order`); "internal" arrays are in that order, and `order` leads back.
The chance to stay in the same state is split from the transitions to other states.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.state_order import successors_first

__all__ = ["Structure", "analyse_structure"]


@dataclass(frozen=True, eq=False)
class Structure:
    """A process renumbered and stripped of duplicates. S states, A actions, C choices."""

    order: NDArray[np.int64]
    """[S] the original state at every internal position."""
    position: NDArray[np.int64]
    """[S] the internal position of every original state."""
    choice_start: NDArray[np.uint32]
    """[S + 1] first choice of every internal state; every state has one at least."""
    transition_start: NDArray[np.uint32]
    """[C + 1] first transition of every choice; a choice that only stays has none."""
    next_state: NDArray[np.uint32]
    """[N] internal successor, other than the state itself, ascending inside a choice."""
    probability: NDArray[np.float64]
    """[N] in (0, 1]."""
    stay: NDArray[np.float64]
    """[C] probability of staying in the same state, in [0, 1]."""
    move_start: NDArray[np.uint32]
    """[S + 1] first transition of every internal state: those of its choices lie in a row."""
    choice: NDArray[np.int32]
    """[S, A] the choice that an action is, by internal state; -1 where it may not be taken."""
    deterministic: bool
    """Every choice has one successor, with a probability of exactly 1."""
    acyclic: bool
    """No cycle but staying: in internal order every successor comes before its state."""
    n_components: int
    """Strongly connected components; as many as states if and only if `acyclic`."""

    @property
    def n_states(self) -> int:
        """S."""
        return len(self.order)

    @property
    def n_choices(self) -> int:
        """C, at most S A."""
        return len(self.stay)


def analyse_structure(mdp: FiniteMDP, allowed: NDArray[np.bool_]) -> Structure:
    """The structure of `mdp` with the `allowed [S, A]` actions. O(transitions).

    >>> loop = FiniteMDP.from_coo(2, 2, [(0, 0, 1, 1), (0, 1, 1, 1), (1, 0, 1, 1)])
    >>> found = analyse_structure(loop, loop.available)
    >>> found.order.tolist(), found.choice.tolist(), found.stay.tolist(), found.acyclic
    ([1, 0], [[0, -1], [1, 1]], [1.0, 0.0], True)
    """
    order = successors_first(mdp.row_start, mdp.next_state, allowed)
    position = np.empty_like(order)
    position[order] = np.arange(len(order))
    choice = np.full(allowed.shape, -1, np.int32)
    sizes = np.zeros((3, len(order)), np.int64)
    _find_choices(mdp.row_start, mdp.next_state, mdp.probability, allowed, order, choice, sizes)
    n_choices, n_moves, uncertain = sizes[:, -1] if len(order) else (0, 0, 0)
    starts = np.concatenate([np.zeros((2, 1), np.int64), sizes[:2]], axis=1).astype(np.uint32)
    filled = (
        np.zeros(n_choices + 1, np.uint32),
        np.zeros(n_moves, np.uint32),
        np.zeros(n_moves, np.float64),
        np.zeros(n_choices, np.float64),
    )
    _fill_transitions(
        (mdp.row_start, mdp.next_state, mdp.probability), order, position, choice, filled
    )
    transition_start, next_state, probability, stay = filled
    acyclic, n_components = _components(starts[1], next_state)
    return Structure(
        order=order,
        position=position,
        choice_start=np.ascontiguousarray(starts[0]),
        transition_start=transition_start,
        next_state=next_state,
        probability=probability,
        stay=stay,
        move_start=np.ascontiguousarray(starts[1]),
        choice=choice,
        deterministic=not uncertain,
        acyclic=acyclic,
        n_components=n_components,
    )


def _components(move_start: NDArray[np.uint32], next_state: NDArray[np.uint32]) -> tuple[bool, int]:
    n_states = len(move_start) - 1
    owner = np.repeat(np.arange(n_states, dtype=np.uint32), np.diff(move_start))
    if (next_state < owner).all():
        return True, n_states
    edges = np.ones(len(next_state), np.int8)
    graph = sp.csr_array(
        (edges, next_state.astype(np.int32), move_start.astype(np.int32)),
        shape=(n_states, n_states),
    )
    return False, int(connected_components(graph, connection="strong", return_labels=False))


@numba.njit(cache=True, nogil=True)
def _same(
    row_start: NDArray[np.int64],
    next_state: NDArray[np.int64],
    probability: NDArray[np.float64],
    one: int,
    other: int,
) -> bool:
    first, second = row_start[one], row_start[other]
    length = row_start[one + 1] - first
    if row_start[other + 1] - second != length:
        return False
    for entry in range(length):
        if next_state[first + entry] != next_state[second + entry]:
            return False
        if probability[first + entry] != probability[second + entry]:
            return False
    return True


@numba.njit(cache=True, nogil=True)
def _find_choices(
    row_start: NDArray[np.int64],
    next_state: NDArray[np.int64],
    probability: NDArray[np.float64],
    allowed: NDArray[np.bool_],
    order: NDArray[np.int64],
    choice: NDArray[np.int32],
    sizes: NDArray[np.int64],
) -> None:
    """Fill `choice [S, A]` and, up to every state, the `sizes [3, S]`: choices, moves, doubts."""
    n_actions = allowed.shape[1]
    kept = np.empty(n_actions, np.int64)
    choices, moves, doubts = 0, 0, 0
    for place in range(len(order)):
        state = order[place]
        first = choices
        for action in range(n_actions):
            if not allowed[state, action]:
                continue
            row = state * n_actions + action
            match = first
            while match < choices and not _same(
                row_start, next_state, probability, row, kept[match - first]
            ):
                match += 1
            choice[place, action] = match
            if match < choices:
                continue
            kept[choices - first] = row
            choices += 1
            span = row_start[row + 1] - row_start[row]
            doubts += span != 1 or probability[row_start[row]] != 1.0
            for entry in range(row_start[row], row_start[row + 1]):
                moves += next_state[entry] != state
        sizes[0, place], sizes[1, place], sizes[2, place] = choices, moves, doubts


@numba.njit(cache=True, nogil=True)
def _fill_transitions(
    rows: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]],
    order: NDArray[np.int64],
    position: NDArray[np.int64],
    choice: NDArray[np.int32],
    filled: tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.float64], NDArray[np.float64]],
) -> None:
    row_start, next_state, probability = rows
    transition_start, following, chance, stay = filled
    n_actions = choice.shape[1]
    move, done = 0, 0
    for place in range(len(order)):
        state = order[place]
        for action in range(n_actions):
            if choice[place, action] < done:  # not allowed, or a duplicate
                continue
            row = state * n_actions + action
            begin = move
            for entry in range(row_start[row], row_start[row + 1]):
                if next_state[entry] == state:
                    stay[done] = probability[entry]
                    continue
                # Insertion keeps the renumbered successors of a choice ascending.
                target = position[next_state[entry]]
                slot = move
                while slot > begin and following[slot - 1] > target:
                    following[slot], chance[slot] = following[slot - 1], chance[slot - 1]
                    slot -= 1
                following[slot], chance[slot] = target, probability[entry]
                move += 1
            done += 1
            transition_start[done] = move
