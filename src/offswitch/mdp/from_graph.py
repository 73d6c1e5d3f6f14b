"""Decision processes out of directed graphs."""

from __future__ import annotations

from typing import Any

from offswitch.errors import ModelError, problems_text
from offswitch.mdp.model import FiniteMDP

__all__ = ["from_graph"]


def from_graph(graph: Any) -> FiniteMDP:  # Any: networkx is not imported for a type
    """The deterministic process in which every out-edge of a node is an action.

    `graph` is a `networkx.DiGraph`. States are its nodes in their order, the first is the start; a
    node without out-edges loops on itself. Edges may all carry an attribute 'action', the name of
    the action; otherwise a node's n-th out-edge is action n.

    >>> import networkx
    >>> fork = from_graph(networkx.DiGraph([("hub", "left"), ("hub", "right")]))
    >>> fork.state_names, fork.available.tolist()
    (('hub', 'left', 'right'), [[True, True], [True, False], [True, False]])

    Raises:
        ModelError: the graph is undirected or empty, only some edges name their action, two edges
            out of one node name the same, or different nodes or actions read the same (1, '1').
    """
    if not graph.is_directed() or not len(graph):
        raise ModelError(f"{graph} is undirected or empty, expected a networkx.DiGraph with a node")
    _refuse_merged("nodes", list(graph))
    index = {node: number for number, node in enumerate(graph)}
    edges = [
        (index[node], number, index[to], name)
        for node in graph
        for number, (_, to, name) in enumerate(graph.out_edges(node, data="action"))
    ]
    names = _action_names([name for *_, name in edges])
    rows: list[tuple[int, int, int, float]] = [
        (state, names.index(str(name)) if names else number, to, 1.0)
        for state, number, to, name in edges
    ]
    _check_distinct(rows, list(graph), names)
    sinks = set(index.values()) - {state for state, *_ in rows}
    rows += [(state, 0, state, 1.0) for state in sorted(sinks)]
    return FiniteMDP.from_coo(
        len(index),
        len(names) or 1 + max(action for _, action, *_ in rows),
        rows,
        state_names=[str(node) for node in graph],
        action_names=names or None,
    )


def _action_names(given: list[object]) -> list[str]:
    named = [name for name in given if name is not None]
    if named and len(named) != len(given):
        raise ModelError(
            f"{len(named)} of {len(given)} edges carry an attribute 'action', expected all or none"
        )
    _refuse_merged("actions", list({(type(name), str(name)): name for name in named}.values()))
    return list(dict.fromkeys(str(name) for name in named))


def _refuse_merged(kind: str, given: list[object]) -> None:
    """Names are text: what is told apart only by its type would become one."""
    met: dict[str, object] = {}
    problems = []
    for one in given:
        other = met.setdefault(str(one), one)
        if other is not one:
            problems.append(f"{kind} {other!r} and {one!r} are both called {str(one)!r}")
    if problems:
        raise ModelError(problems_text("the graph", problems))


def _check_distinct(
    rows: list[tuple[int, int, int, float]], nodes: list[object], names: list[str]
) -> None:
    seen: set[tuple[int, int]] = set()
    for state, action, *_ in rows:
        if (state, action) in seen:
            raise ModelError(
                f"two edges out of node {nodes[state]!r} name the action {names[action]!r}, "
                "expected one. Name them apart, or build the chance with FiniteMDP.from_coo."
            )
        seen.add((state, action))
