"""Mines and factories of one unit; the theorems are in `tests/laws/test_cheap_lunch_laws.py`."""

from __future__ import annotations

import numpy as np
import pytest

from offswitch.errors import ModelError
from offswitch.theory.cheap_lunch import (
    Region,
    Universe,
    care,
    is_cheap_lunch,
    is_free_lunch,
    outcome,
    region_use,
)


def mine_and_factory(worth: float) -> Universe:
    """Region 0 holds one unit, which digging spoils; region 1 turns a unit into utility 1."""
    dig = Region(np.array([[0, 1], [1, 1]]), np.zeros((2, 2, 1), int),
                 np.array([[[0], [1]], [[0], [0]]]), np.array([worth, 0.0]))  # fmt: skip
    build = Region(np.array([[0, 1], [1, 1]]), np.array([[[0], [1]], [[0], [1]]]),
                   np.zeros((2, 2, 1), int), np.array([0.0, 1.0]))  # fmt: skip
    return Universe((dig, build), (0,), 2)


def test_the_threshold_of_theorem_3_is_where_it_says():
    assert region_use(mine_and_factory(0.0), 0).every
    assert region_use(mine_and_factory(0.9), 0).every
    even = region_use(mine_and_factory(1.0), 0)
    assert (even.some, even.every) == (True, False)
    assert not region_use(mine_and_factory(1.1), 0).some
    assert care(mine_and_factory(0.9), 0) == 0.9


def test_a_lunch_without_any_gain_is_none_though_it_preserves_resources():
    still = np.zeros((1, 2), int)
    nothing = np.zeros((1, 2, 1), int)
    universe = Universe((Region(still, nothing, nothing, np.zeros(1)),), (0,), 1)
    assert not is_cheap_lunch(universe, 0, [1])
    # As printed, Thm 1 would promise an act that is not null here, and there is none.
    assert not region_use(universe, 0).some


def test_plans_that_cannot_be_done_are_no_lunches_and_not_feasible():
    universe = mine_and_factory(0.0)
    assert outcome(universe, [[0, 1], [0, 0]]) is None
    assert outcome(universe, [[1, 0], [0, 1]]).pools == ((0,), (1,), (0,))
    assert not is_cheap_lunch(universe, 0, [0])
    assert not is_cheap_lunch(universe, 0, [5, 0])
    assert is_free_lunch(universe, 0, [1, 0])
    assert not is_cheap_lunch(universe, 1, [1, 0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"needs": np.zeros((2, 1, 1), int)}, r"expected \[2, 2, M\]"),
        ({"utility": np.zeros(3)}, r"utility has shape \(3,\)"),
        ({"utility": np.array([0, np.inf])}, "finite"),
        ({"following": np.array([[0, 2], [1, 1]])}, "a state is outside 0 to 1"),
        ({"start": 2}, "a state is outside"),
        ({"needs": np.full((2, 2, 1), -1)}, "less than nothing"),
        ({"needs": np.ones((2, 2, 1), int)}, "state 0 has no act that needs and yields nothing"),
    ],
)
def test_regions_that_do_not_fit_are_refused(change, message):
    given_ = {"following": np.array([[0, 1], [1, 1]]), "needs": np.zeros((2, 2, 1), int),
              "yields": np.zeros((2, 2, 1), int), "utility": np.zeros(2)}  # fmt: skip
    with pytest.raises(ModelError, match=message):
        Region(**{**given_, **change})


def test_universes_and_questions_that_do_not_fit_are_refused():
    universe = mine_and_factory(0.0)
    with pytest.raises(ModelError, match=r"resources are \(0, 0\)"):
        Universe(universe.regions, (0, 0), 1)
    with pytest.raises(ModelError, match="steps is 0"):
        Universe(universe.regions, (0,), 0)
    with pytest.raises(ModelError, match="region is 2, expected 0 to 1"):
        region_use(universe, 2)
    with pytest.raises(ModelError, match=r"strategy has shape \(1, 2\)"):
        outcome(universe, [[0, 0]])
