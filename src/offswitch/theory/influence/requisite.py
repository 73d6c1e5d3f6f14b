"""Observations an agent can use, and the diagram without the others."""

from __future__ import annotations

import networkx as nx

from offswitch.theory.influence.d_separation import d_connected
from offswitch.theory.influence.diagram import InfluenceDiagram

__all__ = ["minimal_reduction", "requisite_observations", "touched_utilities"]


def touched_utilities(diagram: InfluenceDiagram) -> frozenset[str]:
    """The utilities the decision can affect: those downstream of it.

    Raises:
        ModelError: the diagram has several decisions.
    """
    return frozenset(diagram.utilities & nx.descendants(diagram.graph, diagram.decision))


def requisite_observations(diagram: InfluenceDiagram) -> frozenset[str]:
    """The observations that may help: d-connected to a touched utility given the other ones.

    The decision itself is among what is given (Everitt et al. 2021, Def. 7).

    Raises:
        ModelError: the diagram has several decisions.
    """
    decision = diagram.decision
    observed = set(diagram.graph.predecessors(decision))
    aims = touched_utilities(diagram)
    return frozenset(
        node
        for node in observed
        if aims & d_connected(diagram.graph, node, (observed | {decision}) - {node})
    )


def minimal_reduction(diagram: InfluenceDiagram) -> InfluenceDiagram:
    """The diagram without the arrows from observations that are not requisite.

    Raises:
        ModelError: the diagram has several decisions.
    """
    decision = diagram.decision
    useless = set(diagram.graph.predecessors(decision)) - requisite_observations(diagram)
    reduced = nx.DiGraph(diagram.graph)
    reduced.remove_edges_from([(node, decision) for node in useless])
    return InfluenceDiagram(nx.freeze(reduced), diagram.decisions, diagram.utilities)
