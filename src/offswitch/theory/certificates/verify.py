"""A small checker of certificates: it shares no code with the search, only the types.

It recomputes what can be reached and where policies can settle, and compares successor rows one by
one: O(copies x transitions) beyond that. The conditions are those that transition_symmetry.py,
recurrent_symmetry.py and copies.py prove sufficient.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np

from offswitch.mdp.model import FiniteMDP
from offswitch.theory.certificates.certificate import (
    Certificate,
    process_digest,
    statement_of,
)
from offswitch.theory.certificates.supports import Acts, Supports, rounding_joins

__all__ = ["Verdict", "verify_certificate"]

ACT_THEOREMS = ("optimality", "power", "average-optimality")
ONE_COPY = ("power", "state-power")


class Verdict(NamedTuple):
    """Whether a certificate shows what it says of a process."""

    valid: bool
    problems: tuple[str, ...]
    """Everything found wrong; empty if valid."""


class _Terms(NamedTuple):
    """What the conditions of a theorem come to."""

    needed: Acts
    """Acts that every witness must carry to equal acts."""
    copied: set[int]
    """States that the smaller option visits or settles in."""
    kept: set[int]
    """States that no witness may move."""
    gained: set[int]
    """States that the larger option visits or settles in, and no third one."""
    parts: dict[int, int]
    """State of `copied` -> its end component, where only settling counts."""
    problems: list[str]
    third: tuple[int, ...] = ()
    """Acts of the state, none of them compared, that every one of several witnesses must carry to
    one another: what is said of n copies supposes that they keep what these acts can do."""


def verify_certificate(mdp: FiniteMDP, certificate: Certificate) -> Verdict:
    """Whether the conditions of the certificate's theorem hold for `mdp`, with every problem.

    Problems of form (another process, numbers out of range) come first: those of substance cannot
    be looked for until they are gone.
    """
    c = certificate
    found = list(_problems_of_form(mdp, c))
    if not found:
        supports = Supports(mdp)
        terms = _terms(supports, c)
        images = [w.image(mdp.n_states) for w in c.witnesses]
        found += terms.problems
        for number, phi in enumerate(images):
            found += _witness_problems(supports, c, terms, number, phi)
            found += [
                f"witness {number} moves a state of copy {other}"
                for other, its in enumerate(images)
                if other != number and any(phi[its[x]] != its[x] for x in terms.copied)
            ]
        found += _strictness_problems(c, terms, images)
    return Verdict(not found, tuple(found))


def _problems_of_form(mdp: FiniteMDP, c: Certificate) -> Iterator[str]:
    digest, states, acts = process_digest(mdp), range(mdp.n_states), c.theorem in ACT_THEOREMS
    if c.process != digest:
        yield (
            f"it is about another process, with digest {c.process[:12]}...; this one's is "
            f"{digest[:12]}... Verify it against the process it was made for."
        )
        return
    acts_here: Collection[int] = np.flatnonzero(mdp.available[c.state]) if c.state in states else []
    for name, value, able in (
        ("state", c.state, states),
        ("strict_state", 0 if c.strict_state is None else c.strict_state, states),
        ("other", c.other, acts_here if acts else states),
        *(("action", action, acts_here) for action in c.actions),
    ):
        if value not in able:
            yield f"{name} {value} is out of range or unavailable"
    if len({*c.actions, c.other}) <= len(c.actions) or bool(c.actions) != acts:
        yield f"actions are {c.actions}, expected acts other than {c.other}, each once"
    if not 1 <= c.copies == len(c.witnesses) or (c.copies > 1 and c.theorem in ONE_COPY):
        yield f"copies is {c.copies}, with {len(c.witnesses)} witnesses"
    for number, w in enumerate(c.witnesses):
        moved = [state for pair in w.swaps for state in pair]
        if len(set(moved)) < len(moved) or any(x not in states for x in moved):
            yield f"witness {number}: its swaps are no involution of the states"
        if len({row[:2] for row in w.relabelled}) < len(w.relabelled):
            yield f"witness {number}: an act has two images"
        if w.action not in (c.actions if acts else (None,)):
            yield f"witness {number}: act {w.action} is none of {c.actions}"
    how = {"strict": c.strict_state is not None, "rounded": rounding_joins(mdp)}
    said = statement_of(c.theorem, c.state, c.actions, c.other, copies=c.copies, **how)
    if c.statement != said:
        yield f"the statement is not what is shown: {said}"


def _terms(p: Supports, c: Certificate) -> _Terms:
    if c.theorem in ACT_THEOREMS:
        return _act_terms(p, c)
    if c.theorem == "state-power":
        copied = p.reach(p.acts, [c.other])
        needed = {x: p.acts[x] for x in copied}
        return _Terms(needed, copied, set(), p.reach(p.acts, [c.state]), {}, [])
    gained = set(p.settle(p.acts, c.state)[0])
    if c.theorem == "average-state-power":
        parts, inside = p.settle(p.acts, c.other)
        return _Terms(inside, set(parts), set(), gained, parts, [])
    ends = {c.other, *(x for w in c.witnesses for pair in w.swaps for x in pair)}
    problems = [
        f"no policy surely ends in state {y}"
        for y in sorted(ends)
        if not p.stays(y) or not p.surely(p.acts, c.state, {y})
    ]
    return _Terms({}, {c.other}, set(), gained, {}, problems)


def _act_terms(p: Supports, c: Certificate) -> _Terms:
    s, row = c.state, p.rows
    same = [a for a in c.actions if row[s, a] == row[s, c.other]]
    problems = [f"acts {same} have the successors of act {c.other}"] if same else []
    rest = [a for a in p.acts[s] if row[s, a] not in [row[s, b] for b in (*c.actions, c.other)]]
    if c.theorem == "average-optimality":
        parts, inside = p.settle(p.keeping(s, c.other), s)
        kept = {x for a in rest for x in p.settle(p.keeping(s, a), s)[0]}
        gained = {x for a in c.actions for x in p.settle(p.keeping(s, a), s)[0]} - kept
        return _Terms(inside, set(parts), kept, gained, parts, problems)
    copied = p.after(s, c.other)
    if c.theorem == "power":
        if len(c.actions) > 1:
            problems.append("it compares single acts")
        if s in copied:
            problems.append(f"state {s} can be reached again after act {c.other}")
        needed = {x: p.acts[x] for x in copied - {s}}
        return _Terms(needed, copied, {s}, p.reach(p.acts, row[s, c.actions[0]]), {}, problems)
    others = {x for a in rest for x in p.after(s, a)}
    needed = {x: p.acts[x] for x in (copied | others) - {s}} | {s: rest}
    gained = {x for a in c.actions for x in p.after(s, a)} - others - {s}
    third = tuple(rest) if c.copies > 1 else ()
    return _Terms(needed, copied | {s}, {s}, gained, {}, problems, third)


def _witness_problems(
    p: Supports, c: Certificate, terms: _Terms, number: int, phi: list[int]
) -> Iterator[str]:
    w, s = c.witnesses[number], c.state
    where = f"witness {number}"
    psi = {(x, b): to for x, b, to in w.relabelled}
    moved = sorted(x for x in terms.kept if phi[x] != x)
    if moved:
        yield f"{where} moves states {moved}, which must stay"
    if c.theorem == "state-power" and phi[c.other] != s:
        yield f"{where} does not place state {c.other} on state {s}"
    if c.theorem == "ending" and (len(w.swaps) != 1 or phi[c.other] == c.other):
        yield f"{where} does not swap state {c.other} with one other"
    needed = {(x, b) for x, acts in terms.needed.items() for b in acts}
    if c.theorem in ("optimality", "power"):
        needed.add((s, c.other))
        if psi.get((s, c.other), c.other) != w.action:
            yield f"{where} does not make act {c.other} act {w.action}"
    if not needed >= psi.keys():
        yield f"{where} gives images to acts that need none: {sorted(psi.keys() - needed)}"
    for x, b in sorted(needed):
        to, act = phi[x], psi.get((x, b), b)
        if p.rows.get((to, act)) != {phi[y]: chance for y, chance in p.rows[x, b].items()}:
            yield f"{where}: act {b} of state {x} is not carried to act {act} of state {to}"
        elif (
            x == s
            and b in terms.third
            and p.rows[s, act] not in [p.rows[s, a] for a in terms.third]
        ):
            yield f"{where}: act {b} of state {s} is carried out of the acts not compared"
        elif (
            terms.parts
            and w.action is not None
            and to == s
            and p.rows[s, act] != p.rows[s, w.action]
        ):
            yield f"{where}: act {act} of state {s} is not act {w.action}"
    acts = p.acts if w.action is None else p.keeping(s, w.action)
    for part in sorted(set(terms.parts.values())):
        image = {phi[x] for x, its in terms.parts.items() if its == part}
        if not p.surely(acts, s, image):
            yield f"{where}: no policy surely settles in states {sorted(image)}"


def _strictness_problems(c: Certificate, terms: _Terms, images: list[list[int]]) -> Iterator[str]:
    x = c.strict_state
    taken = terms.copied.union(*({phi[y] for y in terms.copied} for phi in images))
    if x is not None and (x not in terms.gained or x in taken):
        yield f"state {x} is not reached by the larger option alone"
