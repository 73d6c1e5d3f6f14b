"""The model says everything that is wrong with a process, at once."""

from __future__ import annotations

import numpy as np
import pytest

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP


def test_a_row_that_sums_to_097_is_named_by_state_action_and_sum():
    rows = [(0, 0, 0, 0.5), (0, 0, 1, 0.47), (1, 0, 1, 1.0)]
    message = (
        r"transitions\[0, 0\] \(state 'hub', action 'left'\) sums to 0.97, expected 1. "
        r"Normalise the row."
    )
    with pytest.raises(ModelError, match=message):
        FiniteMDP.from_coo(2, 1, rows, state_names=("hub", "end"), action_names=("left",))


def test_every_problem_is_listed_at_once():
    rows = [(0, 0, 9, 1.0), (0, 0, 0, np.nan), (1.5, 0, 0, 1.0), (1, 0, 0, -0.5)]
    with pytest.raises(ModelError) as caught:
        FiniteMDP.from_coo(2, 1, rows, state_names=("only one",), start=[0.5, 0.4])
    text = str(caught.value)
    assert "6 problems" in text
    for part in ("row 0", "row 1: probability nan", "row 2", "row 3: probability -0.5"):
        assert part in text
    assert "got 1 state names, expected 2" in text
    assert "start sums to 0.9, expected 1" in text


def test_a_row_given_as_zeros_is_a_mistake_and_not_an_unavailable_action():
    with pytest.raises(ModelError, match=r"transitions\[0, 1\] .* sums to 0, expected 1"):
        FiniteMDP.from_coo(1, 2, [(0, 0, 0, 1.0), (0, 1, 0, 0.0)])


def test_a_state_without_an_action_is_named():
    with pytest.raises(ModelError, match=r"state 1 \('s1'\) has no available action"):
        FiniteMDP.from_coo(2, 1, [(0, 0, 1, 1.0)])


def test_only_the_first_twenty_problems_of_a_kind_are_shown():
    rows = [(state, 0, state, 0.5) for state in range(50)]
    with pytest.raises(ModelError, match="and 30 more of the same kind"):
        FiniteMDP.from_coo(50, 1, rows)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ([1.0], r"start has shape \(1,\), expected \[2\]"),
        ([np.nan, 1.0], r"start\[0\] is nan"),
        ([1.5, -0.5], r"start\[1\] is -0.5"),
    ],
)
def test_a_malformed_start_is_named(start, message):
    with pytest.raises(ModelError, match=message):
        FiniteMDP.from_coo(2, 1, [(0, 0, 1, 1.0), (1, 0, 1, 1.0)], start=start)


def test_shapes_that_are_no_transitions_are_refused():
    with pytest.raises(ModelError, match=r"rows have shape \(1, 3\), expected \[N, 4\]"):
        FiniteMDP.from_coo(1, 1, [(0, 0, 1.0)])
    with pytest.raises(ModelError, match="a whole number of at least 1"):
        FiniteMDP.from_coo(0, 1, np.zeros((0, 4)))
    with pytest.raises(ModelError, match=r"expected \[S, A, S\]"):
        FiniteMDP.from_dense(np.zeros((2, 2, 3)))


def test_repeated_transitions_add_up_and_dense_and_sparse_agree():
    rows = [(0, 0, 1, 0.25), (0, 0, 0, 0.5), (0, 0, 1, 0.25), (1, 0, 1, 1.0)]
    sparse = FiniteMDP.from_coo(2, 1, rows)
    dense = FiniteMDP.from_dense([[[0.5, 0.5]], [[0.0, 1.0]]])
    assert sparse.probability.tolist() == dense.probability.tolist() == [0.5, 0.5, 1.0]
    assert sparse.next_state.tolist() == dense.next_state.tolist() == [0, 1, 1]
    following, chance = sparse.successors(0, 0)
    assert following.tolist() == [0, 1]
    assert chance.tolist() == [0.5, 0.5]
    assert sparse.start.tolist() == [1.0, 0.0]
