"""Involutions under which the places where one option can settle lie among those of another.

At discount 1 only recurrent state distributions count. Whatever the policy, it settles in end
components, and its average reward is a mean of those of stationary distributions inside them. Let
phi carry the acts that stay inside the end components after a' to acts, and let a policy beginning
with a reach the image of each component with probability 1. Then every stationary distribution of
a' becomes one that a can settle in, and mixtures of them lie in the convex hull, which has the same
maxima: for the comparison, RSD(s | a) contains a copy of RSD(s | a') (Turner et al. 2021, Prop.
6.12, Thm 6.13). What comes before the end components does not matter. The theorem's disjointness is
met by moving no state in which any remaining act of s can settle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.model import FiniteMDP
from offswitch.theory.certificates.certificate import Witness
from offswitch.theory.certificates.embedding import Budget, Embedding, Rows
from offswitch.theory.certificates.transition_symmetry import find_involution, witness_of
from offswitch.theory.long_run.end_components import (
    EndComponents,
    closure,
    end_components,
    surely_reaching,
)

__all__ = ["Settling", "ending_witnesses", "settling", "settling_witness", "stays"]


@dataclass(frozen=True, eq=False)
class Settling:
    """Where the policies that keep to some acts can settle, from one state on."""

    state: int
    acts: NDArray[np.bool_]
    """[S, A] the acts they may take."""
    inside: NDArray[np.bool_]
    """[S, A] acts that stay in an end component that can be reached."""
    label: NDArray[np.int64]
    """[S] number of the end component, -1 outside those that can be reached."""

    @property
    def states(self) -> NDArray[np.bool_]:
        """[S] the states of those end components."""
        held: NDArray[np.bool_] = self.label >= 0
        return held


def settling(mdp: FiniteMDP, state: int, acts: NDArray[np.bool_]) -> Settling:
    """Where the policies over `acts [S, A]` can settle from `state`."""
    start = np.zeros(mdp.n_states, dtype=np.bool_)
    start[state] = True
    reached = closure(mdp, start, acts)
    found: EndComponents = end_components(mdp, acts & reached[:, None])
    return Settling(state, acts, found.inside, found.label)


def settling_witness(
    mdp: FiniteMDP,
    less: Settling,
    more: Settling,
    *,
    fixed: NDArray[np.bool_],
    rows: Rows,
    budget: Budget,
    action: int | None,
) -> Witness | None:
    """An involution that carries every end component of `less` onto a part of one of `more`.

    It moves no `fixed [S]` state, and each image is reached from `more.state` with probability 1.

    Raises:
        BudgetError: the budget ran out first.
    """
    _, first = np.unique(less.label, return_index=True)
    roots = tuple(int(x) for x in first if less.label[x] >= 0)
    candidates = more.states
    while True:
        task = Embedding(
            mdp,
            needed=less.inside,
            usable=more.inside & candidates[:, None],
            roots=roots,
            candidates=candidates,
            fixed=fixed,
        )
        phi = find_involution(task, rows, budget)
        if phi is None:
            return None
        missed = _missed(mdp, more, {int(more.label[phi[root]]) for root in roots})
        if missed is None:
            return witness_of(task, phi, rows, action)
        candidates = candidates & (more.label != missed)


def _missed(mdp: FiniteMDP, more: Settling, labels: set[int]) -> int | None:
    """An end component of `labels` that no policy surely reaches; None if there is none.

    Whoever reaches an end component can go on, inside, to any part of it.
    """
    for label in sorted(labels):
        if not surely_reaching(mdp, more.label == label, more.acts)[more.state]:
            return label
    return None


def ending_witnesses(mdp: FiniteMDP, state: int, ending: int) -> list[Witness]:
    """Swaps of `ending` with every other state in which a policy from `state` can surely end.

    Such a state has an act that surely stays (a 1-cycle), and is reached with probability 1. By
    Cor. 6.14 and copies.py there are n goals that settle elsewhere for each that settles in
    `ending`, n the number of swaps: a swap makes the other state worth what `ending` was.
    """
    others = [
        other
        for other in range(mdp.n_states)
        if other != ending and stays(mdp, other) and _ends_in(mdp, state, other)
    ]
    return [Witness(None, ((min(ending, other), max(ending, other)),), ()) for other in others]


def stays(mdp: FiniteMDP, state: int) -> bool:
    """Whether some act in `state` surely stays there."""
    return any(
        mdp.successors(state, int(act))[0].tolist() == [state]
        for act in np.flatnonzero(mdp.available[state])
    )


def _ends_in(mdp: FiniteMDP, state: int, target: int) -> bool:
    aim = np.zeros(mdp.n_states, dtype=np.bool_)
    aim[target] = True
    return bool(surely_reaching(mdp, aim)[state])
