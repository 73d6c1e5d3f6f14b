"""Nodes whose observation can be worth something."""

from __future__ import annotations

import networkx as nx

from offswitch.theory.influence.d_separation import d_connected
from offswitch.theory.influence.diagram import InfluenceDiagram
from offswitch.theory.influence.requisite import touched_utilities

__all__ = ["value_of_information"]


def value_of_information(diagram: InfluenceDiagram, node: str) -> bool:
    """Whether observing `node` at the decision can raise the attainable utility.

    True iff the node is not downstream of the decision and is d-connected to a utility that is,
    given the decision and what else it observes. Sound and complete for diagrams with one decision:
    where false it never does, where true some model of the diagram shows it (Everitt et al. 2021,
    value of information criterion). For a node that is observed, it is whether losing sight of
    it can cost.

    Raises:
        ModelError: the diagram has several decisions, or no such node.
    """
    decision, graph = diagram.decision, diagram.graph
    if diagram.checked_node(node) in nx.descendants(graph, decision) | {decision}:
        return False
    known = (set(graph.predecessors(decision)) | {decision}) - {node}
    return bool(touched_utilities(diagram) & d_connected(graph, node, known))
