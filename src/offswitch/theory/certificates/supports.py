"""What can be reached, and where policies can settle, for the checker alone: sets and dictionaries.

The search has its own, faster version of this in end_components.py. Two programs that agree are
worth more than one that is used twice.
"""

from __future__ import annotations

from collections.abc import Iterable

import networkx as nx

from offswitch.mdp.model import FiniteMDP
from offswitch.theory.certificates.certificate import PROBABILITY_DIGITS

__all__ = ["Acts", "Supports", "rounding_joins"]

Acts = dict[int, list[int]]
"""State -> the acts that may be taken there."""


def rounding_joins(mdp: FiniteMDP) -> bool:
    """Whether chances that differ are taken for equal: what is shown is of the rounded process."""
    exact = set(mdp.probability.tolist())
    return len({round(chance, PROBABILITY_DIGITS) for chance in exact}) < len(exact)


class Supports:
    """The successor rows of a process, and graph questions about them."""

    def __init__(self, mdp: FiniteMDP) -> None:
        self.rows: dict[tuple[int, int], dict[int, float]] = {}
        self.acts: Acts = {x: [] for x in range(mdp.n_states)}
        for x in range(mdp.n_states):
            for a in range(mdp.n_actions):
                to, chance = mdp.successors(x, a)
                if len(to):
                    self.acts[x].append(a)
                    pairs = zip(to.tolist(), chance.tolist(), strict=True)
                    self.rows[x, a] = {y: round(p, PROBABILITY_DIGITS) for y, p in pairs}

    def keeping(self, state: int, action: int) -> Acts:
        """The acts of policies that take `action` in `state`."""
        return {**self.acts, state: [action]}

    def reach(self, acts: Acts, start: Iterable[int]) -> set[int]:
        """States reachable by `acts` from `start`, which is included."""
        seen = set(start)
        fresh = list(seen)
        while fresh:
            x = fresh.pop()
            new = {y for a in acts[x] for y in self.rows[x, a]} - seen
            seen |= new
            fresh += new
        return seen

    def after(self, state: int, action: int) -> set[int]:
        """States visited after `action` in `state` by policies that keep to it there."""
        return self.reach(self.keeping(state, action), self.rows[state, action])

    def settle(self, acts: Acts, start: int) -> tuple[dict[int, int], Acts]:
        """Of each state of an end component reachable from `start`: which one, and what stays."""
        inside = {x: list(acts[x]) for x in self.reach(acts, [start])}
        while True:
            graph = nx.DiGraph((x, y) for x in inside for a in inside[x] for y in self.rows[x, a])
            graph.add_nodes_from(inside)
            parts = enumerate(nx.strongly_connected_components(graph))
            part = {x: number for number, states in parts for x in states}
            kept = {
                x: [a for a in inside[x] if all(part[y] == part[x] for y in self.rows[x, a])]
                for x in inside
            }
            if kept == inside:
                held = {x: kept[x] for x in kept if kept[x]}
                return {x: part[x] for x in held}, held
            inside = kept

    def surely(self, acts: Acts, start: int, target: set[int]) -> bool:
        """Whether a policy over `acts` reaches `target` from `start` with probability 1."""
        kept = self.reach(acts, [start])
        while start in kept:
            graph = nx.DiGraph()
            graph.add_nodes_from(kept)
            for x in kept:
                for a in acts[x]:
                    if kept.issuperset(self.rows[x, a]):
                        graph.add_edges_from((y, x) for y in self.rows[x, a])
            able = target & kept
            able = able.union(*(nx.descendants(graph, y) for y in able)) if able else set()
            if able == kept:
                return True
            kept = able
        return False

    def stays(self, state: int) -> bool:
        """Whether some act surely stays in `state`."""
        return any(set(self.rows[state, a]) == {state} for a in self.acts[state])
