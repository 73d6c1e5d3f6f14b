"""Processes whose POWER is known, and random ones of every kind."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import networkx as nx
import numpy as np

from offswitch.mdp.model import FiniteMDP

KINDS = ("deterministic", "sparse", "dense", "periodic", "multichain", "masked")


def process(*edges: tuple[str, str]) -> FiniteMDP:
    """The deterministic process of a graph; the first node named is the start."""
    return FiniteMDP.from_graph(nx.DiGraph(list(edges)))


def star(leaves: int) -> FiniteMDP:
    return process(*(("hub", f"leaf {n}") for n in range(leaves)))


def random_process(kind: str, seed: int, n_states: int = 5, n_actions: int = 3) -> FiniteMDP:
    generator = np.random.default_rng([KINDS.index(kind), seed])
    dense = generator.dirichlet(np.full(n_states, 0.3), size=(n_states, n_actions))
    if kind == "deterministic":
        dense = np.eye(n_states)[generator.integers(n_states, size=(n_states, n_actions))]
    elif kind == "sparse":
        dense *= generator.random(dense.shape) < 0.5
        dense[..., 0] += dense.sum(axis=2) == 0
        dense /= dense.sum(axis=2, keepdims=True)
    elif kind == "periodic":  # even states lead to odd ones and back
        even = np.arange(n_states) % 2
        dense *= even[:, None, None] != even[None, None, :]
        dense /= dense.sum(axis=2, keepdims=True)
    elif kind == "multichain":  # two halves that never meet
        half = np.arange(n_states) < n_states // 2
        dense *= half[:, None, None] == half[None, None, :]
        dense /= dense.sum(axis=2, keepdims=True)
    elif kind == "masked":
        dense[:, 1:] *= (generator.random((n_states, n_actions - 1)) < 0.5)[..., None]
    return FiniteMDP.from_dense(dense)


@dataclass(frozen=True)
class ClosedForm:
    """POWER of some states under iid U(0, 1), as a function of the discount g."""

    name: str
    mdp: FiniteMDP
    power: dict[str, str]
    """State to formula in g."""

    def at(self, g: float) -> dict[int, float]:
        names = self.mdp.state_names
        return {names.index(state): eval(text, {"g": g}) for state, text in self.power.items()}


def _forced_steps(steps: int) -> ClosedForm:
    path = [f"step {n}" for n in range(steps)] + ["hub"]
    edges = [*itertools.pairwise(path), *(("hub", f"leaf {n}") for n in range(3))]
    formula = f"(1 - g**{steps}) / 2 + g**{steps} * 3 / 4"
    return ClosedForm(f"{steps} forced steps to a star", process(*edges), {"step 0": formula})


def _shutdown_or_hub(leaves: int) -> ClosedForm:
    edges = [("s", "off"), ("s", "hub"), *(("hub", f"leaf {n}") for n in range(leaves))]
    k = leaves
    square = f"(1 - g)**2 / 3 + g * (1 - g) * {k} / {k + 1} + g**2 * {k} / {k + 2}"
    return ClosedForm(f"shutdown or hub of {k}", process(*edges), {"s": f"(1 + {square}) / 2"})


STAY = "(2 / 3 + g / 2) / (1 + g)"

CLOSED_FORMS = (
    ClosedForm("absorbing", process(("alone", "alone")), {"alone": "1 / 2"}),
    ClosedForm("3-cycle", process(("a", "b"), ("b", "c"), ("c", "a")), {"a": "1/2", "b": "1/2"}),
    *(
        ClosedForm(f"star of {k}", star(k), {"hub": f"{k} / {k + 1}", "leaf 0": "1 / 2"})
        for k in (1, 2, 5)
    ),
    ClosedForm(
        "complete graph with loops",
        process(*itertools.product("abcd", repeat=2)),
        dict.fromkeys("abcd", "4 / 5"),
    ),
    ClosedForm(
        "Turner's figure 3",
        process(("sw", "sw"), ("sw", "nw"), ("nw", "sw")),
        {"sw": STAY, "nw": f"(1 - g) / 2 + g * {STAY}"},
    ),
    ClosedForm(
        "stay or leave for good",
        process(("se", "se"), ("se", "ne"), ("ne", "ne")),
        {"se": "2 / 3", "ne": "1 / 2"},
    ),
    _forced_steps(1),
    _forced_steps(3),
    _shutdown_or_hub(1),
    _shutdown_or_hub(4),
)
