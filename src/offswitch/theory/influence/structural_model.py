"""An influence diagram with functions on its nodes: what happens under a policy, case by case.

Everitt et al. 2021 (arXiv 2102.01685), Def. 3: all chance is in one variable outside the diagram,
of which everything else is a function. E settings of it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError, problems_text
from offswitch.theory.distribution import checked_distribution, checked_numbers
from offswitch.theory.influence.diagram import InfluenceDiagram

__all__ = ["StructuralModel", "every_policy", "outcomes", "structural_model", "utility"]

MOST_POLICIES = 20_000
"""Deterministic policies listed; 2 options in 14 contexts."""


@dataclass(frozen=True, eq=False)
class StructuralModel:
    """A diagram and its functions; made by `structural_model`, which checks them once."""

    diagram: InfluenceDiagram
    """It has one decision."""
    chance: NDArray[np.float64]
    """[E] the probability of each setting."""
    functions: Mapping[str, NDArray[np.float64]]
    """Node -> [E, values of its first parent, ...] its value, parents in the order of the alphabet:
    0, 1, ... for chance nodes, any number for utilities."""
    sizes: Mapping[str, int]
    """Decision or chance node -> the number of its values."""

    def parents(self, node: str) -> list[str]:
        """Those of `node`, in the order of the alphabet."""
        return sorted(self.diagram.graph.predecessors(node))


def structural_model(
    diagram: InfluenceDiagram,
    chance: ArrayLike,
    functions: Mapping[str, ArrayLike],
    *,
    sizes: Mapping[str, int],
) -> StructuralModel:
    """The model with `functions` on the chance and utility nodes of `diagram`.

    >>> from offswitch.theory.influence.diagram import influence_diagram
    >>> push = influence_diagram([("D", "X"), ("X", "U")], decisions=["D"], utilities=["U"])
    >>> model = structural_model(
    ...     push, [1.0], {"X": [[0, 1]], "U": [[0.0, 5.0]]}, sizes={"D": 2, "X": 2}
    ... )
    >>> {node: value.tolist() for node, value in outcomes(model, np.array(1)).items()}
    {'D': [1.0], 'X': [1.0], 'U': [5.0]}

    Raises:
        ModelError: lists nodes without a function or a size at once; or a function has the wrong
            shape, or a chance node a value outside its size.
    """
    given = checked_distribution("chance", chance, (None,))
    inner = set(diagram.graph) - diagram.utilities
    problems = [
        f"node {node!r} has no function"
        for node in sorted(set(diagram.graph) - {diagram.decision} - set(functions))
    ]
    problems += [f"node {node!r} has no size" for node in sorted(inner - set(sizes))]
    if problems:
        raise ModelError(problems_text("structural model", problems))
    checked = {}
    for node in sorted(set(diagram.graph) - {diagram.decision}):
        axes = tuple(sizes[parent] for parent in sorted(diagram.graph.predecessors(node)))
        table = checked_numbers(f"function of {node!r}", functions[node], (len(given), *axes))
        if node in inner and not np.isin(table, range(sizes[node])).all():
            raise ModelError(
                f"the function of {node!r} has values outside 0, ..., {sizes[node] - 1}"
            )
        checked[node] = table
    return StructuralModel(diagram, given, checked, {node: sizes[node] for node in inner})


def every_policy(model: StructuralModel) -> Iterator[NDArray[np.int64]]:
    """Each deterministic policy: [values of the decision's first parent, ...] what is decided.

    Raises:
        ModelError: there are more than 20 000.
    """
    decision = model.diagram.decision
    shape = tuple(model.sizes[parent] for parent in model.parents(decision))
    options, contexts = model.sizes[decision], math.prod(shape)
    if options**contexts > MOST_POLICIES:
        raise ModelError(
            f"there are {options**contexts} policies, at most {MOST_POLICIES} are listed. Merge "
            "values of what the decision observes, or name the policies to compare with."
        )
    for choices in itertools.product(range(options), repeat=contexts):
        yield np.array(choices, dtype=np.int64).reshape(shape)


def outcomes(
    model: StructuralModel,
    policy: NDArray[np.int64],
    fixed: Mapping[str, NDArray[np.float64]] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Node -> [E] its value in each setting, if `fixed` nodes have the values [E] given instead.

    NaN in `fixed` leaves the node to its function in that setting.
    """
    size = len(model.chance)
    value: dict[str, NDArray[np.float64]] = {}
    for node in nx.topological_sort(model.diagram.graph):
        seen = tuple(value[parent].astype(np.int64) for parent in model.parents(node))
        if node == model.diagram.decision:
            found = np.broadcast_to(policy[seen], size).astype(np.float64)
        else:
            found = model.functions[node][(np.arange(size), *seen)]
        if fixed and node in fixed:
            found = np.where(np.isnan(fixed[node]), found, fixed[node])
        value[node] = found
    return value


def utility(
    model: StructuralModel, value: Mapping[str, NDArray[np.float64]]
) -> NDArray[np.float64]:
    """[E] the sum of the utilities in each setting, given the values of all nodes."""
    return np.asarray(sum(value[node] for node in sorted(model.diagram.utilities)))
