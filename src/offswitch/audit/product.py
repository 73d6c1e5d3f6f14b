"""The product of an enumerated world and a fold over events: exact outcome probabilities.

Nodes are (state, memory) pairs, found on demand; a policy's distribution over nodes is pushed
forward one step at a time up to the horizon. The cost is O(horizon * nodes * actions taken *
branches), and nodes are only those the policy can reach.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from offswitch.trace.event import Event
from offswitch.worlds.compiled import CompiledWorld

__all__ = ["Choices", "Fold", "Product", "ProductTooLargeError", "choices_of"]

Memory = TypeVar("Memory", bound=Hashable)

Choices: TypeAlias = Sequence[Sequence[tuple[int, float]]]
"""Per state the (action, probability) pairs of a policy."""


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
    """A world's product with one fold; what it has expanded serves every later policy."""

    def __init__(
        self, compiled: CompiledWorld, fold: Fold[Memory], *, max_moves: int = 100_000
    ) -> None:
        self._compiled = compiled
        self._fold = fold
        self._max_moves = max_moves
        self._number: dict[tuple[int, Memory], int] = {}
        self._nodes: list[tuple[int, Memory]] = []
        self._edges: dict[tuple[int, int], tuple[tuple[float, int], ...]] = {}

    def final(self, choices: Choices, horizon: int) -> dict[Memory, float]:
        """Probability of every memory an episode can end with, under a policy's `choices_of`.

        Raises:
            ProductTooLargeError: the policy has more than `max_moves` (node, action) pairs.
        """
        final: dict[Memory, float] = defaultdict(float)
        present: dict[int, float] = {
            self._node(state, self._fold.start()): float(probability)
            for state, probability in enumerate(self._compiled.mdp.start)
            if probability > 0
        }
        reached, moves = set(present), 0
        for _ in range(horizon):
            present = self._forward(present, choices, final)
            fresh = present.keys() - reached
            reached |= fresh
            moves += sum(len(choices[self._nodes[node][0]]) for node in fresh)
            if moves > self._max_moves:
                raise ProductTooLargeError
        world: Any = self._compiled.world
        for node, mass in present.items():
            state, memory = self._nodes[node]
            last = self._compiled.states[state]
            event = world.ending(last) or world.cut_off(last)
            final[self._fold.advance(memory, event)] += mass
        return dict(final)

    def _forward(
        self,
        present: dict[int, float],
        choices: Choices,
        final: dict[Memory, float],
    ) -> dict[int, float]:
        following: dict[int, float] = defaultdict(float)
        for node, mass in present.items():
            state, memory = self._nodes[node]
            if self._compiled.ending[state]:
                event = self._compiled.world.ending(self._compiled.states[state])
                assert event is not None  # compiled.ending says so
                final[self._fold.advance(memory, event)] += mass
                continue
            for action, weight in choices[state]:
                for probability, target in self._expanded(node, action):
                    following[target] += mass * weight * probability
        return following

    def _expanded(self, node: int, action: int) -> tuple[tuple[float, int], ...]:
        key = (node, action)
        if key not in self._edges:
            state, memory = self._nodes[node]
            row = state * self._compiled.mdp.n_actions + action
            span = range(self._compiled.branch_start[row], self._compiled.branch_start[row + 1])
            self._edges[key] = tuple(self._followed(memory, branch) for branch in span)
        return self._edges[key]

    def _followed(self, memory: Memory, branch: int) -> tuple[float, int]:
        for event in self._compiled.event_table[self._compiled.branch_events[branch]]:
            memory = self._fold.advance(memory, event)
        target = self._node(int(self._compiled.branch_next[branch]), memory)
        return float(self._compiled.branch_probability[branch]), target

    def _node(self, state: int, memory: Memory) -> int:
        key = (state, memory)
        if key not in self._number:
            self._number[key] = len(self._nodes)
            self._nodes.append(key)
        return self._number[key]


def choices_of(policy: NDArray[np.float64]) -> Choices:
    """Per state the actions a policy [S, A] takes there, with their probabilities."""
    choices: list[list[tuple[int, float]]] = [[] for _ in policy]
    for state, action in np.argwhere(policy > 0).tolist():
        choices[state].append((action, float(policy[state, action])))
    return choices
