"""What malformed arguments are told."""

from __future__ import annotations

import numpy as np
import pytest

from offswitch.errors import ModelError
from offswitch.mdp.action_values import action_values
from offswitch.mdp.finite_horizon import solve_finite_horizon
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.solve import solve


@pytest.fixture
def fork() -> FiniteMDP:
    rows = [(0, 0, 1, 1.0), (0, 1, 2, 1.0), (1, 0, 1, 1.0), (2, 0, 2, 1.0)]
    return FiniteMDP.from_coo(3, 2, rows, state_names=("hub", "left end", "right end"))


def test_a_discount_of_one_is_sent_to_the_finite_horizon(fork):
    with pytest.raises(ModelError, match=r"discount is 1, expected .* use solve_finite_horizon"):
        solve(fork, np.ones(3), 1.0)


@pytest.mark.parametrize("discount", [0.0, -0.1, 1.5, float("nan"), float("inf")])
def test_a_discount_outside_the_open_unit_interval_is_refused(fork, discount):
    with pytest.raises(ModelError, match=rf"discount is {discount}, expected a number in \(0, 1\)"):
        solve(fork, np.ones(3), discount)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e200])
def test_a_reward_that_is_no_usable_number_is_named(fork, bad):
    by_state = np.ones((2, 3))
    by_state[1, 2] = bad
    with pytest.raises(ModelError, match=r"goal 1 in state 'right end' is .*expected a finite"):
        solve(fork, by_state, 0.9)
    by_act = np.ones((1, 3, 2))
    by_act[0, 0, 1] = bad
    with pytest.raises(ModelError, match=r"goal 0 in state 'hub', action 'a1' is"):
        solve(fork, by_act, 0.9)


@pytest.mark.parametrize("shape", [(), (4,), (3, 2), (1, 3, 3), (0, 3), (1, 1, 3, 2)])
def test_a_reward_of_the_wrong_shape_is_told_the_right_ones(fork, shape):
    with pytest.raises(ModelError, match=r"expected \[S\] = \[3\], \[K, S\] = \[K, 3\] or"):
        solve(fork, np.zeros(shape), 0.9)


def test_a_mask_that_strands_a_state_names_it(fork):
    mask = np.ones((3, 2), dtype=bool)
    mask[1, 0] = False
    with pytest.raises(ModelError, match=r"1 states without an action, .* state 1 \('left end'\)"):
        solve(fork, np.ones(3), 0.9, allowed=mask)
    with pytest.raises(ModelError, match=r"allowed has shape \(3, 2\) of float64"):
        solve(fork, np.ones(3), 0.9, allowed=mask.astype(float))


@pytest.mark.parametrize("tolerance", [0.0, -1.0, float("nan"), float("inf")])
def test_a_tolerance_that_is_not_positive_is_refused(fork, tolerance):
    with pytest.raises(ModelError, match=f"tolerance is {tolerance}, expected a positive number"):
        solve(fork, np.ones(3), 0.9, tolerance=tolerance)


@pytest.mark.parametrize("horizon", [-1, 2.5])
def test_a_horizon_that_is_no_count_is_refused(fork, horizon):
    with pytest.raises(ModelError, match=f"horizon is {horizon}, expected a whole number"):
        solve_finite_horizon(fork, np.ones(3), horizon)


def test_a_finite_horizon_discount_above_one_is_refused(fork):
    with pytest.raises(ModelError, match=r"discount is 1.1, expected a number in \[0, 1\]"):
        solve_finite_horizon(fork, np.ones(3), 3, discount=1.1)


def test_values_of_the_wrong_shape_are_refused(fork):
    with pytest.raises(ModelError, match=r"value has shape \(3,\), expected \[K, S\] = \[1, 3\]"):
        action_values(fork, np.ones(3), np.ones(3), 0.9)


def test_what_an_unavailable_action_would_pay_changes_nothing(fork):
    reward = np.ones((1, 3, 2))
    plain = solve(fork, reward, 0.9)
    reward[0, 1, 1] = 1e90
    odd = solve(fork, reward, 0.9)
    assert odd.value.tolist() == plain.value.tolist()
    assert odd.error.tolist() == plain.error.tolist()
