"""Which nodes of a causal graph can depend on each other once others are known.

Written out rather than taken from networkx, whose name for it changed with versions 3.3 and 3.5.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

import networkx as nx

__all__ = ["d_connected"]


def d_connected(graph: nx.DiGraph[str], node: str, given: Collection[str]) -> frozenset[str]:
    """The nodes outside `given` that some active path joins to `node`, itself among them.

    A path is active if every collider on it is in `given` or has a descendant there, and nothing
    else on it is (Pearl 1988; walked as in Shachter 1998). Empty where
    `node` itself is given. O(nodes + arrows).

    >>> sorted(d_connected(nx.DiGraph([("a", "c"), ("b", "c")]), "a", []))
    ['a', 'c']
    >>> sorted(d_connected(nx.DiGraph([("a", "c"), ("b", "c")]), "a", ["c"]))
    ['a', 'b']
    """
    known = set(given)
    if node in known:
        return frozenset()
    found: set[str] = set()
    # A step is a node and whether it was entered from a child (as the start is) or from a parent.
    queue: deque[tuple[str, bool]] = deque([(node, True)])
    seen: set[tuple[str, bool]] = set()
    while queue:
        step = queue.popleft()
        if step in seen:
            continue
        seen.add(step)
        here, from_child = step
        if here not in known:
            found.add(here)
            queue.extend((child, False) for child in graph.successors(here))
        # A collider above a known node is opened too: the walk goes down to that node and back up.
        if (here in known) != from_child:
            queue.extend((parent, True) for parent in graph.predecessors(here))
    return frozenset(found)
