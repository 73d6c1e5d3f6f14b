"""Whether a certificate is true, from the definitions: dense arrays, and policies one by one.

Slow and small on purpose, and written without looking at either the search or the checker.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.model import FiniteMDP
from offswitch.theory.certificates.certificate import (
    THEOREMS,
    Certificate,
    Witness,
    process_digest,
    statement_of,
)

ACTS = ("optimality", "power", "average-optimality")
Pairs = set[tuple[int, int]]


def dense(mdp: FiniteMDP) -> NDArray[np.float64]:
    shape = (mdp.n_states, mdp.n_actions, mdp.n_states)
    return np.round(mdp.matrix.toarray().reshape(shape), 12)


def policies(T: NDArray[np.float64], **kept: int):
    acts = [[a for a in range(T.shape[1]) if T[x, a].any()] for x in range(len(T))]
    for name, action in kept.items():
        acts[int(name[1:])] = [action]
    return itertools.product(*acts)


def reached(P: NDArray[np.float64], start: set[int]) -> set[int]:
    """States visited from `start`, which counts."""
    power = np.linalg.matrix_power(np.eye(len(P)) + (P > 0), len(P))
    return {x for s in start for x in np.flatnonzero(power[s]).tolist()}


def pairs_of(T: NDArray[np.float64], start: set[int], *, recurrent: bool, **kept: int) -> Pairs:
    """(x, b) that some policy takes, from `start`; only those taken for ever if `recurrent`."""
    pairs: Pairs = set()
    for policy in policies(T, **kept):
        P = T[np.arange(len(T)), list(policy)]
        for x in reached(P, start):
            if not recurrent or all(x in reached(P, {y}) for y in reached(P, {x})):
                pairs.add((x, policy[x]))
    return pairs


def parts_of(T: NDArray[np.float64], pairs: Pairs) -> list[set[int]]:
    """The states of `pairs`, sorted into those that reach one another."""
    step = np.zeros((len(T), len(T)))
    for x, b in pairs:
        step[x] += T[x, b]
    near = {x: reached(step, {x}) for x, _ in pairs}
    return [set(part) for part in {frozenset(y for y in near if x in near[y] and y in near[x])
                                   for x in near}]  # fmt: skip


def surely(T: NDArray[np.float64], start: int, target: set[int], **kept: int) -> bool:
    """Whether some policy meets `target` from `start` with probability 1."""
    for policy in policies(T, **kept):
        P = T[np.arange(len(T)), list(policy)]
        P[sorted(target)] = np.eye(len(T))[sorted(target)]
        if all(reached(P, {x}) & target for x in reached(P, {start})):
            return True
    return False


def joined_by_rounding(mdp: FiniteMDP) -> bool:
    """Whether two chances of the process differ, but not in the first 12 decimals."""
    pairs = itertools.combinations(sorted(set(mdp.probability.tolist())), 2)
    return any(np.round(one, 12) == np.round(other, 12) for one, other in pairs)


def well_formed(mdp: FiniteMDP, c: Certificate) -> bool:
    S, A = mdp.n_states, mdp.n_actions
    acts = c.theorem in ACTS
    said = statement_of(
        c.theorem,
        c.state,
        c.actions,
        c.other,
        copies=c.copies,
        strict=c.strict_state is not None,
        rounded=joined_by_rounding(mdp),
    )
    return (
        c.theorem in THEOREMS
        and c.process == process_digest(mdp)
        and 0 <= c.state < S
        and 0 <= c.other < (A if acts else S)
        and all(0 <= a < A for a in c.actions)
        and len({*c.actions, c.other}) == len(c.actions) + 1
        and bool(c.actions) == acts
        and (c.strict_state is None or 0 <= c.strict_state < S)
        and c.copies == len(c.witnesses) >= 1
        and (c.copies == 1 or c.theorem not in ("power", "state-power"))
        and c.statement == said
        and all(involution(S, w.swaps) is not None for w in c.witnesses)
        and all(w.action in c.actions if acts else w.action is None for w in c.witnesses)
        and all(len({r[:2] for r in w.relabelled}) == len(w.relabelled) for w in c.witnesses)
    )


def involution(n: int, swaps: tuple[tuple[int, int], ...]) -> list[int] | None:
    flat = [x for pair in swaps for x in pair]
    if sorted(set(flat)) != sorted(flat) or not set(flat) <= set(range(n)):
        return None
    phi = list(range(n))
    for x, y in swaps:
        phi[x], phi[y] = y, x
    return phi


class Terms(NamedTuple):
    """What the theorem asks of every witness."""

    needed: Pairs
    copied: set[int]
    kept: set[int]
    gained: set[int]
    parts: list[set[int]]


class Theorems:
    """The terms of each theorem for one state and its acts; None where a condition fails."""

    def __init__(self, T: NDArray[np.float64], c: Certificate) -> None:
        self.T, self.c, self.s = T, c, c.state
        self.name = f"s{c.state}"

    def same(self, a: int, b: int) -> bool:
        return bool((self.T[self.s, a] == self.T[self.s, b]).all())

    def third(self) -> list[int]:
        named = (*self.c.actions, self.c.other)
        able = [a for a in range(self.T.shape[1]) if self.T[self.s, a].any()]
        return [a for a in able if not any(self.same(a, b) for b in named)]

    def after(self, a: int) -> Pairs:
        """What is done after act `a` of s by those who keep to it whenever they are back."""
        first = set(np.flatnonzero(self.T[self.s, a]).tolist())
        return pairs_of(self.T, first, recurrent=False, **{self.name: a})

    def visits_of_third(self) -> NDArray[np.float64]:
        """[F, S] what the acts not compared can do, at a discount at which nothing coincides."""
        start, eye = np.eye(len(self.T))[self.s], np.eye(len(self.T))
        chains = [
            self.T[np.arange(len(self.T)), list(policy)]
            for a in self.third()
            for policy in policies(self.T, **{self.name: a})
        ]
        return np.array([np.linalg.solve((eye - 0.37 * P).T, start) for P in chains])

    def for_ever(self, a: int) -> Pairs:
        return pairs_of(self.T, {self.s}, recurrent=True, **{self.name: a})

    def acts_compared(self) -> bool:
        c = self.c
        able = all(self.T[self.s, a].any() for a in (*c.actions, c.other))
        return able and not any(self.same(a, c.other) for a in c.actions)

    def optimality(self) -> Terms | None:
        if not self.acts_compared():
            return None
        c, s, third = self.c, self.s, self.third()
        done = self.after(c.other).union(*(self.after(a) for a in third))
        needed = {(x, b) for x, b in done if x != s} | {(s, a) for a in [*third, c.other]}
        excluded = {s}.union(*(states(self.after(a)) for a in third))
        gained = set().union(*(states(self.after(a)) for a in c.actions)) - excluded
        return Terms(needed, states(self.after(c.other)) | {s}, {s}, gained, [])

    def power(self) -> Terms | None:
        c, s = self.c, self.s
        if not self.acts_compared() or len(c.actions) > 1:
            return None
        done = self.after(c.other)
        if s in states(done):
            return None
        first = set(np.flatnonzero(self.T[s, c.actions[0]]).tolist())
        gained = states(pairs_of(self.T, first, recurrent=False))
        return Terms(done | {(s, c.other)}, states(done), {s}, gained, [])

    def average_optimality(self) -> Terms | None:
        if not self.acts_compared():
            return None
        needed = self.for_ever(self.c.other)
        kept = set().union(*(states(self.for_ever(a)) for a in self.third()))
        gained = set().union(*(states(self.for_ever(a)) for a in self.c.actions)) - kept
        return Terms(needed, states(needed), kept, gained, parts_of(self.T, needed))

    def state_power(self) -> Terms | None:
        if any(phi[self.c.other] != self.s for phi in phis(self.T, self.c)):
            return None
        needed = pairs_of(self.T, {self.c.other}, recurrent=False)
        gained = states(pairs_of(self.T, {self.s}, recurrent=False))
        return Terms(needed, states(needed), set(), gained, [])

    def average_state_power(self) -> Terms | None:
        needed = pairs_of(self.T, {self.c.other}, recurrent=True)
        gained = states(pairs_of(self.T, {self.s}, recurrent=True))
        return Terms(needed, states(needed), set(), gained, parts_of(self.T, needed))

    def ending(self) -> Terms | None:
        c, images = self.c, phis(self.T, self.c)
        if any(phi[c.other] == c.other for phi in images) or any(
            len(w.swaps) != 1 for w in c.witnesses
        ):
            return None
        for y in {c.other, *(phi[c.other] for phi in images)}:
            stays = any(self.T[y, a, y] == 1 for a in range(self.T.shape[1]))
            if not stays or not surely(self.T, self.s, {y}):
                return None
        gained = states(pairs_of(self.T, {self.s}, recurrent=True))
        return Terms(set(), {c.other}, set(), gained, [])


def states(pairs: Pairs) -> set[int]:
    return {x for x, _ in pairs}


def phis(T: NDArray[np.float64], c: Certificate) -> list[list[int]]:
    return [involution(len(T), w.swaps) for w in c.witnesses]


def carries(
    T: NDArray[np.float64], c: Certificate, terms: Terms, witness: Witness, phi: list[int]
) -> bool:
    """Whether the witness does what the theorem asks."""
    s, psi = c.state, {(x, b): to for x, b, to in witness.relabelled}
    if not set(psi) <= terms.needed or any(phi[x] != x for x in terms.kept):
        return False
    named = psi.get((s, c.other), c.other) == witness.action
    if c.theorem in ("optimality", "power") and not named:
        return False
    P = np.eye(len(T))[phi]
    for x, b in terms.needed:
        to = psi.get((x, b), b)
        if not 0 <= to < T.shape[1] or (T[phi[x], to] != P @ T[x, b]).any():
            return False
        bound = c.theorem == "average-optimality" and phi[x] == s
        if bound and (T[s, to] != T[s, witness.action]).any():
            return False
    keeping = {f"s{s}": witness.action} if c.theorem in ACTS else {}
    return all(surely(T, s, {phi[x] for x in part}, **keeping) for part in terms.parts)


def keeps_third(theorems: Theorems, images: list[list[int]]) -> bool:
    """Whether phi C = C for each witness, C all that the acts not compared can do."""
    C = theorems.visits_of_third()
    there = {tuple(np.round(f, 9)) for f in C}
    return all({tuple(np.round(f[phi], 9)) for f in C} == there for phi in images)


def is_true(mdp: FiniteMDP, c: Certificate) -> bool:
    """Whether all that the certificate says is so."""
    if not well_formed(mdp, c):
        return False
    T = dense(mdp)
    theorems = Theorems(T, c)
    terms: Terms | None = getattr(theorems, c.theorem.replace("-", "_"))()
    if terms is None:
        return False
    images = phis(T, c)
    if c.theorem == "optimality" and c.copies > 1 and not keeps_third(theorems, images):
        return False
    pairs = itertools.permutations(images, 2)
    taken = terms.copied | {phi[x] for phi in images for x in terms.copied}
    return (
        all(carries(T, c, terms, *both) for both in zip(c.witnesses, images, strict=True))
        and all(one[other[x]] == other[x] for one, other in pairs for x in terms.copied)
        and (c.strict_state is None or c.strict_state in terms.gained - taken)
    )
