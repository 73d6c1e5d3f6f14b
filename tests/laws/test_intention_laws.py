"""Ward et al. 2024, Thms 17 and 18: the path criterion of control is that of intention as well.

Thm 17 is that nothing off the paths from the decision to a utility is ever intended, Thm 18 that
everything on them is, in some model. The definition itself is checked on every set of gifts.
"""

from __future__ import annotations

import itertools
from fractions import Fraction

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offswitch.errors import ModelError
from offswitch.theory.influence.diagram import InfluenceDiagram, influence_diagram
from offswitch.theory.influence.instrumental_control_incentive import (
    instrumental_control_incentive,
)
from offswitch.theory.influence.intention import intended_nodes
from offswitch.theory.influence.structural_model import (
    StructuralModel,
    every_policy,
    outcomes,
    structural_model,
    utility,
)

seeds = st.integers(0, 10**6)
many = settings(max_examples=40, deadline=None, derandomize=True)


def random_diagram(generator: np.random.Generator) -> InfluenceDiagram:
    """A decision, and three nodes of which one or two are utilities."""
    utilities = ["U"] if generator.random() < 0.7 else ["U", "V"]
    inner = ["D", "X", "Y"][: 4 - len(utilities)]
    order = generator.permutation(inner).tolist()
    edges = [pair for pair in itertools.combinations(order, 2) if generator.random() < 0.6]
    edges += [(a, u) for a in inner for u in utilities if generator.random() < 0.5]
    return influence_diagram(edges, decisions=["D"], utilities=utilities, chance=inner[1:])


def random_model(diagram: InfluenceDiagram, generator: np.random.Generator) -> StructuralModel:
    """Two settings, binary nodes, small whole utilities."""
    chance = [[0.5, 0.5], [0.25, 0.75]][int(generator.integers(2))]
    sizes = dict.fromkeys(set(diagram.graph) - diagram.utilities, 2)
    functions = {}
    for node in set(diagram.graph) - {"D"}:
        shape = (2, *(2,) * diagram.graph.in_degree(node))
        low, high = (-2, 3) if node in diagram.utilities else (0, 2)
        functions[node] = generator.integers(low, high, size=shape)
    return structural_model(diagram, chance, functions, sizes=sizes)


def run(model: StructuralModel, policy, setting: int, given: dict[str, float]) -> dict[str, float]:
    """Every node's value in one setting, one after the other."""
    value: dict[str, float] = {}
    for node in nx.topological_sort(model.diagram.graph):
        seen = tuple(
            int(value[parent]) for parent in sorted(model.diagram.graph.predecessors(node))
        )
        if node in given:
            value[node] = given[node]
        elif node == "D":
            value[node] = float(policy[seen])
        else:
            value[node] = float(model.functions[node][(setting, *seen)])
    return value


def total(model: StructuralModel, policy, under, pairs) -> Fraction:
    """Expected utility of `policy` with the (node, setting) pairs as they are in `under`."""
    found = Fraction(0)
    for setting, share in enumerate(model.chance):
        given = {node: under[setting][node] for node, where in pairs if where == setting}
        value = run(model, policy, setting, given)
        found += Fraction(share) * sum(Fraction(value[u]) for u in model.diagram.utilities)
    return found


def intended_by_definition(model: StructuralModel, policy, other) -> set[str]:
    """The nodes of the smallest sets of pairs, among all sets of pairs."""
    settings_ = range(len(model.chance))
    under = [run(model, policy, setting, {}) for setting in settings_]
    pairs = list(itertools.product(sorted(set(model.diagram.graph) - {"D"}), settings_))
    target = total(model, policy, under, [])
    enough: list[frozenset] = []
    for n in range(len(pairs) + 1):
        for some in map(frozenset, itertools.combinations(pairs, n)):
            if not any(less <= some for less in enough) and (
                total(model, other, under, some) >= target
            ):
                enough.append(some)
    return {node for some in enough for node, _ in some}


@pytest.mark.slow
@settings(max_examples=25, deadline=None, derandomize=True)
@given(seeds)
def test_the_intended_nodes_are_those_of_the_definition(seed) -> None:
    generator = np.random.default_rng(seed)
    model = random_model(random_diagram(generator), generator)
    policies = list(every_policy(model))
    policy = max(policies, key=lambda p: model.chance @ utility(model, outcomes(model, p)))
    for chosen in (policy, policies[int(generator.integers(len(policies)))]):
        other = policies[int(generator.integers(len(policies)))]
        expected = intended_by_definition(model, chosen, other)
        assert intended_nodes(model, chosen, [other]) == expected


