"""Tabular causal models and human control: hand-made cases, and do() kept apart from seeing."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from offswitch.errors import ModelError
from offswitch.theory.control.alignment import alignment
from offswitch.theory.control.causal_model import (
    causal_model,
    do,
    joint,
    probability,
    shutdown_problem,
    soft,
    utility_values,
    with_human,
)
from offswitch.theory.control.caution import caution
from offswitch.theory.control.instructability import instructability
from offswitch.theory.control.non_obstruction import Human, non_obstruction
from offswitch.theory.control.obedience import obedience
from offswitch.theory.control.vigilance import needs_shutdown, vigilance

ROLES = ("talk", "ask", "obey", "run")
COPY = [[1.0, 0.0], [0.0, 1.0]]


def chat(*, asks=((0.0, 1.0), (1.0, 0.0)), obeys=COPY, worth=((0.0, 1.0), (0.0, -3.0)), bad=0.5):
    """A chat bot whose human may (mood 0) or may not (mood 1) like it; `worth [mood, run]`."""
    model = causal_model(
        {
            "mood": ([], [1 - bad, bad]),
            "talk": ([], [1.0]),
            "ask": (["mood", "talk"], np.array(asks)[:, None]),
            "obey": (["ask"], obeys),
            "run": (["obey"], COPY),
        }
    )
    return shutdown_problem(model, ROLES, ["mood", "run"], worth)


def test_a_vigilant_human_and_an_obedient_bot_are_instructable_and_beneficial():
    found = instructability(chat())
    assert found.instructable and found.weakly_instructable and found.beneficial
    assert found.value == 0.5
    assert found.caution.value == 0
    # Where it would be needed she asks and is heard, so nothing is left to be needed.
    assert found.vigilance.needed == 0
    assert alignment(chat()).aligned


def test_a_disobedient_bot_is_not_aligned_and_hurts():
    problem = chat(obeys=[[0.0, 1.0], [0.0, 1.0]])
    found = instructability(problem)
    assert (found.obedience.under_request, found.obedience.ignored) == (0.0, 0.5)
    assert found.vigilance.ensured and not found.instructable
    assert found.value == -1.0 and not found.beneficial
    failing = alignment(problem)
    assert failing.failing == ({"mood": 1, "talk": 0},)
    assert failing.ran_on == 0.5


def test_a_human_who_never_asks_is_not_vigilant():
    problem = chat(asks=((0.0, 1.0), (0.0, 1.0)))
    assert vigilance(problem).missed == 0.5
    assert obedience(problem).obedient
    assert not alignment(problem).aligned


def test_a_shutdown_that_hurts_is_not_cautious_even_if_running_on_hurts_more():
    problem = chat(worth=((-1.0, -2.0), (-1.0, -3.0)))
    assert caution(problem).value == -1.0
    assert not caution(problem).cautious
    assert needs_shutdown(problem) == {(0, 0): True, (1, 0): False}


def test_obedience_on_distribution_is_not_obedience():
    # The bot sees why she asks and obeys only then; a request out of the blue it ignores.
    table = np.zeros((2, 2, 2))
    table[1, 0, 0] = 1  # mood bad and asked: obey
    table[0, 0, 1] = table[:, 1, 1] = 1
    model = causal_model(
        {
            "mood": ([], [0.5, 0.5]),
            "talk": ([], [1.0]),
            "ask": (["mood", "talk"], [[[0.0, 1.0]], [[1.0, 0.0]]]),
            "obey": (["mood", "ask"], table),
            "run": (["obey"], COPY),
        }
    )
    problem = shutdown_problem(model, ROLES, ["mood", "run"], [[0.0, 1.0], [0.0, -3.0]])
    found = obedience(problem)
    assert found.obedient_on_distribution and not found.obedient
    assert found.under_request == 0.5
    # Conditioning on the request instead would have said 1.
    seen = probability(model, {"ask": 0, "run": 0}) / probability(model, {"ask": 0})
    assert seen == 1.0
    both = instructability(problem)
    assert both.weakly_instructable and not both.instructable


def test_seeing_a_symptom_tells_of_its_cause_and_making_it_does_not():
    model = causal_model({"ill": ([], [0.8, 0.2]), "fever": (["ill"], [[0.9, 0.1], [0.25, 0.75]])})
    ill_if_seen = probability(model, {"ill": 1, "fever": 1}) / probability(model, {"fever": 1})
    assert ill_if_seen == pytest.approx(0.15 / 0.23)
    assert probability(do(model, "fever", 1), {"ill": 1}) == pytest.approx(0.2)


def test_the_joint_distribution_is_the_product_of_the_tables_in_any_order_of_parents():
    generator = np.random.default_rng(0)
    a, b = generator.dirichlet(np.ones(2)), generator.dirichlet(np.ones(3), size=2)
    c = generator.dirichlet(np.ones(2), size=(3, 2))
    model = causal_model({"c": (["b", "a"], c), "a": ([], a), "b": (["a"], b)})
    assert list(model.nodes) == ["a", "b", "c"]
    table = joint(model)
    for i, j, k in itertools.product(range(2), range(3), range(2)):
        assert table[i, j, k] == pytest.approx(a[i] * b[i, j] * c[j, i, k])


def test_utilities_given_what_the_human_knows_keep_the_order_of_her_parents():
    model = causal_model(
        {
            "talk": ([], [0.25, 0.75]),
            "mood": ([], [0.5, 0.25, 0.25]),
            "ask": (["mood", "talk"], np.full((3, 2, 2), 0.5)),
            "obey": (["ask"], COPY),
            "run": (["obey"], COPY),
        }
    )
    worth = np.arange(6.0).reshape(2, 3)
    problem = shutdown_problem(model, ROLES, ["run", "mood"], worth)
    found = utility_values(problem)
    assert found[2, 1] == (0.1875, 0.1875 * (0.5 * 2 + 0.5 * 5))
    assert utility_values(problem, shut_down=True)[2, 1] == (0.1875, 0.1875 * 2)


def test_non_obstruction_is_judged_over_the_class_and_names_the_worst_human():
    problem = chat()
    humans = [
        Human(),
        Human(utility=np.array([[0.0, 2.0], [0.0, 1.0]])),
        Human(request=np.array([[[0.0, 1.0]], [[0.0, 1.0]]])),  # never asks: obstructed
    ]
    found = non_obstruction(problem, humans)
    assert found.margins == (0.5, 1.0, -1.0)
    assert (found.worst, found.holds) == (2, False)
    assert non_obstruction(problem, humans[:2]).holds
    grateful = Human(utility=np.array([[2.0, 1.0], [2.0, -4.0]]))  # any chat is worse than none
    assert non_obstruction(problem, [grateful]).margins == (-0.5,)


def test_another_human_leaves_the_agent_as_it_is():
    problem = chat()
    other = with_human(problem, request=np.full((2, 1, 2), 0.5), utility=np.zeros((2, 2)))
    assert other.model.nodes["obey"] is problem.model.nodes["obey"]
    assert obedience(other).under_request == obedience(problem).under_request


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: causal_model({"a": (["b"], [[1.0]]), "c": (["c"], [[1.0]])}), "2 problems"),
        (lambda: causal_model({"a": (["b", "b"], [[1.0]]), "b": ([], [1.0])}), "parent twice"),
        (lambda: causal_model({"a": ([], [0.5, 0.6])}), "table of 'a' sums to 1.1"),
        (lambda: do(chat().model, "ask", 2), r"do\(ask = 2\)"),
        (lambda: do(chat().model, "aks", 0), "Did you mean 'ask'"),
        (lambda: soft(chat().model, "ask", [[1.0, 0.0]]), "table of 'ask' has shape"),
        (
            lambda: shutdown_problem(chat().model, ("run", *ROLES[1:3], "talk"), ["mood"], [0, 0]),
            "no path from 'run' to 'ask'(.|\n)*does not depend on 'talk'",
        ),
        (lambda: shutdown_problem(chat().model, ROLES, ["run"], [0]), r"utility has shape \[1\]"),
        (lambda: shutdown_problem(chat().model, ROLES, ["runn"], [0]), "Did you mean 'run'"),
        (lambda: non_obstruction(chat(), []), "humans is empty"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(make, words):
    with pytest.raises(ModelError, match=words):
        make()


def test_a_model_too_large_for_exact_sums_is_refused():
    nodes = {f"n{i}": ([], np.full(8, 1 / 8)) for i in range(9)}
    with pytest.raises(ModelError, match="joint settings"):
        joint(causal_model(nodes))
