"""The need oracle against its definition, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import poisson

from offswitch.errors import WorldError
from offswitch.worlds.need import need, need_in_queue, newsvendor_need, service_level

POISSON = poisson.pmf(np.arange(60), 5)


def cheapest_stock(demand: NDArray[np.float64], holding_cost: float, benefit: float) -> int:
    units = np.arange(len(demand))
    short = np.maximum(0, units[None, :] - units[:, None]) @ demand
    return int(np.argmin(holding_cost * units + benefit * short))


@pytest.mark.parametrize(("ratio", "stock"), [(0.01, 11), (0.05, 9), (0.2, 7)])
def test_poisson_demand_of_five_needs_the_published_stock(ratio: float, stock: int) -> None:
    assert newsvendor_need(POISSON, ratio, 1.0) == stock
    assert cheapest_stock(POISSON, ratio, 1.0) == stock


@given(
    weights=st.lists(st.integers(1, 50), min_size=1, max_size=8),
    ratio=st.floats(0.013, 0.987),
)
def test_need_is_the_stock_that_costs_least(weights: list[int], ratio: float) -> None:
    demand = np.array(weights) / sum(weights)
    at_level = np.abs(np.cumsum(demand) - (1 - ratio)) < 1e-6
    if not at_level.any():  # there two stocks cost the same
        assert newsvendor_need(demand, ratio, 1.0) == cheapest_stock(demand, ratio, 1.0)


@given(levels=st.tuples(st.floats(0, 0.999), st.floats(0, 0.999)))
def test_a_higher_service_level_never_needs_less(levels: tuple[float, float]) -> None:
    assert need(POISSON, min(levels)) <= need(POISSON, max(levels))


@given(scale=st.floats(0.01, 100), ratio=st.floats(0.02, 0.9))
def test_need_does_not_depend_on_the_unit_of_money(scale: float, ratio: float) -> None:
    assert newsvendor_need(POISSON, ratio * scale, scale) == newsvendor_need(POISSON, ratio, 1.0)


def test_a_level_met_exactly_is_met() -> None:
    assert need([0.1] * 10, 0.3) == 2  # 0.1 + 0.1 + 0.1 > 0.3 in floating point, 3 * 0.1 too
    assert need([0.7, 0.2, 0.1], 0.9) == 1  # 0.7 + 0.2 < 0.9 in floating point


def test_known_jobs_are_needed_whatever_the_level() -> None:
    assert need_in_queue(2, [1.0], 0.01) == need_in_queue(2, [1.0], 0.99) == 2
    assert need_in_queue(2, [0.9, 0.1], 0.95) == 3


@pytest.mark.parametrize("holding_cost", [0.0, -1.0, float("nan"), float("inf")])
def test_without_a_holding_cost_need_is_undefined(holding_cost: float) -> None:
    with pytest.raises(WorldError, match="need is undefined"):
        newsvendor_need(POISSON, holding_cost, 1.0)


def test_where_holding_costs_more_than_it_brings_nothing_is_needed() -> None:
    assert service_level(2.0, 1.0) == 0
    assert newsvendor_need([0.0, 1.0], 2.0, 1.0) == 0


@pytest.mark.parametrize("demand", [[], [0.5, -0.1], [0.7, 0.7], [[0.5, 0.5]], [float("nan")]])
def test_what_is_no_distribution_is_refused(demand: list[float]) -> None:
    with pytest.raises(WorldError, match="demand"):
        need(demand, 0.5)


def test_a_distribution_cut_off_too_early_is_refused() -> None:
    with pytest.raises(WorldError, match="further out"):
        need(POISSON[:6], 0.99)


def test_a_level_outside_the_unit_interval_is_refused() -> None:
    with pytest.raises(WorldError, match="service level"):
        need(POISSON, 1.5)
    with pytest.raises(WorldError, match="queued"):
        need_in_queue(-1, [1.0], 0.5)
