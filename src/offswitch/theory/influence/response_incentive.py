"""Nodes an optimal decision must respond to."""

from __future__ import annotations

import networkx as nx

from offswitch.theory.influence.diagram import InfluenceDiagram
from offswitch.theory.influence.requisite import minimal_reduction

__all__ = ["response_incentive"]


def response_incentive(diagram: InfluenceDiagram, node: str) -> bool:
    """Whether every optimal policy may have to change its decision when `node` is changed.

    True iff the minimal reduction has a directed path from the node to the decision. Sound and
    complete for one decision (Everitt et al. 2021, response incentive criterion). On a protected
    attribute it means that optimal predictions can be counterfactually unfair.

    Raises:
        ModelError: the diagram has several decisions, or no such node.
    """
    reduced = minimal_reduction(diagram)
    return diagram.checked_node(node) in nx.ancestors(reduced.graph, diagram.decision)
