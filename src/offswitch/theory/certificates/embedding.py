"""A backtracking search for an involution of the states that carries given acts to equal acts.

phi carries act b of x to act c of phi(x) when T(phi(x), c, phi(y)) = T(x, b, y) for every y. The
search places states one at a time, always next to a state just placed, and undoes what fails. It is
complete: within its budget it finds an involution or shows that there is none of the kind asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.model import FiniteMDP
from offswitch.theory.certificates.certificate import PROBABILITY_DIGITS

__all__ = ["Budget", "BudgetError", "Embedding", "Rows", "search"]

Row = dict[int, float]
Compatible = Callable[[int, int], bool]


class BudgetError(Exception):
    """The search tried as many choices as it may."""


@dataclass
class Budget:
    """Choices that a search may still try; shared by the searches of one question."""

    left: int
    used: int = 0

    def spend(self) -> None:
        """Counts one choice.

        Raises:
            BudgetError: none was left.
        """
        if self.used >= self.left:
            raise BudgetError
        self.used += 1


@dataclass(frozen=True, eq=False)
class Rows:
    """The successor distributions of a process, rounded, read once each."""

    mdp: FiniteMDP
    cache: dict[tuple[int, int], Row] = field(default_factory=dict)

    def __call__(self, state: int, action: int) -> Row:
        """Successor -> probability to `PROBABILITY_DIGITS` decimals."""
        key = (state, action)
        if key not in self.cache:
            following, chance = self.mdp.successors(state, action)
            rounded = np.round(chance, PROBABILITY_DIGITS)
            self.cache[key] = dict(zip(following.tolist(), rounded.tolist(), strict=True))
        return self.cache[key]

    def distinct(self, state: int, acts: NDArray[np.bool_]) -> list[int]:
        """The first act of each different row among `acts [A]`."""
        first: dict[frozenset[tuple[int, float]], int] = {}
        for action in np.flatnonzero(acts).tolist():
            first.setdefault(frozenset(self(state, action).items()), action)
        return list(first.values())


@dataclass(frozen=True, eq=False)
class Embedding:
    """What is asked of the involution. S states, A actions."""

    mdp: FiniteMDP
    needed: NDArray[np.bool_]
    """[S, A] acts that need an image wherever their state is placed."""
    usable: NDArray[np.bool_]
    """[S, A] acts that may be an image."""
    placed: tuple[tuple[int, int], ...] = ()
    """Pairs of states placed on each other before the search."""
    forced: tuple[tuple[int, int, int], ...] = ()
    """(x, b, c): act b of x must become act c of phi(x); x is among the placed."""
    roots: tuple[int, ...] = ()
    """States to be placed on any candidate."""
    candidates: NDArray[np.bool_] | None = None
    """[S] where roots may be placed; None for anywhere."""
    fixed: NDArray[np.bool_] | None = None
    """[S] states that must stay in place; None for none."""


class _Place(NamedTuple):
    """A state still to be placed."""

    state: int


class _Act(NamedTuple):
    """An act of a placed state that still needs an image."""

    state: int
    action: int
    only: int | None


class _Match(NamedTuple):
    """Successors of an act, with their probabilities, still to be paired with its image's."""

    left: tuple[tuple[int, float], ...]
    right: tuple[tuple[int, float], ...]


_Item = _Place | _Act | _Match
_Agenda = tuple[()] | tuple[_Item, "_Agenda"]
"""A linked list, so that a choice undone needs no copy of what was left to do before it."""


class _Frame(NamedTuple):
    options: Iterator[int]
    item: _Item
    rest: _Agenda
    mark: int


def search(
    task: Embedding, rows: Rows, budget: Budget, compatible: Compatible
) -> dict[int, int] | None:
    """What an involution as `task` asks does to the states that matter; None if there is none.

    `compatible(x, y)` may rule out placing x on y. Every choice costs one of the `budget`. States
    not in the answer stay in place.

    Raises:
        BudgetError: the budget ran out first.
    """
    found = _Search(task, rows, compatible)
    agenda = _first_agenda(task, found)
    frames: list[_Frame] = []
    while agenda:
        item, rest = agenda
        frames.append(_Frame(found.options(item), item, rest, len(found.trail)))
        agenda = _advance(found, frames, budget)
    return None if agenda is None else found.phi


