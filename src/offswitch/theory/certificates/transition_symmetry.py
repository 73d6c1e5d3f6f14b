"""Involutions of the states under which one option's process lies inside another's.

The sufficient condition for "F(s | pi(s) = a) contains a copy of F(s | pi(s) = a')" (Turner et al.
2021, Props 6.6 and 6.9). Let phi fix s and carry row (s, a') to (s, a), and for every x reachable
after a' let psi_x map acts so that T(phi(x), psi_x(b), phi(y)) = T(x, b, y) for all y. A policy pi
with pi(s) = a' then has a twin with twin(s) = a and twin(phi(x)) = psi_x(pi(x)), and its visits are
f^{twin, s} = P_phi f^{pi, s} at every discount. So P_phi F_{a'} is a subset of F_a.

Prop. 6.9 (2) asks besides that s reaches REACH(s, a') and REACH(s, a) only by acts equivalent to
the two. We ask less: that phi also carries what the remaining acts of s lead to into F(s), which
holds under the paper's condition, where phi may fix those states. It suffices: let a' be optimal
for r and a not. Then under phi r act a does as well as a' under r, a' as well as something of F_a
under r, which is less, and the remaining acts no better than the best under r. So phi turns a goal
for which only a' is optimal into one for which only a is. If a' is so with greater probability
under D, a is under phi D.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import maximum_bipartite_matching

from offswitch.mdp.model import FiniteMDP
from offswitch.theory.certificates.certificate import Witness
from offswitch.theory.certificates.colours import state_colours
from offswitch.theory.certificates.embedding import Budget, Embedding, Rows, search
from offswitch.theory.certificates.simulation import placeable_pairs
from offswitch.theory.long_run.end_components import closure

__all__ = ["Choice", "act_embedding", "find_involution", "state_embedding", "witness_of"]

MOST_PAIRS = 100_000
"""Pairs of states compared before the search; beyond it the search goes without."""


@dataclass(frozen=True, eq=False)
class Choice:
    """The acts of one state sorted by their part in a question, and what each leads to."""

    mdp: FiniteMDP
    state: int
    actions: tuple[int, ...]
    other: int
    rest: tuple[int, ...]
    """Acts whose successors differ from those of `other` and of all `actions`."""

    def after(self, actions: Sequence[int]) -> NDArray[np.bool_]:
        """[S] states visited after any of the acts of `state`, which keeps to that act."""
        reached = np.zeros(self.mdp.n_states, dtype=np.bool_)
        for action in actions:
            first = np.zeros(self.mdp.n_states, dtype=np.bool_)
            first[self.mdp.successors(self.state, action)[0]] = True
            reached |= closure(self.mdp, first, self.keeping(action))
        return reached

    def keeping(self, action: int) -> NDArray[np.bool_]:
        """[S, A] the acts of policies that take `action` in `state`."""
        acts = self.mdp.available
        acts[self.state] = False
        acts[self.state, action] = True
        return acts


def act_embedding(
    choice: Choice,
    action: int,
    *,
    others_too: bool,
    to_themselves: bool = False,
    fixed: NDArray[np.bool_] | None = None,
) -> Embedding:
    """What phi must do for `action` to contain a copy of the other act.

    With `others_too` phi must also carry what the remaining acts lead to into the process; with
    `to_themselves` each of those acts to one of them, as several copies need (copies.py).
    """
    mdp, state = choice.mdp, choice.state
    rest = choice.rest if others_too else ()
    needed = mdp.available & choice.after((choice.other, *rest))[:, None]
    needed[state] = False
    needed[state, list(rest)] = True
    usable = mdp.available
    if to_themselves:
        # No remaining act becomes `action`: the other act does, and phi keeps different rows apart.
        usable[state] = False
        usable[state, [*rest, action]] = True
    return Embedding(
        mdp,
        needed=needed,
        usable=usable,
        placed=((state, state),),
        forced=((state, choice.other, action),),
        fixed=fixed,
    )


def state_embedding(mdp: FiniteMDP, state: int, other: int) -> Embedding:
    """What phi must do for F(state) to contain a copy of F(other)."""
    start = np.zeros(mdp.n_states, dtype=np.bool_)
    start[other] = True
    needed = mdp.available & closure(mdp, start)[:, None]
    return Embedding(mdp, needed=needed, usable=mdp.available, placed=((other, state),))


def find_involution(task: Embedding, rows: Rows, budget: Budget) -> dict[int, int] | None:
    """The involution that `task` asks for, or None if there is none.

    First only among states of the same colour, which finds isomorphic options at once even among
    thousands of states; then among all pairs that can be placed at all.

    Raises:
        BudgetError: the budget ran out first.
    """
    colour = state_colours(task.mdp, task.needed | task.usable)
    found = search(task, rows, budget, lambda x, y: bool(colour[x] == colour[y]))
    if found is not None:
        return found
    able = placeable_pairs(task, rows, _root_pairs(task, rows), most=MOST_PAIRS)
    if able is not None and not _matched(task, able):
        return None
    return search(task, rows, budget, lambda x, y: able is None or (x, y) in able)


def _matched(task: Embedding, able: set[tuple[int, int]]) -> bool:
    """Whether all states that must be placed could be on different states at once.

    Pairs look at one state at a time; this sees that many cannot share few places, which the search
    would only find by trying every way.
    """
    must: NDArray[np.bool_] = np.asarray(task.needed.any(axis=1))
    pairs = np.array([(x, y) for x, y in able if must[x]], dtype=np.int64).reshape(-1, 2)
    shape = (task.mdp.n_states, task.mdp.n_states)
    graph = sp.csr_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=shape)
    return bool((maximum_bipartite_matching(graph, perm_type="column")[must] >= 0).all())


def _root_pairs(task: Embedding, rows: Rows) -> set[tuple[int, int]]:
    pairs = set(task.placed)
    for state, action, image in task.forced:
        to = dict(task.placed)[state]
        pairs |= {(u, v) for u in rows(state, action) for v in rows(to, image)}
    candidates = task.candidates
    onto = range(task.mdp.n_states) if candidates is None else np.flatnonzero(candidates)
    return pairs | {(root, int(to)) for root in task.roots for to in onto}


def witness_of(task: Embedding, phi: dict[int, int], rows: Rows, action: int | None) -> Witness:
    """The involution as a witness, with the acts that change their number under it."""
    forced = {(x, b): c for x, b, c in task.forced}
    relabelled = []
    for state, act in np.argwhere(task.needed).tolist() + [list(key) for key in forced]:
        to = phi.get(state, state)
        wanted = {phi.get(y, y): p for y, p in rows(state, act).items()}
        usable = np.flatnonzero(task.usable[to]).tolist()
        images = [forced[state, act]] if (state, act) in forced else [
            other for other in usable if rows(to, other) == wanted
        ]  # fmt: skip
        if act not in images:
            relabelled.append((state, act, images[0]))
    swaps = sorted((x, y) for x, y in phi.items() if x < y)
    return Witness(action, tuple(swaps), tuple(sorted(relabelled)))
