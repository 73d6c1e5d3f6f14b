"""What each theorem asks: which witnesses it needs, and which state shows that it is strict."""

from __future__ import annotations

import itertools
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.model import FiniteMDP
from offswitch.theory.certificates.certificate import Reason, Witness
from offswitch.theory.certificates.copies import gathered_copies
from offswitch.theory.certificates.embedding import Budget, Rows
from offswitch.theory.certificates.recurrent_symmetry import (
    Settling,
    ending_witnesses,
    settling,
    settling_witness,
    stays,
)
from offswitch.theory.certificates.transition_symmetry import (
    Choice,
    act_embedding,
    find_involution,
    state_embedding,
    witness_of,
)
from offswitch.theory.long_run.end_components import closure, surely_reaching

__all__ = [
    "Answer",
    "average_optimality",
    "average_states",
    "ending",
    "optimality",
    "power",
    "states",
]


class Answer(NamedTuple):
    """What was found for one theorem: witnesses, or the reason why there are none."""

    witnesses: tuple[Witness, ...]
    strict_state: int | None = None
    reason: Reason = "none-of-this-kind"
    detail: str = ""


def optimality(choice: Choice, rows: Rows, budget: Budget) -> Answer:
    """Prop. 6.9 (2), with one copy for each of the `choice.actions` that holds one.

    Several copies must keep what the remaining acts can do; a single one need not.
    """
    mdp = choice.mdp
    visited = choice.after((choice.other,))
    visited[choice.state] = True
    found: list[Witness] = []
    if len(choice.actions) > 1 or not choice.rest:
        found = _act_copies(choice, rows, budget, visited)
    if not found and choice.rest:
        tried = (_act_witness(choice, rows, budget, action, None) for action in choice.actions)
        found = list(itertools.islice(filter(None, tried), 1))
    gained = choice.after(choice.actions)
    gained[choice.state] = False
    return Answer(
        tuple(found),
        _strict(mdp, gained, visited | choice.after(choice.rest), found, visited),
    )


def _act_copies(
    choice: Choice, rows: Rows, budget: Budget, visited: NDArray[np.bool_]
) -> list[Witness]:
    """As many as are found of those that carry the remaining acts to one another."""
    done: list[int] = []

    def find(action: int, fixed: NDArray[np.bool_]) -> Witness | None:
        # Two copies in one act are impossible: both would fix what it leads to first.
        if action in done:
            return None
        done.append(action)
        return _act_witness(choice, rows, budget, action, fixed)

    finders = [partial(find, action) for action in choice.actions]
    return gathered_copies(finders, visited, np.zeros_like(visited))


def _act_witness(
    choice: Choice, rows: Rows, budget: Budget, action: int, fixed: NDArray[np.bool_] | None
) -> Witness | None:
    """A witness for one act; with `fixed` one of several, which keep the remaining acts."""
    several = fixed is not None
    task = act_embedding(choice, action, others_too=True, to_themselves=several, fixed=fixed)
    phi = find_involution(task, rows, budget)
    return None if phi is None else witness_of(task, phi, rows, action)


def power(choice: Choice, rows: Rows, budget: Budget) -> Answer:
    """Prop. 6.9 (1), for a single act."""
    mdp, (action, *more) = choice.mdp, choice.actions
    if more:
        return Answer((), reason="condition-fails", detail="it compares single acts")
    visited = choice.after((choice.other,))
    if visited[choice.state]:
        return Answer((), reason="condition-fails", detail="the state can be reached again")
    task = act_embedding(choice, action, others_too=False)
    phi = find_involution(task, rows, budget)
    if phi is None:
        return Answer(())
    witness = witness_of(task, phi, rows, action)
    first = np.zeros_like(visited)
    first[mdp.successors(choice.state, action)[0]] = True
    return Answer((witness,), _strict(mdp, closure(mdp, first), visited, [witness], visited))


