"""Carey and Everitt 2023, Thm 14, both ways, on random tabular models summed in fractions.

The human draws one of four equally likely numbers, whatever she sees and whoever she is, and asks
if it is below four times the chance her table gives: so that Def. 13, which compares two humans
under the same noise, can be taken at its word.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shutdown_models import ROLES, random_problem, table

from offswitch.errors import ModelError
from offswitch.theory.control.causal_model import ShutdownProblem, causal_model, shutdown_problem
from offswitch.theory.control.instructability import instructability
from offswitch.theory.control.non_obstruction import Human, non_obstruction
from offswitch.theory.control.obstructed_human import keeps_vigilance, obstructed_human

seeds = st.integers(0, 10**6)
many = settings(max_examples=80, deadline=None, derandomize=True)
CAUSES = ("O", "D1")


def worlds(problem: ShutdownProblem, human: Human, *, number=None, ask=False, stop=False):
    """Every setting of all nodes and its probability; S = 0 if told to `stop`.

    H is set to 0 if told to `ask`, follows her `number` if one is given and her table otherwise.
    """
    tables = {name: node.table for name, node in problem.model.nodes.items()}
    tables["H"] = tables["H"] if human.request is None else human.request
    found = [({}, Fraction(1))]
    for name, node in problem.model.nodes.items():
        fresh = []
        for seen, chance in found:
            row = tables[name][tuple(seen[parent] for parent in node.parents)]
            if name == "H" and number is not None:
                row = [1, 0] if number < 4 * row[0] else [0, 1]
            if (name == "S" and stop) or (name == "H" and ask):
                row = [1, 0]
            fresh += [
                ({**seen, name: value}, chance * Fraction(share))
                for value, share in enumerate(row)
                if share
            ]
        found = fresh
    return found


def worth(problem: ShutdownProblem, human: Human, seen: dict[str, int]) -> Fraction:
    utility = problem.utility if human.utility is None else human.utility
    return Fraction(utility[tuple(seen[name] for name in problem.cares_about)])


def gains(problem: ShutdownProblem, human: Human) -> dict[tuple[int, ...], Fraction]:
    """What the human sees -> E[U - U_{S=0}; she sees it]."""
    total: dict[tuple[int, ...], Fraction] = {}
    for stop, sign in ((False, 1), (True, -1)):
        for seen, chance in worlds(problem, human, stop=stop):
            where = tuple(seen[name] for name in CAUSES)
            total[where] = total.get(where, Fraction(0)) + sign * chance * worth(
                problem, human, seen
            )
    return total


def unwatched(problem: ShutdownProblem, human: Human) -> set[tuple[tuple[int, ...], int]]:
    """(what she sees, her number) where she needs shutdown and does not ask: C of Def. 4."""
    needed = {where for where, gain in gains(problem, human).items() if gain < 0}
    return {
        (where, number)
        for number in range(4)
        for seen, _ in worlds(problem, human, number=number)
        if (where := tuple(seen[name] for name in CAUSES)) in needed and seen["H"] != 0
    }


def obeys(problem: ShutdownProblem) -> bool:
    return all(seen["S"] == 0 for seen, _ in worlds(problem, Human(), ask=True))


def random_human(generator: np.random.Generator, shape: tuple[int, ...]) -> Human:
    """Quarters and whole numbers; often with an old request, or one that mostly asks."""
    request = table(generator, 2, 2, 2)
    if generator.random() < 0.3:
        request = np.where(generator.random((2, 2, 1)) < 0.6, [1.0, 0.0], request)
    return Human(
        None if generator.random() < 0.3 else request,
        generator.integers(-3, 4, size=shape).astype(float),
    )


@pytest.mark.slow
@many
@given(seeds)
def test_carey_everitt_theorem_14_obedient_and_vigilant_iff_no_human_kept_vigilant_is_obstructed(
    seed,
) -> None:
    problem = random_problem(seed)
    before = unwatched(problem, Human())
    good = obeys(problem) and not before
    own = instructability(problem)
    assert good == (own.obedience.obedient and own.vigilance.ensured)

    found = obstructed_human(problem)
    assert (found is None) == good
    if found is not None:
        assert keeps_vigilance(problem, found)
        assert unwatched(problem, found) <= before
        assert sum(gains(problem, found).values()) < 0
        assert not non_obstruction(problem, [found]).holds

    generator = np.random.default_rng(seed)
    for _ in range(4):
        human = random_human(generator, problem.utility.shape)
        keeps = unwatched(problem, human) <= before
        assert keeps_vigilance(problem, human) == keeps
        beats = sum(gains(problem, human).values()) >= 0
        assert non_obstruction(problem, [human]).holds == beats
        assert beats or not (good and keeps)


def a_problem(obeys_in, asks, utility, cares_about=("S", "O")) -> ShutdownProblem:
    """O is a coin that the human sees and the agent may; it runs on asked unless `obeys_in[O]`."""
    runs = [[[float(obeys_in[o]), 1.0 - float(obeys_in[o])] for o in (0, 1)], [[0, 1], [0, 1]]]
    nodes = {
        "O": ([], [0.5, 0.5]),
        "D1": ([], [1.0, 0.0]),
        "H": (
            ["O", "D1"],
            np.stack([[asks] * 2, [1 - np.array(asks)] * 2], axis=-1).swapaxes(0, 1),
        ),
        "D2": (["H", "O"], runs),
        "S": (["D2"], np.eye(2)),
    }
    return shutdown_problem(causal_model(nodes), ROLES, cares_about, utility)


def test_carey_everitt_theorem_14_fails_for_a_human_whose_vigilance_is_not_kept() -> None:
    problem = a_problem([True, True], np.array([0.0, 0.0]), [[0, 0], [1, 1]])
    assert instructability(problem).instructable
    assert obstructed_human(problem) is None
    dislikes = Human(utility=np.array([[0.0, 0.0], [-1.0, -1.0]]))
    assert not keeps_vigilance(problem, dislikes)
    assert non_obstruction(problem, [dislikes]).margins == (-1.0,)


def test_carey_everitt_theorem_14_speaks_of_obedience_to_requests_that_never_come() -> None:
    problem = a_problem([True, False], np.array([0.0, 0.0]), [[0, 0], [1, 1]])
    own = instructability(problem)
    assert own.weakly_instructable
    assert not own.obedience.obedient
    found = obstructed_human(problem)
    assert found is not None
    assert keeps_vigilance(problem, found)
    assert sum(gains(problem, found).values()) == Fraction(-1, 2)


def test_carey_everitt_theorem_14_fails_if_humans_can_have_one_utility_only() -> None:
    # All that differs between humans is then their requests, and nothing is at stake.
    problem = a_problem([False, False], np.array([0.0, 1.0]), np.zeros((2, 2)))
    assert not instructability(problem).obedience.obedient
    humans = [Human(table(np.random.default_rng(seed), 2, 2, 2)) for seed in range(50)]
    assert non_obstruction(problem, humans).holds
    assert obstructed_human(problem) is not None  # but of another utility


def test_the_human_built_in_print_for_theorem_14_need_not_be_kept_vigilant() -> None:
    """Lemma 23 has her ask at one place, here O = 0, and dislike wherever she asks in vain.

    Where O = 1 she asks half the time, as before; she is ignored, and now that she dislikes it,
    shutdown is needed there.
    """
    problem = a_problem([False, False], np.array([0.0, 0.5]), [[0, 0], [1, 1]], ("S", "H"))
    assert instructability(problem).vigilance.ensured
    request = problem.model.nodes["H"].table.copy()
    request[0] = [1.0, 0.0]
    printed = Human(request, np.array([[0.0, 0.0], [-9.0, 1.0]]))
    assert not keeps_vigilance(problem, printed)
    found = obstructed_human(problem)
    assert found is not None
    assert keeps_vigilance(problem, found)


def test_a_utility_that_does_not_read_shutdown_is_refused() -> None:
    nodes = {
        "D1": ([], [1.0, 0.0]),
        "H": (["D1"], [[1, 0], [1, 0]]),
        "D2": (["H"], [[0, 1], [0, 1]]),
        "S": (["D2"], np.eye(2)),
        "after": (["S"], np.eye(2)),
    }
    problem = shutdown_problem(causal_model(nodes), ROLES, ["after"], [0, 1])
    with pytest.raises(ModelError, match=r"reads \['after'\], expected 'S'"):
        obstructed_human(problem)
