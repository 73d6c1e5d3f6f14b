"""Graphical incentive criteria: published labels, and soundness and completeness by brute force."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest
from influence_models import (
    random_model,
    shows_instrumental_control_incentive,
    shows_response_incentive,
    shows_value_of_control,
    shows_value_of_information,
)

from offswitch.errors import ModelError
from offswitch.theory.influence.d_separation import d_connected
from offswitch.theory.influence.diagram import influence_diagram
from offswitch.theory.influence.instrumental_control_incentive import (
    instrumental_control_incentive,
)
from offswitch.theory.influence.requisite import minimal_reduction, requisite_observations
from offswitch.theory.influence.response_incentive import response_incentive
from offswitch.theory.influence.value_of_control import value_of_control
from offswitch.theory.influence.value_of_information import value_of_information

CRITERIA = {
    "value of information": value_of_information,
    "value of control": value_of_control,
    "response incentive": response_incentive,
    "instrumental control incentive": instrumental_control_incentive,
}


def diagram(edges, decision, utility):
    """Arrows as 'a>b c>d'."""
    pairs = [tuple(edge.split(">")) for edge in edges.split()]
    return influence_diagram(pairs, decisions=[decision], utilities=[utility])


GRADES = diagram(
    "race>school school>education school>guess education>grade grade>accuracy gender>guess "
    "guess>accuracy",
    "guess",
    "accuracy",
)
CONTENT = diagram(
    "opinions>influenced opinions>model model>posts posts>influenced influenced>clicks "
    "posts>clicks",
    "posts",
    "clicks",
)
PREDICTED_CLICKS = diagram(
    "opinions>influenced opinions>model model>posts posts>influenced posts>clicks model>clicks",
    "posts",
    "clicks",
)
FITNESS = diagram(
    "td>tf tf>sc tf>c ef>ewd ewd>c c>f p>d p>sc p>f sc>c sc>ewd",
    "c",
    "f",
)


def labelled(criterion, cid):
    return {node for node in cid.graph if CRITERIA[criterion](cid, node)}


@pytest.mark.parametrize(
    ("cid", "criterion", "expected"),
    [
        (GRADES, "value of information", {"school", "education", "grade"}),
        (GRADES, "response incentive", {"race", "school"}),
        (GRADES, "value of control", {"race", "school", "education", "grade", "accuracy"}),
        (GRADES, "instrumental control incentive", {"accuracy"}),
        (CONTENT, "instrumental control incentive", {"influenced", "clicks"}),
        (CONTENT, "value of control", {"opinions", "influenced", "model", "clicks"}),
        (CONTENT, "response incentive", {"opinions", "model"}),
        (PREDICTED_CLICKS, "instrumental control incentive", {"clicks"}),
        (PREDICTED_CLICKS, "value of control", {"opinions", "model", "clicks"}),
    ],
)
def test_the_worked_examples_have_their_published_labels(cid, criterion, expected):
    assert labelled(criterion, cid) == expected


def test_a_fitness_tracker_gains_from_control_of_what_tells_of_or_makes_the_fitness():
    assert labelled("value of control", FITNESS) == {"td", "tf", "sc", "p", "f"}
    assert requisite_observations(FITNESS) == {"sc", "tf"}


def test_a_grade_predictor_without_the_school_would_like_to_know_race():
    blind = diagram(
        "race>school school>education education>grade grade>accuracy gender>guess guess>accuracy",
        "guess",
        "accuracy",
    )
    known = labelled("value of information", blind)
    assert known == {"race", "school", "education", "grade"}
    assert labelled("response incentive", blind) == set()


def test_gender_is_no_requisite_observation_and_the_minimal_reduction_drops_it():
    assert requisite_observations(GRADES) == {"school"}
    assert set(minimal_reduction(GRADES).graph.predecessors("guess")) == {"school"}
    assert ("gender", "guess") in GRADES.graph.edges


def every_small_diagram():
    """All diagrams over decision, utility and two chance nodes, up to swapping those."""
    names = ["D", "U", "X", "Y"]
    pairs = [(a, b) for a, b in itertools.permutations(names, 2) if a != "U"]
    seen = set()
    for mask in range(2 ** len(pairs)):
        edges = [pair for bit, pair in enumerate(pairs) if mask >> bit & 1]
        swap = {"X": "Y", "Y": "X"}
        twin = frozenset((swap.get(a, a), swap.get(b, b)) for a, b in edges)
        graph = nx.DiGraph(edges)
        if twin in seen or not nx.is_directed_acyclic_graph(graph):
            continue
        seen.add(frozenset(edges))
        yield influence_diagram(edges, decisions=["D"], utilities=["U"], chance=["X", "Y"])


def random_diagram(generator):
    """Five nodes: a decision, one or two utilities, the rest chance."""
    utilities = ["U"] if generator.random() < 0.5 else ["U", "V"]
    inner = ["D", *"XYZ"[: 4 - len(utilities)]]
    order = list(generator.permutation(inner))
    edges = [(a, b) for a, b in itertools.combinations(order, 2) if generator.random() < 0.6]
    edges += [(a, u) for a in inner for u in utilities if generator.random() < 0.5]
    return influence_diagram(
        edges, decisions=["D"], utilities=utilities, chance=[n for n in inner if n != "D"]
    )


def shown(model, criterion, node, generator):
    match criterion:
        case "value of information":
            return shows_value_of_information(model, node)
        case "value of control":
            return shows_value_of_control(model, node, generator)
        case "response incentive":
            return shows_response_incentive(model, node)
    return shows_instrumental_control_incentive(model, node)


def questions(cid):
    """Every criterion of every chance node to which its definition applies, with the answer."""
    below = nx.descendants(cid.graph, cid.decision)
    for node in sorted(set(cid.graph) - cid.utilities - cid.decisions):
        for criterion, says in CRITERIA.items():
            if criterion != "value of information" or node not in below:
                yield criterion, node, says(cid, node)


def check_sound_and_complete(cid, generator, *, sound, search):
    """False answers are never shown in `sound` models; true ones are in one of `search`."""
    open_questions = {(c, n) for c, n, answer in questions(cid) if answer}
    never = [(c, n) for c, n, answer in questions(cid) if not answer]
    for number in range(max(sound, search)):
        if number >= sound and not open_questions:
            break
        model = random_model(cid, generator)
        for criterion, node in never if number < sound else []:
            assert not shown(model, criterion, node, generator), (cid.graph.edges, criterion, node)
        open_questions = {q for q in open_questions if not shown(model, *q, generator)}
    assert not open_questions, (sorted(cid.graph.edges), open_questions)


@pytest.mark.slow
def test_the_four_criteria_are_sound_and_complete_on_every_four_node_diagram():
    generator = np.random.default_rng(0)
    cids = list(every_small_diagram())
    assert len(cids) > 100
    for cid in cids:
        check_sound_and_complete(cid, generator, sound=12, search=2000)


@pytest.mark.slow
def test_the_four_criteria_are_sound_and_complete_on_random_five_node_diagrams():
    generator = np.random.default_rng(1)
    for _ in range(60):
        check_sound_and_complete(random_diagram(generator), generator, sound=12, search=3000)


@pytest.mark.parametrize("seed", range(30))
def test_d_connection_is_what_networkx_says(seed):
    generator = np.random.default_rng(seed)
    order = list(generator.permutation(list("abcdef")))
    graph = nx.DiGraph()
    graph.add_nodes_from(order)
    pairs = itertools.combinations(order, 2)
    graph.add_edges_from(pair for pair in pairs if generator.random() < 0.4)
    given = {node for node in order if generator.random() < 0.3}
    separated = getattr(nx, "is_d_separator", None) or nx.d_separated
    for node in set(order) - given:
        found = d_connected(graph, node, given)
        others = set(order) - given - {node}
        assert found - {node} == {o for o in others if not separated(graph, {node}, {o}, given)}


def test_a_given_node_is_connected_to_nothing():
    assert d_connected(nx.DiGraph([("a", "b")]), "a", ["a"]) == frozenset()


def test_every_problem_of_a_diagram_is_told_at_once():
    with pytest.raises(ModelError) as caught:
        influence_diagram(
            [("U", "X"), ("X", "Y"), ("Y", "X")], decisions=["U"], utilities=["U"], chance=["U"]
        )
    text = str(caught.value)
    assert "5 problems" in text
    for words in ("decision and a utility", "decision and a chance", "has children", "a cycle:"):
        assert words in text


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: influence_diagram([], decisions=[], utilities=[]), "no decision.*\n.*no utility"),
        (lambda: influence_diagram([], decisions="D", utilities=["U"]), "expected a list"),
        (lambda: value_of_control(GRADES, "shool"), "Did you mean 'school'"),
        (
            lambda: response_incentive(
                influence_diagram([("A", "U"), ("B", "U")], decisions="AB", utilities=["U"]), "A"
            ),
            "expected a list",
        ),
        (
            lambda: response_incentive(
                influence_diagram([("A", "U"), ("B", "U")], decisions=["A", "B"], utilities=["U"]),
                "A",
            ),
            "2 decisions",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(make, words):
    with pytest.raises(ModelError, match=words):
        make()