@pytest.mark.slow
@many
@given(seeds)
def test_ward_theorem_17_nothing_off_the_paths_from_decision_to_utility_is_intended(seed) -> None:
    generator = np.random.default_rng(seed)
    diagram = random_diagram(generator)
    on_paths = {n for n in set(diagram.graph) - {"D"} if instrumental_control_incentive(diagram, n)}
    for _ in range(3):
        model = random_model(diagram, generator)
        for policy in every_policy(model):
            assert intended_nodes(model, policy) <= on_paths


@pytest.mark.slow
@many
@given(seeds)
def test_ward_theorem_18_all_on_the_paths_is_intended_by_an_optimal_policy_of_some_model(
    seed,
) -> None:
    generator = np.random.default_rng(seed)
    diagram = random_diagram(generator)
    for node in sorted(set(diagram.graph) - {"D"}):
        if instrumental_control_incentive(diagram, node):
            model = handing_down(diagram, node)
            policy = np.ones((2,) * diagram.graph.in_degree("D"), dtype=np.int64)
            best = max(
                model.chance @ utility(model, outcomes(model, p)) for p in every_policy(model)
            )
            assert model.chance @ utility(model, outcomes(model, policy)) == best == 1
            assert node in intended_nodes(model, policy)


def handing_down(diagram: InfluenceDiagram, node: str) -> StructuralModel:
    """The decision is handed down a path through `node` to a utility; all else is 0."""
    ends = sorted(u for u in diagram.utilities if nx.has_path(diagram.graph, node, u))
    path = nx.shortest_path(diagram.graph, "D", node)
    path += nx.shortest_path(diagram.graph, node, ends[0])[1:]
    before = {after: parent for parent, after in itertools.pairwise(path)}
    functions = {}
    for name in set(diagram.graph) - {"D"}:
        parents = sorted(diagram.graph.predecessors(name))
        grid = np.indices((2,) * len(parents))
        functions[name] = (
            grid[parents.index(before[name])] if name in before else np.zeros((2,) * len(parents))
        )[None]
    sizes = dict.fromkeys(set(diagram.graph) - diagram.utilities, 2)
    return structural_model(diagram, [1.0], functions, sizes=sizes)


def test_a_side_effect_on_the_way_to_nothing_is_not_intended_nor_what_was_to_come_anyway() -> None:
    diagram = influence_diagram(
        [("D", "X"), ("D", "side"), ("X", "U"), ("fate", "U")],
        decisions=["D"],
        utilities=["U"],
        chance=["fate"],
    )
    sizes = dict.fromkeys(["D", "X", "side", "fate"], 2)
    functions = {
        "X": [[0, 1]] * 2, "side": [[0, 1]] * 2, "fate": [0, 1],
        "U": [[[0, 1], [1, 2]]] * 2,
    }  # fmt: skip
    model = structural_model(diagram, [0.5, 0.5], functions, sizes=sizes)
    assert intended_nodes(model, np.array(1)) == {"X", "U"}
    assert intended_nodes(model, np.array(0)) == set()  # the other is better as it is


def test_what_makes_no_sense_is_refused() -> None:
    diagram = influence_diagram([("D", "X"), ("X", "U")], decisions=["D"], utilities=["U"])
    with pytest.raises(ModelError, match=r"node 'U' has no function\n.*node 'X' has no size"):
        structural_model(diagram, [1.0], {"X": [[0, 1]]}, sizes={"D": 2})
    with pytest.raises(ModelError, match=r"values outside 0, \.\.\., 1"):
        structural_model(diagram, [1], {"X": [[0, 2]], "U": [[0, 1]]}, sizes={"D": 2, "X": 2})
    wide = influence_diagram(
        [("A", "D"), ("D", "U")], decisions=["D"], utilities=["U"], chance=["A"]
    )
    model = structural_model(wide, [1], {"A": [0], "U": [[0, 1]]}, sizes={"D": 2, "A": 15})
    with pytest.raises(ModelError, match="32768 policies, at most 20000"):
        intended_nodes(model, np.zeros(15, dtype=np.int64))
