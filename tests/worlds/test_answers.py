from __future__ import annotations

import numpy as np

from offswitch.worlds.answers import Answers


def test_equal_arrays_get_the_answer_that_was_found_and_others_a_new_one():
    answers: Answers[int] = Answers(most=8)
    found = iter(range(10))
    table = np.eye(2)
    first = answers.of((table,), lambda: next(found))
    assert answers.of((table.copy(),), lambda: next(found)) == first == 0
    for number, other in enumerate((table[::-1], table.astype(int), table.ravel()), start=1):
        assert answers.of((other,), lambda: next(found)) == number
    assert answers.of((table,), lambda: next(found), "and a horizon") == 4


def test_an_array_that_was_changed_since_is_another_question():
    answers: Answers[float] = Answers(most=8)
    table = np.zeros(3)
    assert answers.of((table,), lambda: float(table.sum())) == 0
    table[0] = 1
    assert answers.of((table,), lambda: float(table.sum())) == 1


def test_the_answer_to_the_oldest_question_is_forgotten_first():
    answers: Answers[int] = Answers(most=2)
    found = iter(range(10))
    questions = [np.array([number]) for number in range(3)]
    for question in questions:
        answers.of((question,), lambda: next(found))
    assert answers.of((questions[2],), lambda: next(found)) == 2
    assert answers.of((questions[0],), lambda: next(found)) == 3
