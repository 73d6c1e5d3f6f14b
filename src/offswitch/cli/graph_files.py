"""Directed graphs on disk, for processes in which every out-edge is an action.

| suffix | content |
|---|---|
| .graphml | GraphML; edges may carry a string attribute 'action' |
| .edgelist | one edge per line: `from to` or `from to action`, split at blanks; # is a comment |
| .json | node-link as networkx writes it, 'edges' or 'links': {"directed": true,
  "nodes": [{"id": ..}], "links": [{"source": .., "target": .., "action": ..}]} |

The first node is the start. A node without out-edges loops on itself.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offswitch.errors import ModelError, problems_text
from offswitch.mdp.files import is_text

if TYPE_CHECKING:
    from networkx import MultiDiGraph

__all__ = ["GRAPH_SUFFIXES", "graph_of_node_link", "read_graph"]

GRAPH_SUFFIXES = (".edgelist", ".graphml")
MOST_PROBLEMS = 20


def read_graph(path: Path) -> MultiDiGraph:
    """The directed graph in a .graphml or .edgelist file; parallel edges are kept.

    Raises:
        ModelError: the file is malformed (every wrong line of an edge list at once), or undirected.
    """
    return _edge_list(path) if path.suffix == ".edgelist" else _graphml(path)


def graph_of_node_link(path: Path, document: dict[str, Any]) -> MultiDiGraph:  # Any: JSON
    """The graph of a node-link document, with edges to unknown nodes refused.

    Raises:
        ModelError: lists every malformed node and edge at once.
    """
    import networkx

    nodes, links = document.get("nodes"), document.get("links", document.get("edges"))
    if not isinstance(nodes, list) or not isinstance(links, list):
        raise ModelError(f"{path}: expected lists 'nodes' and 'links' of a node-link graph")
    problems = [] if document.get("directed") is True else ["'directed' is not true"]
    graph = networkx.MultiDiGraph()
    problems += _add_nodes(graph, nodes)
    for number, link in enumerate(links):
        ends = _ends(link) if isinstance(link, dict) else []
        unknown = [end for end in ends if end not in graph]
        if not ends or unknown:
            said = f"names the unknown node {unknown[0]!r}" if unknown else "is no object"
            problems.append(f"links[{number}] {said}")
            continue
        problems += [f"links[{number}] {said}" for said in _action_problems(link)]
        graph.add_edge(*ends, **({"action": link["action"]} if "action" in link else {}))
    _refuse(path, problems)
    return graph


def _add_nodes(graph: MultiDiGraph, nodes: list[object]) -> list[str]:
    """What is wrong with `nodes`; the others are in `graph` afterwards, by the names they get."""
    problems = []
    first: dict[str, int] = {}
    for number, node in enumerate(nodes):
        if not (isinstance(node, dict) and "id" in node):
            problems.append(f"nodes[{number}] has no 'id'")
            continue
        name = _name(node["id"])
        same = first.setdefault(name, number)
        if same != number:
            problems.append(f"nodes[{number}] is called {name!r}, as is nodes[{same}]")
        problems += [f"nodes[{number}] {said}" for said in _word_problems(name)]
        graph.add_node(name)
    return problems


def _action_problems(link: dict[str, Any]) -> list[str]:  # Any: JSON
    action = link.get("action", "unnamed")
    if isinstance(action, str):
        return [f"has an action that {said}" for said in _word_problems(action)]
    plain = isinstance(action, int | float) or action is None
    return [] if plain else [f"has the action {action!r}, expected a string"]


def _word_problems(name: str) -> list[str]:
    problems = [] if name.strip() else ["has an empty name"]
    return problems + ([] if is_text(name) else [f"is {name!r}, which is no Unicode text"])


def _ends(link: dict[str, Any]) -> list[str]:  # Any: JSON
    return [_name(link.get("source")), _name(link.get("target"))]


def _name(given: object) -> str:
    """JSON has no tuples: a node (0, 1) of a grid is written as a list."""
    if isinstance(given, list):
        return f"({', '.join(str(part) for part in given)})"
    return given if isinstance(given, str) else json.dumps(given)


def _edge_list(path: Path) -> MultiDiGraph:
    import networkx

    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as text: {error}") from error
    graph = networkx.MultiDiGraph()
    problems = []
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if len(words) in (2, 3):
            graph.add_edge(words[0], words[1], **({"action": words[2]} if words[2:] else {}))
        elif words:
            problems.append(f"line {number} has {len(words)} words, expected: from to [action]")
    _refuse(path, problems if graph or problems else ["holds no edge"])
    return graph


def _graphml(path: Path) -> MultiDiGraph:
    from xml.etree.ElementTree import ParseError

    import networkx

    try:
        graph = networkx.read_graphml(path, force_multigraph=True)
    except (OSError, ValueError, KeyError, ParseError, networkx.NetworkXException) as error:
        raise ModelError(f"{path} cannot be read as GraphML: {error}") from error
    problems = [] if graph.is_directed() else ["the graph is undirected, expected directed"]
    problems += [f"node {node!r} {said}" for node in graph for said in _word_problems(str(node))]
    _refuse(path, problems)
    return graph


def _refuse(path: Path, problems: list[str]) -> None:
    if problems:
        hidden = len(problems) - MOST_PROBLEMS
        rest = [f"and {hidden} more of the same kind"] if hidden > 0 else []
        raise ModelError(problems_text(str(path), problems[:MOST_PROBLEMS] + rest))
