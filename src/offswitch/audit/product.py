"""The product of an enumerated world and a fold over events: exact outcome probabilities.

Nodes are (state, memory) pairs, found on demand and remembered: what one policy made necessary
serves every later one. A policy's distribution over nodes is then pushed forward step by step, as
a sparse matrix product, up to the horizon.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from offswitch.trace.event import Event
from offswitch.worlds.compiled import CompiledWorld

__all__ = ["Fold", "Product", "ProductTooLargeError"]

Memory = TypeVar("Memory", bound=Hashable)


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
        self._number: dict[tuple[int, Memory], int] = {}
        self._nodes: list[tuple[int, Memory]] = []
        self._targets: dict[tuple[int, int], tuple[int, ...]] = {}
        """Move -> the nodes its branches lead to, in the order of the branches."""

    def final(self, policy: NDArray[np.float64], horizon: int) -> dict[Memory, float]:
        """Probability of every memory an episode can end with, under `policy` [S, A].

        Raises:
            ProductTooLargeError: the policy has more than `max_moves` moves.
        """
        present = self._present_at_start()
        step_matrix = self._step_matrix(policy, horizon)
        mass = np.zeros(len(self._nodes))
        for node, probability in present.items():
            mass[node] = probability
        for _ in range(horizon):
            mass = step_matrix @ mass
        final: dict[Memory, float] = defaultdict(float)
        for node in np.flatnonzero(mass).tolist():
            final[self._ended(node)] += float(mass[node])
        return dict(final)

    def _present_at_start(self) -> dict[int, float]:
        begin = self._fold.start()
        start = self._compiled.mdp.start
        return {
            self._node(state, begin): float(start[state])
            for state in np.flatnonzero(start).tolist()
        }

    def _ended(self, node: int) -> Memory:
        """The memory once the episode has ended or been cut off in `node`."""
        state, memory = self._nodes[node]
        world: Any = self._compiled.world  # Any: each world has its own state type
        last = self._compiled.states[state]
        return self._fold.advance(memory, world.ending(last) or world.cut_off(last))

    def _step_matrix(
        self, policy: NDArray[np.float64], horizon: int
    ) -> sp.csr_array[Any, Any]:  # Any: scipy's own type parameters
        """[nodes, nodes] probability of going from column to row in one step; endings stay."""
        sources: list[int] = []
        targets: list[int] = []
        weights: list[float] = []
        for node, action, chance in self._moves(policy, horizon):
            if action < 0:
                sources.append(node)
                targets.append(node)
                weights.append(1.0)
                continue
            reached = self._followed(node, action)
            row = self._nodes[node][0] * self._compiled.mdp.n_actions + action
            first = self._compiled.branch_start[row]
            likely = self._compiled.branch_probability[first : first + len(reached)]
            sources += [node] * len(reached)
            targets += reached
            weights += (chance * likely).tolist()
        size = len(self._nodes)
        return sp.coo_array((weights, (targets, sources)), shape=(size, size)).tocsr()

    def _moves(self, policy: NDArray[np.float64], horizon: int) -> list[tuple[int, int, float]]:
        """(node, action, probability) of everything the policy does; action -1 in an ending."""
        choices = _choices(policy)
        moves: list[tuple[int, int, float]] = []
        frontier = list(self._present_at_start())
        seen = set(frontier)
        for _ in range(horizon):
            following: list[int] = []
            for node in frontier:
                state = self._nodes[node][0]
                if self._compiled.ending[state]:
                    moves.append((node, -1, 1.0))
                    continue
                for action, chance in choices[state]:
                    moves.append((node, action, chance))
                    following += self._followed(node, action)
            if len(moves) > self._max_moves:
                raise ProductTooLargeError
            frontier = [node for node in dict.fromkeys(following) if node not in seen]
            seen.update(frontier)
        # What is first reached with the last step has no step left; it stays where it is.
        return moves + [(node, -1, 1.0) for node in frontier]

    def _followed(self, node: int, action: int) -> tuple[int, ...]:
        key = (node, action)
        if key not in self._targets:
            state, memory = self._nodes[node]
            row = state * self._compiled.mdp.n_actions + action
            span = range(self._compiled.branch_start[row], self._compiled.branch_start[row + 1])
            self._targets[key] = tuple(self._after(memory, branch) for branch in span)
        return self._targets[key]

    def _after(self, memory: Memory, branch: int) -> int:
        for event in self._compiled.event_table[self._compiled.branch_events[branch]]:
            memory = self._fold.advance(memory, event)
        return self._node(int(self._compiled.branch_next[branch]), memory)

    def _node(self, state: int, memory: Memory) -> int:
        key = (state, memory)
        if key not in self._number:
            self._number[key] = len(self._nodes)
            self._nodes.append(key)
        return self._number[key]


def _choices(policy: NDArray[np.float64]) -> list[list[tuple[int, float]]]:
    """Per state the actions that `policy` [S, A] takes there, with their probabilities."""
    choices: list[list[tuple[int, float]]] = [[] for _ in policy]
    for state, action in np.argwhere(policy > 0).tolist():
        choices[state].append((action, float(policy[state, action])))
    return choices