def _first_agenda(task: Embedding, found: _Search) -> _Agenda | None:
    todo: _Agenda = ()
    for root in reversed(task.roots):
        todo = (_Place(root), todo)
    for state, action, image in reversed(task.forced):
        todo = (_Act(state, action, image), todo)
    for state, to in task.placed:
        agenda = found.place(state, to, todo)
        if agenda is None:
            return None
        todo = agenda
    return todo


def _advance(found: _Search, frames: list[_Frame], budget: Budget) -> _Agenda | None:
    """What is left to do after the next choice that does not fail at once; None if all failed."""
    while frames:
        options, item, rest, mark = frames[-1]
        found.undo(mark)
        option = next(options, None)
        if option is None:
            frames.pop()
            continue
        budget.spend()
        agenda = found.apply(item, option, rest)
        if agenda is not None:
            return agenda
    return None


class _Search:
    """The partial involution, and what may be done to it."""

    def __init__(self, task: Embedding, rows: Rows, compatible: Compatible) -> None:
        self.task, self.rows, self.compatible = task, rows, compatible
        self.phi: dict[int, int] = {}
        self.trail: list[int] = []

    def options(self, item: _Item) -> Iterator[int]:
        """The choices for an item: a state to place it on, or an act to be its image."""
        match item:
            case _Place(state):
                yield from self.places(state)
            case _Act(state, action, only):
                image = self.phi[state]
                wanted = sorted(self.rows(state, action).values())
                usable = np.flatnonzero(self.task.usable[image]).tolist()
                # The act of the same number first: most processes keep their labels.
                for act in sorted(usable, key=lambda act: act != action):
                    alike = sorted(self.rows(image, act).values()) == wanted
                    if alike and (only is None or act == only):
                        yield act
            case _Match(left, right):
                state, chance = self.next_of(left)
                able = [to for to, p in right if p == chance and self.may(state, to)]
                yield from sorted(able, key=lambda to: to != state)

    def places(self, state: int) -> Iterator[int]:
        """Where a root may be placed; where it is, if it is placed already."""
        if state in self.phi:
            yield self.phi[state]
            return
        able = self.task.candidates
        everywhere = range(self.task.mdp.n_states) if able is None else np.flatnonzero(able)
        able_now = [int(to) for to in everywhere if self.may(state, int(to))]
        yield from sorted(able_now, key=lambda to: to != state)

    def next_of(self, left: tuple[tuple[int, float], ...]) -> tuple[int, float]:
        """A successor that is placed already, so that a conflict shows at once; else the first."""
        return next((pair for pair in left if pair[0] in self.phi), left[0])

    def may(self, state: int, to: int) -> bool:
        """Whether `state` may be placed on `to` as things stand."""
        if state in self.phi or to in self.phi:
            return self.phi.get(state) == to
        fixed = self.task.fixed
        if state != to and fixed is not None and (fixed[state] or fixed[to]):
            return False
        return self.compatible(state, to)

    def apply(self, item: _Item, option: int, rest: _Agenda) -> _Agenda | None:
        """What is left to do after the choice; None if it cannot be made."""
        match item:
            case _Place(state):
                return self.place(state, option, rest)
            case _Act(state, action, _):
                left = tuple(self.rows(state, action).items())
                right = tuple(self.rows(self.phi[state], option).items())
                return (_Match(left, right), rest)
            case _Match(left, right):
                pair = self.next_of(left)
                agenda = self.place(pair[0], option, rest)
                if agenda is None or len(left) == 1:
                    return agenda
                remaining = tuple(other for other in left if other != pair)
                return (_Match(remaining, tuple(x for x in right if x[0] != option)), agenda)

    def place(self, state: int, to: int, rest: _Agenda) -> _Agenda | None:
        """Places the two on each other and adds the acts that need an image."""
        if state in self.phi or to in self.phi:
            return rest if self.phi.get(state) == to else None
        for one, other in {(state, to), (to, state)}:
            self.phi[one] = other
            self.trail.append(one)
        for one in {state, to}:
            for action in self.rows.distinct(one, self.task.needed[one]):
                rest = (_Act(one, action, None), rest)
        return rest

    def undo(self, mark: int) -> None:
        """Takes back every placement made after `mark`."""
        while len(self.trail) > mark:
            del self.phi[self.trail.pop()]
