"""Where a process can stay for ever, and what it can be made to reach: graph facts about supports.

Probabilities matter here only through being positive. Baier & Katoen 2008, sections 10.6.1-10.6.3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.csgraph import connected_components

from offswitch.mdp.model import FiniteMDP

__all__ = ["EndComponents", "closure", "end_components", "surely_reaching"]


@dataclass(frozen=True, eq=False)
class EndComponents:
    """The maximal sets in which some policy can stay for ever, visiting all of each."""

    label: NDArray[np.int64]
    """[S] number of the component of each state, from 0; -1 where no policy can stay."""
    inside: NDArray[np.bool_]
    """[S, A] acts that surely stay in the component of their state."""

    @property
    def states(self) -> NDArray[np.bool_]:
        """[S] states of some component: wherever a policy settles, it settles here."""
        held: NDArray[np.bool_] = self.label >= 0
        return held


def end_components(mdp: FiniteMDP, acts: ArrayLike | None = None) -> EndComponents:
    """The maximal end components of the process in which only `acts [S, A]` may be taken.

    States without an act are in none. O(rounds x transitions), at most S rounds.

    >>> line = FiniteMDP.from_coo(2, 2, [(0, 0, 0, 1.0), (0, 1, 1, 1.0), (1, 0, 1, 1.0)])
    >>> found = end_components(line)
    >>> found.label.tolist(), found.inside.tolist()
    ([0, 1], [[True, False], [True, False]])
    """
    inside = mdp.available if acts is None else mdp.available & np.asarray(acts, dtype=np.bool_)
    row = np.repeat(np.arange(mdp.n_states * mdp.n_actions), np.diff(mdp.row_start))
    source = row // mdp.n_actions
    while True:
        edge = inside.ravel()[row]
        graph = sp.coo_array(
            (np.ones(edge.sum()), (source[edge], mdp.next_state[edge])),
            shape=(mdp.n_states, mdp.n_states),
        )
        _, label = connected_components(graph.tocsr(), directed=True, connection="strong")
        leaving = np.zeros(inside.size, dtype=np.bool_)
        leaving[row[edge & (label[source] != label[mdp.next_state])]] = True
        kept = inside & ~leaving.reshape(inside.shape)
        if (kept == inside).all():
            break
        inside = kept
    held = inside.any(axis=1)
    numbers = np.full(mdp.n_states, -1, dtype=np.int64)
    # A state may share a strong component with no act of its own left only if it is alone in it.
    numbers[held] = np.unique(label[held], return_inverse=True)[1].ravel()
    return EndComponents(label=numbers, inside=inside)


def closure(mdp: FiniteMDP, states: ArrayLike, acts: ArrayLike | None = None) -> NDArray[np.bool_]:
    """[S] states reachable with positive probability from `states [S]` by `acts [S, A]`.

    The given states are included. O(transitions).
    """
    open_acts = mdp.available if acts is None else mdp.available & np.asarray(acts, dtype=np.bool_)
    seen = np.array(states, dtype=np.bool_)
    fresh = [int(state) for state in np.flatnonzero(seen)]
    while fresh:
        state = fresh.pop()
        for action in np.flatnonzero(open_acts[state]):
            following = mdp.successors(state, int(action))[0]
            new = following[~seen[following]]
            seen[new] = True
            fresh.extend(int(other) for other in new)
    return seen


def surely_reaching(
    mdp: FiniteMDP, targets: ArrayLike, acts: ArrayLike | None = None
) -> NDArray[np.bool_]:
    """[S] states from which a policy over `acts [S, A]` reaches `targets [S]` with probability 1.

    Repeatedly keeps the states that can reach a target while surely staying among those kept.
    O(S x transitions) at worst.

    >>> rows = [(0, 0, 0, 0.5), (0, 0, 1, 0.5), (1, 0, 1, 1), (2, 0, 2, 1)]
    >>> fork = FiniteMDP.from_coo(3, 1, rows)
    >>> surely_reaching(fork, [False, True, False]).tolist()
    [True, True, False]
    """
    aim = np.asarray(targets, dtype=np.bool_)
    open_acts = mdp.available if acts is None else mdp.available & np.asarray(acts, dtype=np.bool_)
    kept = np.ones(mdp.n_states, dtype=np.bool_)
    while True:
        lost = (mdp.matrix @ (~kept).astype(np.float64)).reshape(open_acts.shape) > 0
        usable = open_acts & ~lost
        reach = _backward(mdp, aim & kept, usable)
        if (reach == kept).all():
            return kept
        kept = reach


def _backward(
    mdp: FiniteMDP, aim: NDArray[np.bool_], usable: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    row = np.repeat(np.arange(usable.size), np.diff(mdp.row_start))
    edge = usable.ravel()[row]
    source, to = row[edge] // mdp.n_actions, mdp.next_state[edge]
    order = np.argsort(to, kind="stable")
    source, first = source[order], np.searchsorted(to[order], np.arange(mdp.n_states + 1))
    seen = aim.copy()
    fresh = [int(state) for state in np.flatnonzero(seen)]
    while fresh:
        state = fresh.pop()
        for before in source[first[state] : first[state + 1]]:
            if not seen[before]:
                seen[before] = True
                fresh.append(int(before))
    return seen