def states(mdp: FiniteMDP, state: int, other: int, rows: Rows, budget: Budget) -> Answer:
    """Prop. 6.6."""
    task = state_embedding(mdp, state, other)
    phi = find_involution(task, rows, budget)
    if phi is None:
        return Answer(())
    witness = witness_of(task, phi, rows, None)
    visited: NDArray[np.bool_] = np.asarray(task.needed.any(axis=1))
    gained = closure(mdp, np.arange(mdp.n_states) == state)
    return Answer((witness,), _strict(mdp, gained, visited, [witness], visited))


def average_optimality(choice: Choice, rows: Rows, budget: Budget) -> Answer:
    """Thm 6.13 for what can be settled in after each act, with n copies."""
    mdp, state = choice.mdp, choice.state
    less = settling(mdp, state, choice.keeping(choice.other))
    kept = np.zeros(mdp.n_states, dtype=np.bool_)
    for action in choice.rest:
        kept |= settling(mdp, state, choice.keeping(action)).states
    gained = np.zeros_like(kept)
    finders = []
    for action in choice.actions:
        more = settling(mdp, state, choice.keeping(action))
        gained |= more.states
        finders.append(partial(_settle, mdp, less, more, rows=rows, budget=budget, action=action))
    found = gathered_copies(finders, less.states, kept)
    return Answer(tuple(found), _strict(mdp, gained, less.states | kept, found, less.states))


def average_states(mdp: FiniteMDP, state: int, other: int, rows: Rows, budget: Budget) -> Answer:
    """Prop. 6.12, with n copies."""
    less = settling(mdp, other, mdp.available)
    more = settling(mdp, state, mdp.available)
    nothing = np.zeros(mdp.n_states, dtype=np.bool_)
    finder = partial(_settle, mdp, less, more, rows=rows, budget=budget, action=None)
    found = gathered_copies([finder], less.states, nothing)
    return Answer(tuple(found), _strict(mdp, more.states, less.states, found, less.states))


def _settle(
    mdp: FiniteMDP,
    less: Settling,
    more: Settling,
    fixed: NDArray[np.bool_],
    *,
    rows: Rows,
    budget: Budget,
    action: int | None,
) -> Witness | None:
    return settling_witness(mdp, less, more, fixed=fixed, rows=rows, budget=budget, action=action)


def ending(mdp: FiniteMDP, state: int, last: int) -> Answer:
    """Cor. 6.14, with a copy for every other state in which one can surely end."""
    aim = np.arange(mdp.n_states) == last
    if not stays(mdp, last):
        return Answer((), reason="condition-fails", detail=f"no act surely stays in state {last}")
    if not surely_reaching(mdp, aim)[state]:
        return Answer((), reason="condition-fails", detail=f"state {last} is not surely reached")
    found = ending_witnesses(mdp, state, last)
    if not found:
        return Answer((), reason="condition-fails", detail="one can surely end nowhere else")
    free = settling(mdp, state, mdp.available)
    return Answer(tuple(found), _strict(mdp, free.states, aim, found, aim))


def _strict(
    mdp: FiniteMDP,
    gained: NDArray[np.bool_],
    lost: NDArray[np.bool_],
    witnesses: list[Witness],
    copied: NDArray[np.bool_],
) -> int | None:
    """A state of `gained [S]`, neither `lost [S]` nor in any copy of `copied [S]`.

    Paying such a state alone favours the larger option, and no witness turns a goal that favours
    the smaller one into this goal: it would have to pay a state of the smaller option alone. That
    is so at discounts in (0, 1); at 0 the state may lie too far ahead to count, at 1 it counts if
    one can settle in it, as all do that `average_optimality` and the like call gained.
    """
    free = gained & ~lost
    for witness in witnesses:
        free[np.array(witness.image(mdp.n_states))[copied]] = False
    return int(np.flatnonzero(free)[0]) if free.any() else None
