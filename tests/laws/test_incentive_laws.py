"""Everitt et al. 2021: four graphical criteria, each sound and complete, on random diagrams.

Sound: where a criterion says no, no model shows the incentive by its definition. Complete: where it
says yes, some model does, which is searched for. Random models have one fair bit for every chance
node, and many parities, which show what other functions hide.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offswitch.theory.influence.diagram import InfluenceDiagram, influence_diagram
from offswitch.theory.influence.instrumental_control_incentive import (
    instrumental_control_incentive,
)
from offswitch.theory.influence.response_incentive import response_incentive
from offswitch.theory.influence.structural_model import (
    StructuralModel,
    outcomes,
    structural_model,
    utility,
)
from offswitch.theory.influence.value_of_control import value_of_control
from offswitch.theory.influence.value_of_information import value_of_information

seeds = st.integers(0, 10**6)
few = settings(max_examples=60, deadline=None, derandomize=True)
SOUND, SEARCH = 40, 2500
CHANCE = ("X", "Y")
Generator = np.random.Generator


def random_diagram(generator: Generator) -> InfluenceDiagram:
    order = generator.permutation(["D", *CHANCE]).tolist()
    edges = [pair for pair in itertools.combinations(order, 2) if generator.random() < 0.6]
    edges += [(node, "U") for node in order if generator.random() < 0.6]
    return influence_diagram(edges, decisions=["D"], utilities=["U"], chance=CHANCE)


def parity(shape: tuple[int, ...], used: np.ndarray) -> np.ndarray:
    grid = np.indices(shape)
    return sum((grid[axis] for axis in used), start=np.zeros(shape, dtype=int)) % 2


def random_model(diagram: InfluenceDiagram, generator: Generator) -> StructuralModel:
    functions = {}
    for place, node in enumerate([*CHANCE, "U"]):
        shape = (2, 2, *(2,) * diagram.graph.in_degree(node))
        if node == "U":
            table = parity(shape, 2 + np.flatnonzero(generator.random(len(shape) - 2) < 0.7))
            if generator.random() < 0.3:
                table = generator.integers(-2, 3, size=(1, 1, *shape[2:])) + np.zeros(shape, int)
        else:  # its own bit is one of the first two axes
            axes = np.array([place, *range(2, len(shape))])
            used = generator.random(len(axes)) < [0.35, *(len(axes) - 1) * [0.65]]
            table = parity(shape, axes[used])
        functions[node] = table.reshape(4, *shape[2:])
    sizes = dict.fromkeys(["D", *CHANCE], 2)
    return structural_model(diagram, np.full(4, 0.25), functions, sizes=sizes)


def decided(model: StructuralModel, option: int, given=None) -> dict[str, np.ndarray]:
    """What happens if the decision is `option` whatever is observed."""
    return outcomes(model, np.full((2,) * len(model.parents("D")), option), given)


def context(value: dict[str, np.ndarray], observed: set[str]) -> np.ndarray:
    return sum(
        (2**i * value[node] for i, node in enumerate(sorted(observed))), start=np.zeros(4)
    ).astype(int)


def totals(model: StructuralModel, observed: set[str]) -> np.ndarray:
    """[contexts, options] utility summed over the settings of each context."""
    found = np.zeros((2 ** len(observed), 2))
    for option in (0, 1):
        value = decided(model, option)
        np.add.at(found[:, option], context(value, observed), utility(model, value))
    return found


def best(model: StructuralModel, observed: set[str]) -> float:
    return float(totals(model, observed).max(axis=1).sum())


def optimal_options(model: StructuralModel, observed: set[str]) -> list[list[int]]:
    return [np.flatnonzero(row == row.max()).tolist() for row in totals(model, observed)]


def is_worth_knowing(model: StructuralModel, node: str) -> bool:
    observed = set(model.parents("D")) - {node}
    return best(model, observed | {node}) > best(model, observed)


def is_responded_to(model: StructuralModel, node: str) -> bool:
    """Every optimal policy decides otherwise, in some setting, if the node is set."""
    observed = set(model.parents("D"))
    usual = context(decided(model, 0), observed)
    changed = [context(decided(model, 0, {node: np.full(4, x)}), observed) for x in (0.0, 1.0)]
    return all(
        any((np.array(policy)[other] != np.array(policy)[usual]).any() for other in changed)
        for policy in itertools.product(*optimal_options(model, observed))
    )


def is_worth_setting(model: StructuralModel, node: str) -> bool:
    """Some function of the node's parents in place of its own raises the optimum."""
    observed, shape = set(model.parents("D")), model.functions[node].shape
    rules = itertools.product((0, 1), repeat=int(np.prod(shape[1:], dtype=int)))
    return any(
        best(
            structural_model(
                model.diagram,
                model.chance,
                {**model.functions, node: np.broadcast_to(np.reshape(rule, shape[1:]), shape)},
                sizes=model.sizes,
            ),
            observed,
        )
        > best(model, observed)
        for rule in rules
    )


def is_used(model: StructuralModel, node: str) -> bool:
    """In a context with one optimal option, utility changes if the node is as under another."""
    observed = set(model.parents("D"))
    here = context(decided(model, 0), observed)
    would = [decided(model, option)[node] for option in (0, 1)]
    for where, options in enumerate(optimal_options(model, observed)):
        at = here == where
        if len(options) == 1 and at.any():
            plain = utility(model, decided(model, options[0]))[at].sum()
            given = [utility(model, decided(model, options[0], {node: x})) for x in would]
            if any(one[at].sum() != plain for one in given):
                return True
    return False


def check(seed: int, says, shows, applies=lambda diagram, node: True, sound=SOUND) -> None:
    generator = np.random.default_rng(seed)
    diagram = random_diagram(generator)
    for node in CHANCE:
        if not applies(diagram, node):
            continue
        if says(diagram, node):
            models = (random_model(diagram, generator) for _ in range(SEARCH))
            assert any(shows(model, node) for model in models), (sorted(diagram.graph.edges), node)
        else:
            models = (random_model(diagram, generator) for _ in range(sound))
            assert not any(shows(model, node) for model in models)


def before_the_decision(diagram: InfluenceDiagram, node: str) -> bool:
    """Whether it can be observed: it does not come after the decision."""
    return not any(
        node == after or node in diagram.graph.successors(after)
        for after in diagram.graph.successors("D")
    )


@pytest.mark.slow
@few
@given(seeds)
def test_everitt_value_of_information_criterion_is_sound_and_complete(seed) -> None:
    check(seed, value_of_information, is_worth_knowing, before_the_decision)


@pytest.mark.slow
@few
@given(seeds)
def test_everitt_theorem_12_response_incentive_criterion_is_sound_and_complete(seed) -> None:
    check(seed, response_incentive, is_responded_to)


@pytest.mark.slow
@few
@given(seeds)
def test_everitt_theorem_16_value_of_control_criterion_is_sound_and_complete(seed) -> None:
    check(seed, value_of_control, is_worth_setting, sound=10)


@pytest.mark.slow
@few
@given(seeds)
def test_everitt_theorem_18_instrumental_control_criterion_is_sound_and_complete(seed) -> None:
    check(seed, instrumental_control_incentive, is_used)
