"""Tabular causal models: a table for each node given its parents, exact sums and interventions.

The shutdown problem on them is Carey and Everitt 2023 (arXiv 2305.19861), Def. 2: a path from the
agent's first decision to the human's request H, from there to the second decision, to shutdown S
and to the human's utility U. Decisions carry the agent's policy as their table, so a model here is
the paper's M^pi. H = 0 requests shutdown and S = 0 is shutdown.

Every definition of that paper is a finite sum over the joint distribution, because what is
conditioned on, the parents of H, comes before H and S and so is the same under do(H) and do(S).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError, nearest_name, problems_text
from offswitch.theory.distribution import checked_distribution, checked_numbers

__all__ = [
    "CausalModel",
    "Node",
    "ShutdownProblem",
    "causal_model",
    "do",
    "joint",
    "probability",
    "shutdown_problem",
    "soft",
    "utility_values",
    "with_human",
]

EXACT = 1e-12
"""Probabilities this close to 0 or 1, and relative differences of utility this small, are rounding
of the sums of products; the definitions here then count them as 0 or 1, or as ties."""
MOST_ENTRIES = 20_000_000
"""Joint settings of all nodes; beyond, exact sums are refused."""


class Node(NamedTuple):
    """One node of a model."""

    parents: tuple[str, ...]
    """What it depends on directly."""
    table: NDArray[np.float64]
    """[values of parent 1, ..., own values] probability of its value given its parents'."""


@dataclass(frozen=True, eq=False)
class CausalModel:
    """Nodes in causal order; made by `causal_model`, which checks them once."""

    nodes: Mapping[str, Node]
    """Name -> node; parents come before children."""


@dataclass(frozen=True, eq=False)
class ShutdownProblem:
    """A model with the roles of the shutdown problem; made by `shutdown_problem`."""

    model: CausalModel
    """The world, the human and the agent with its policy."""
    first_decision: str
    """D1, by which the agent may influence the human."""
    request: str
    """H; value 0 asks for shutdown."""
    second_decision: str
    """D2, whether the agent obeys."""
    shutdown: str
    """S; value 0 is shutdown."""
    cares_about: tuple[str, ...]
    """The parents of U."""
    utility: NDArray[np.float64]
    """[values of each of those] the human's utility; being left alone is worth 0."""


def causal_model(nodes: Mapping[str, tuple[Sequence[str], ArrayLike]]) -> CausalModel:
    """The model in which each name has (parents, table `[parent values ..., own values]`).

    >>> coin = causal_model({"rain": ([], [0.75, 0.25]), "wet": (["rain"], [[1, 0], [0, 1]])})
    >>> joint(coin).tolist()
    [[0.75, 0.0], [0.0, 0.25]]

    Raises:
        ModelError: lists unknown parents and cycles at once; or a table has the wrong shape or
            rows that are no distributions.
    """
    graph = nx.DiGraph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from(
        (parent, name) for name, (parents, _) in nodes.items() for parent in parents
    )
    problems = [
        f"node {name!r}: {nearest_name(parent, nodes, kind='parent', lister='list(nodes)')}"
        for name, (parents, _) in nodes.items()
        for parent in parents
        if parent not in nodes
    ]
    problems += [
        f"node {name!r} names a parent twice: {list(parents)}"
        for name, (parents, _) in nodes.items()
        if len(set(parents)) < len(parents)
    ]
    if not nx.is_directed_acyclic_graph(graph):
        problems.append(f"a cycle: {' -> '.join(start for start, _ in nx.find_cycle(graph))}")
    if problems:
        raise ModelError(problems_text("causal model", problems))
    checked: dict[str, Node] = {}
    for name in nx.topological_sort(graph):
        parents, table = nodes[name]
        sizes = tuple(checked[parent].table.shape[-1] for parent in parents)
        checked[name] = Node(
            tuple(parents), checked_distribution(f"table of {name!r}", table, (*sizes, None))
        )
    return CausalModel(checked)


def joint(model: CausalModel) -> NDArray[np.float64]:
    """[values of node 1, values of node 2, ...] the joint probability, in the model's order.

    O(product of the numbers of values).

    Raises:
        ModelError: there are more than 20 million joint settings.
    """
    names = list(model.nodes)
    sizes = [node.table.shape[-1] for node in model.nodes.values()]
    if math.prod(sizes) > MOST_ENTRIES:
        raise ModelError(
            f"the nodes have {math.prod(sizes)} joint settings, at most {MOST_ENTRIES} are summed "
            "exactly. Merge values or nodes."
        )
    total = np.ones((1,) * len(names))
    for name, node in model.nodes.items():
        total = total * _spread(node.table, [*node.parents, name], names)
    return total


def do(model: CausalModel, name: str, value: int) -> CausalModel:
    """The model in which `name` is set to `value` from outside, whatever its causes.

    Not the same as seeing it there: what causes the node keeps its distribution.

    Raises:
        ModelError: no such node or value.
    """
    node = model.nodes[_known(model, name)]
    size = node.table.shape[-1]
    if not 0 <= value < size:
        raise ModelError(f"do({name} = {value}): expected a value in [0, {size})")
    return CausalModel({**model.nodes, name: Node((), np.eye(size)[value])})


