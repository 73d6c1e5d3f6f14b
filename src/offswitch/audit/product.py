"""The product of an enumerated world and a fold over events: exact outcome probabilities.

Nodes are (state, memory) pairs, found on demand and remembered: what one policy made necessary
serves every later one. A policy's distribution over nodes is pushed forward step by step up to the
horizon; only the nodes that hold probability are looked at.
"""

from __future__ import annotations

import functools
from collections.abc import Hashable
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

from offswitch.trace.event import Ended, Event
from offswitch.worlds.answers import Answers
from offswitch.worlds.compiled import CompiledWorld

__all__ = ["Fold", "Product", "ProductTooLargeError", "product_of"]

Memory = TypeVar("Memory", bound=Hashable)

MOST_KEPT = 64
"""Policies whose outcomes a product keeps."""


class Fold(Protocol[Memory]):
    """Anything that can be folded over events: a drive, or the corrigibility label."""

    def start(self) -> Memory:
        """The memory before the first event."""
        ...

    def advance(self, memory: Memory, event: Event) -> Memory:
        """The memory after `event`."""
        ...


class ProductTooLargeError(Exception):
    """A policy has more moves in the product than the exact evaluation may hold; sample instead."""


class Product(Generic[Memory]):
    """A world's product with one fold. A move is a node and an action taken there."""

    def __init__(
        self, compiled: CompiledWorld, fold: Fold[Memory], *, max_moves: int = 500_000
    ) -> None:
        self._compiled = compiled
        self._fold = fold
        self._max_moves = max_moves
        self._distinct, self._tuples = _events(compiled)
        self._memories: dict[Memory, int] = {fold.start(): 0}
        self._memory_list = [fold.start()]
        self._memory_after: dict[int, int] = {}
        """Memory * number of distinct events + event -> memory."""
        self._nodes: dict[int, int] = {}
        """Memory * S + state -> node."""
        self._node_state = np.zeros(1024, dtype=np.int32)
        self._node_memory = np.zeros(1024, dtype=np.int32)
        self._node_slot = np.zeros(1025, dtype=np.int64)
        """Where the targets of a node begin: one for every branch of its state, in their order."""
        self._targets = np.full(16_384, -1, dtype=np.int32)
        """The node that a branch leads to; -1 where nobody has taken it yet."""
        self._always = _always(compiled, fold)
        self._answers: Answers[dict[Memory, float]] = Answers(MOST_KEPT)

    def final(self, policy: NDArray[np.float64], horizon: int) -> dict[Memory, float]:
        """Probability of every memory an episode can end with, under `policy` [S, A].

        O(horizon * nodes with probability * branches); O(1) where no event of this world can
        change the memory, O(S A) where an equal policy was asked for before.

        Raises:
            ProductTooLargeError: the policy has more than `max_moves` moves.
        """
        if self._always is not None:
            return {self._always: 1.0}
        return dict(self._answers.of((policy,), lambda: self._found(policy, horizon), horizon))

    def _found(self, policy: NDArray[np.float64], horizon: int) -> dict[Memory, float]:
        moves = _moves(self._compiled, policy)
        start = self._compiled.mdp.start
        states = np.flatnonzero(start)
        active = self._numbered(np.zeros_like(states), states)
        mass = np.zeros(len(self._node_state))
        mass[active] = start[states]
        seen = np.zeros(len(mass), dtype=np.bool_)
        made = 0
        for _ in range(horizon):
            made += _count_moves(active, seen, self._node_state, moves)
            if made > self._max_moves:
                raise ProductTooLargeError
            self._follow(active, moves)
            if len(self._node_state) > len(mass):
                longer = len(self._node_state) - len(mass)
                mass, seen = np.append(mass, np.zeros(longer)), np.append(seen, [False] * longer)
            active, mass, over = _pushed(
                active, mass, self._node_state, self._node_slot, self._targets, moves
            )
            if over:
                break
        return self._ended(active, mass[active])

    def _follow(self, active: NDArray[np.int64], moves: _Moves) -> None:
        """Finds the target of every branch that `active` nodes take and nobody has taken yet."""
        found = np.empty((0, 2), dtype=np.int64)
        missing = _missing(active, self._node_state, self._node_slot, self._targets, moves, found)
        if missing == 0:
            return
        found = np.empty((missing, 2), dtype=np.int64)
        _missing(active, self._node_state, self._node_slot, self._targets, moves, found)
        nodes, branches = found.T
        events = self._compiled.branch_events[branches]
        n_tuples = len(self._compiled.event_table)
        codes, which = np.unique(
            self._node_memory[nodes] * np.int64(n_tuples) + events, return_inverse=True
        )
        after = np.array([self._advanced(*divmod(c, n_tuples)) for c in codes.tolist()])[which]
        state = self._node_state[nodes]
        slots = self._node_slot[nodes] + branches - moves.first_branch[state]
        reached = self._numbered(after, self._compiled.branch_next[branches])
        self._targets[slots] = reached

    def _advanced(self, memory: int, events: int) -> int:
        """Number of the memory after a tuple of events."""
        for event in self._tuples[events]:
            key = memory * len(self._distinct) + event
            after = self._memory_after.get(key)
            if after is None:
                found = self._fold.advance(self._memory_list[memory], self._distinct[event])
                after = self._memories.setdefault(found, len(self._memories))
                if after == len(self._memory_list):
                    self._memory_list.append(found)
                self._memory_after[key] = after
            memory = after
        return memory

    def _numbered(
        self, memories: NDArray[np.int64], states: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """The nodes of (memory, state) pairs; those that are new are added."""
        n_states = self._compiled.mdp.n_states
        keys, which = np.unique(memories * n_states + states, return_inverse=True)
        known = len(self._nodes)
        nodes = [self._nodes.setdefault(key, len(self._nodes)) for key in keys.tolist()]
        numbers = np.array(nodes, dtype=np.int64)
        fresh = numbers >= known
        if fresh.any():
            self._add(known, keys[fresh] // n_states, keys[fresh] % n_states)
        return numbers[which]

    def _add(self, known: int, memories: NDArray[np.int64], states: NDArray[np.int64]) -> None:
        """Makes room for nodes from number `known` on."""
        total = known + len(states)
        self._node_state = _with_room(self._node_state, total)
        self._node_memory = _with_room(self._node_memory, total)
        self._node_slot = _with_room(self._node_slot, total + 1)
        self._node_state[known:total] = states
        self._node_memory[known:total] = memories
        A = self._compiled.mdp.n_actions
        first = self._compiled.branch_start[states * A]
        widths = self._compiled.branch_start[(states + 1) * A] - first
        ends = self._node_slot[known] + np.cumsum(widths)
        self._node_slot[known + 1 : total + 1] = ends
        self._targets = _with_room(self._targets, int(ends[-1]), fill=-1)

    def _ended(self, nodes: NDArray[np.int64], mass: NDArray[np.float64]) -> dict[Memory, float]:
        """Probability of every memory once the episode has ended, or was cut off, in `nodes`."""
        ending_of, endings = _endings(self._compiled)
        codes = (
            self._node_memory[nodes] * np.int64(len(endings)) + ending_of[self._node_state[nodes]]
        )
        distinct, which = np.unique(codes, return_inverse=True)
        sums = np.bincount(which, weights=mass, minlength=len(distinct))
        final: dict[Memory, float] = {}
        for code, total in zip(distinct.tolist(), sums.tolist(), strict=True):
            memory, ending = divmod(code, len(endings))
            after = self._fold.advance(self._memory_list[memory], endings[ending])
            final[after] = final.get(after, 0.0) + total
        return final


def product_of(compiled: CompiledWorld, fold: Any) -> Product[Any]:  # Any: a hashable Fold
    """The product of a world and a fold, remembered: every policy adds to what others found."""
    return _product_of(compiled.shared, fold)


@functools.lru_cache(maxsize=128)
def _product_of(compiled: CompiledWorld, fold: Any) -> Product[Any]:  # Any: a hashable Fold
    return Product(compiled, fold)


class _Moves(NamedTuple):
    """What a policy does in every state, and where that leads, flat for the kernels."""

    start: NDArray[np.int64]
    """[S + 1] first choice of a state."""
    action: NDArray[np.int64]
    """[choices]."""
    chance: NDArray[np.float64]
    """[choices] probability that the policy takes it."""
    ending: NDArray[np.bool_]
    n_actions: int
    branch_start: NDArray[np.int64]
    branch_probability: NDArray[np.float64]
    first_branch: NDArray[np.int64]
    """[S] first branch of a state's first action."""


def _moves(compiled: CompiledWorld, policy: NDArray[np.float64]) -> _Moves:
    state, action = np.nonzero(policy > 0)
    start = np.searchsorted(state, np.arange(len(policy) + 1))
    A = compiled.mdp.n_actions
    return _Moves(
        start=start,
        action=action,
        chance=policy[state, action],
        ending=compiled.ending,
        n_actions=A,
        branch_start=compiled.branch_start,
        branch_probability=compiled.branch_probability,
        first_branch=np.ascontiguousarray(compiled.branch_start[:-1:A]),
    )


def _always(compiled: CompiledWorld, fold: Fold[Memory]) -> Memory | None:
    """The one memory with which every episode of this world ends, where there is only one."""
    start = fold.start()
    if any(fold.advance(start, event) != start for event in _events(compiled)[0]):
        return None
    last = {fold.advance(start, ending) for ending in _endings(compiled)[1]}
    return last.pop() if len(last) == 1 else None


@functools.lru_cache(maxsize=64)
def _events(compiled: CompiledWorld) -> tuple[tuple[Event, ...], tuple[tuple[int, ...], ...]]:
    """The distinct events of a world, and every tuple of its table as numbers of them."""
    numbers: dict[Event, int] = {}
    tuples = tuple(
        tuple(numbers.setdefault(event, len(numbers)) for event in events)
        for events in compiled.event_table
    )
    return tuple(numbers), tuples


@functools.lru_cache(maxsize=64)
def _endings(compiled: CompiledWorld) -> tuple[NDArray[np.int64], tuple[Ended, ...]]:
    """[S] which of the distinct endings an episode has that ends, or is cut off, in a state."""
    world: Any = compiled.world  # Any: each world has its own state type
    numbers: dict[Ended, int] = {}
    of_state = [
        numbers.setdefault(world.ending(state) or world.cut_off(state), len(numbers))
        for state in compiled.states
    ]
    return np.array(of_state, dtype=np.int64), tuple(numbers)


def _with_room(array: NDArray[Any], size: int, fill: int = 0) -> NDArray[Any]:  # Any: any dtype
    """`array`, or a longer copy of at least `size` entries."""
    if size <= len(array):
        return array
    longer = np.full(max(size, 2 * len(array)), fill, dtype=array.dtype)
    longer[: len(array)] = array
    return longer


# --- kernels -----------------------------------------------------------------------------------


@numba.njit(cache=True)
def _count_moves(
    active: NDArray[np.int64],
    seen: NDArray[np.bool_],
    node_state: NDArray[np.int32],
    moves: _Moves,
) -> int:
    """Moves of the active nodes that were not active before; an ending counts as one."""
    made = 0
    for node in active:
        if not seen[node]:
            seen[node] = True
            s = node_state[node]
            made += 1 if moves.ending[s] else moves.start[s + 1] - moves.start[s]
    return made


@numba.njit(cache=True)
def _missing(
    active: NDArray[np.int64],
    node_state: NDArray[np.int32],
    node_slot: NDArray[np.int64],
    targets: NDArray[np.int32],
    moves: _Moves,
    found: NDArray[np.int64],
) -> int:
    """How many branches lead nobody knows where; as (node, branch) in `found` as far as it goes."""
    count = 0
    for node in active:
        s = node_state[node]
        if moves.ending[s]:
            continue
        offset = node_slot[node] - moves.first_branch[s]
        for choice in range(moves.start[s], moves.start[s + 1]):
            row = s * moves.n_actions + moves.action[choice]
            for branch in range(moves.branch_start[row], moves.branch_start[row + 1]):
                if targets[offset + branch] < 0:
                    if count < len(found):
                        found[count, 0] = node
                        found[count, 1] = branch
                    count += 1
    return count


@numba.njit(cache=True)
def _pushed(
    active: NDArray[np.int64],
    mass: NDArray[np.float64],
    node_state: NDArray[np.int32],
    node_slot: NDArray[np.int64],
    targets: NDArray[np.int32],
    moves: _Moves,
) -> tuple[NDArray[np.int64], NDArray[np.float64], bool]:
    """The nodes and their probabilities one step later; whether all of them are endings."""
    after = np.zeros_like(mass)
    listed = np.zeros(len(mass), dtype=np.bool_)
    following = np.empty(len(mass), dtype=np.int64)
    count, over = 0, True
    for node in active:
        s = node_state[node]
        if moves.ending[s]:
            if not listed[node]:
                listed[node] = True
                following[count] = node
                count += 1
            after[node] += mass[node]
            continue
        offset = node_slot[node] - moves.first_branch[s]
        for choice in range(moves.start[s], moves.start[s + 1]):
            row = s * moves.n_actions + moves.action[choice]
            chance = mass[node] * moves.chance[choice]
            for branch in range(moves.branch_start[row], moves.branch_start[row + 1]):
                target = targets[offset + branch]
                after[target] += chance * moves.branch_probability[branch]
                if not listed[target]:
                    listed[target] = True
                    following[count] = target
                    count += 1
                    over = over and moves.ending[node_state[target]]
    return following[:count].copy(), after, over
