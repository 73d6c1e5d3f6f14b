"""Small processes on which POWER has to be sampled."""

from __future__ import annotations

import networkx as nx
import numpy as np

from offswitch.mdp.model import FiniteMDP


def star(leaves: int) -> FiniteMDP:
    return FiniteMDP.from_graph(nx.DiGraph([("hub", f"leaf {n}") for n in range(leaves)]))


def grid(side: int) -> FiniteMDP:
    """Stay or move to a neighbour; walls reflect."""
    moves, last = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)), side - 1
    rows = [
        (y * side + x, a, min(max(y + dy, 0), last) * side + min(max(x + dx, 0), last), 1.0)
        for y in range(side)
        for x in range(side)
        for a, (dy, dx) in enumerate(moves)
    ]
    return FiniteMDP.from_coo(side * side, 5, rows)


def chance(n_states: int = 6, n_actions: int = 3, seed: int = 4) -> FiniteMDP:
    generator = np.random.default_rng(seed)
    return FiniteMDP.from_dense(
        generator.dirichlet(np.full(n_states, 0.3), size=(n_states, n_actions))
    )


def pair() -> FiniteMDP:
    """Turner et al. 2021, Fig. 3: stay or go, and come back."""
    return FiniteMDP.from_graph(nx.DiGraph([("sw", "sw"), ("sw", "nw"), ("nw", "sw")]))