def soft(model: CausalModel, name: str, table: ArrayLike) -> CausalModel:
    """The model in which `name` answers to its parents by another `table` of the same shape.

    Raises:
        ModelError: no such node, or the table has another shape or is no distribution.
    """
    node = model.nodes[_known(model, name)]
    new = checked_distribution(f"table of {name!r}", table, node.table.shape)
    return CausalModel({**model.nodes, name: Node(node.parents, new)})


def shutdown_problem(
    model: CausalModel,
    roles: tuple[str, str, str, str],
    cares_about: Sequence[str],
    utility: ArrayLike,
) -> ShutdownProblem:
    """The shutdown problem on `model`; `roles` are (first decision, request, second, shutdown).

    `utility` has an axis for each node of `cares_about`.

    Raises:
        ModelError: lists unknown names and missing links of the path at once; or the utility has
            the wrong shape.
    """
    names = list(model.nodes)
    unknown = [name for name in (*roles, *cares_about) if name not in model.nodes]
    if unknown:
        texts = [nearest_name(n, names, kind="node", lister="list(model.nodes)") for n in unknown]
        raise ModelError(problems_text("shutdown problem", texts))
    graph = nx.DiGraph([(p, name) for name, node in model.nodes.items() for p in node.parents])
    graph.add_nodes_from(names)
    problems = [
        f"no path from {early!r} to {late!r}, which the shutdown problem has"
        for early, late in itertools.pairwise(roles)
        if late not in nx.descendants(graph, early)
    ]
    if not any(name in nx.descendants(graph, roles[3]) | {roles[3]} for name in cares_about):
        problems.append(f"the utility does not depend on {roles[3]!r}, directly or not")
    problems += [f"cares_about names {n!r} twice" for n in cares_about if cares_about.count(n) > 1]
    if problems:
        raise ModelError(problems_text("shutdown problem", problems))
    sizes = tuple(model.nodes[name].table.shape[-1] for name in cares_about)
    worth = checked_numbers("utility", utility, sizes)
    return ShutdownProblem(model, *roles, tuple(cares_about), worth)


def utility_values(
    problem: ShutdownProblem, *, shut_down: bool = False
) -> dict[tuple[int, ...], tuple[float, float]]:
    """Parents of H -> (their probability, E[U; they] or E[U_{S=0}; they]).

    The expectation is over the event that the parents have those values, not conditional on it:
    comparing products needs no division. Settings without probability are left out.
    """
    model = problem.model
    names = list(model.nodes)
    chance = joint(do(model, problem.shutdown, 0) if shut_down else model)
    # do() keeps the node's place in the mapping, so the axes are the same either way.
    earned = chance * _spread(problem.utility, list(problem.cares_about), names)
    causes = model.nodes[problem.request].parents
    mass, worth = _kept(chance, causes, names), _kept(earned, causes, names)
    return {
        tuple(int(value) for value in where): (
            float(mass[tuple(where)]),
            float(worth[tuple(where)]),
        )
        for where in np.argwhere(mass > 0)
    }


def with_human(
    problem: ShutdownProblem, *, request: ArrayLike | None = None, utility: ArrayLike | None = None
) -> ShutdownProblem:
    """The problem with another human: her table of requests, her utility, or both."""
    model = problem.model if request is None else soft(problem.model, problem.request, request)
    worth = (
        problem.utility
        if utility is None
        else checked_numbers("utility", utility, problem.utility.shape)
    )
    return replace(problem, model=model, utility=worth)


def probability(problem_model: CausalModel, event: Mapping[str, int]) -> float:
    """The probability that every node of `event` has the value it names."""
    names = list(problem_model.nodes)
    index = tuple(event.get(name, slice(None)) for name in names)
    return float(joint(problem_model)[index].sum())


def _known(model: CausalModel, name: str) -> str:
    if name not in model.nodes:
        raise ModelError(nearest_name(name, model.nodes, kind="node", lister="list(model.nodes)"))
    return name


def _spread(
    table: NDArray[np.float64], axes: Sequence[str], names: Sequence[str]
) -> NDArray[np.float64]:
    """`table`, whose axes are nodes, with an axis for every node of `names` in their order."""
    order = sorted(range(len(axes)), key=lambda axis: names.index(axes[axis]))
    sorted_table = table.transpose(order)
    sizes = iter(sorted_table.shape)
    return sorted_table.reshape([next(sizes) if name in axes else 1 for name in names])


def _kept(
    table: NDArray[np.float64], kept: Sequence[str], names: Sequence[str]
) -> NDArray[np.float64]:
    """`table` summed over all nodes but `kept`, whose axes come out in the order given."""
    positions = [names.index(name) for name in kept]
    rest = tuple(axis for axis in range(len(names)) if axis not in positions)
    summed = table.sum(axis=rest)
    left = sorted(positions)
    turned: NDArray[np.float64] = summed.transpose([left.index(place) for place in positions])
    return turned
