"""Causal influence diagrams: chance, decision and utility nodes on a directed acyclic graph.

Everitt, Carey, Langlois, Ortega & Legg 2021 (arXiv 2102.01685), Def. 2. An arrow into a decision
says what is observed there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import networkx as nx

from offswitch.errors import ModelError, nearest_name, problems_text

__all__ = ["InfluenceDiagram", "influence_diagram"]


@dataclass(frozen=True, eq=False)
class InfluenceDiagram:
    """A typed, acyclic diagram; made by `influence_diagram`, which checks it once."""

    graph: nx.DiGraph[str]
    """Frozen; every node is a name."""
    decisions: frozenset[str]
    """Nodes the agent sets, at least one."""
    utilities: frozenset[str]
    """Nodes whose sum the agent maximises, at least one, without children."""

    @property
    def decision(self) -> str:
        """The decision.

        Raises:
            ModelError: there are several; the criteria here are for one.
        """
        if len(self.decisions) > 1:
            raise ModelError(
                f"the diagram has {len(self.decisions)} decisions ({_listed(self.decisions)}); "
                "this criterion is for one. Give the others a policy, as chance nodes."
            )
        return next(iter(self.decisions))

    def checked_node(self, node: str) -> str:
        """`node`, which is in the diagram.

        Raises:
            ModelError: it is not; names the nearest node.
        """
        if node not in self.graph:
            known = [str(name) for name in self.graph]
            raise ModelError(
                nearest_name(str(node), known, kind="node", lister="sorted(diagram.graph)")
            )
        return node


def influence_diagram(
    edges: Iterable[tuple[str, str]],
    *,
    decisions: Collection[str],
    utilities: Collection[str],
    chance: Collection[str] = (),
) -> InfluenceDiagram:
    """The diagram with arrows `edges`; nodes named in neither list are chance nodes.

    `chance` adds nodes without arrows, and may name others for the record.

    >>> grades = influence_diagram(
    ...     [("school", "grade"), ("school", "guess"), ("grade", "score"), ("guess", "score")],
    ...     decisions=["guess"],
    ...     utilities=["score"],
    ... )
    >>> grades.decision
    'guess'

    Raises:
        ModelError: lists every problem at once: no decision or utility, a node of two kinds, a
            utility with children, a cycle.
    """
    for name, given in (("decisions", decisions), ("utilities", utilities), ("chance", chance)):
        if isinstance(given, str):
            raise ModelError(f"{name} is the text {given!r}, expected a list of names: [{given!r}]")
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_edges_from(edges)
    graph.add_nodes_from([*decisions, *utilities, *chance])
    problems = [
        *_kind_problems(decisions, utilities, chance),
        *_graph_problems(graph, utilities),
    ]
    if problems:
        raise ModelError(problems_text("influence diagram", problems))
    return InfluenceDiagram(nx.freeze(graph), frozenset(decisions), frozenset(utilities))


def _kind_problems(
    decisions: Collection[str], utilities: Collection[str], chance: Collection[str]
) -> list[str]:
    problems = [
        f"no {kind} is named, expected at least one"
        for kind, names in (("decision", decisions), ("utility", utilities))
        if not names
    ]
    kinds = (("decision", set(decisions)), ("utility", set(utilities)), ("chance", set(chance)))
    for number, (kind, names) in enumerate(kinds):
        for other, more in kinds[number + 1 :]:
            problems += [
                f"node {node!r} is named a {kind} and a {other} node. Name it once."
                for node in sorted(names & more)
            ]
    return problems


def _graph_problems(graph: nx.DiGraph[str], utilities: Collection[str]) -> list[str]:
    problems = [
        f"utility {node!r} has children ({_listed(graph.successors(node))}), expected none. Give "
        "them what it depends on."
        for node in sorted(set(utilities))
        if graph.out_degree(node)
    ]
    if not nx.is_directed_acyclic_graph(graph):
        cycle = [start for start, _ in nx.find_cycle(graph)]
        problems.append(f"a cycle: {' -> '.join([*cycle, cycle[0]])}. A diagram has none.")
    return problems


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names))
