"""Nodes whose control can be worth something."""

from __future__ import annotations

import networkx as nx

from offswitch.theory.influence.diagram import InfluenceDiagram
from offswitch.theory.influence.requisite import minimal_reduction

__all__ = ["value_of_control"]


def value_of_control(diagram: InfluenceDiagram, node: str) -> bool:
    """Whether setting `node`, as a function of its causes, can raise the attainable utility.

    True iff the node is not the decision and the minimal reduction has a directed path from it to a
    utility (the utilities themselves included). Sound and complete for one decision (Everitt et al.
    2021, value of control criterion).

    Raises:
        ModelError: the diagram has several decisions, or no such node.
    """
    if diagram.checked_node(node) == diagram.decision:
        return False
    reduced = minimal_reduction(diagram).graph
    return bool(diagram.utilities & (nx.descendants(reduced, node) | {node}))
