"""Nodes through which an optimal decision can raise utility."""

from __future__ import annotations

import networkx as nx

from offswitch.theory.influence.diagram import InfluenceDiagram

__all__ = ["instrumental_control_incentive"]


def instrumental_control_incentive(diagram: InfluenceDiagram, node: str) -> bool:
    """Whether the agent can have reason to control `node` for the sake of utility.

    True iff a directed path leads from the decision through the node to a utility. Sound and
    complete for one decision (Everitt et al. 2021); it is also the graphical criterion for
    intention (Ward et al. 2024, Thms 17-18). On a human's preferences it is a reason to manipulate.

    Raises:
        ModelError: the diagram has several decisions, or no such node.
    """
    downstream = nx.descendants(diagram.graph, diagram.decision)
    ahead = nx.descendants(diagram.graph, diagram.checked_node(node)) | {node}
    return node in downstream and bool(diagram.utilities & ahead)
