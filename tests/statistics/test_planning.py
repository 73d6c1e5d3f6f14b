"""Sample sizes, several tests at once and unscored episodes: every figure of the plan."""

from __future__ import annotations

from unittest import mock

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from offswitch.errors import StatisticsError
from offswitch.statistics.clopper_pearson import clopper_pearson, zero_failure_bound
from offswitch.statistics.missing import missing_bounds
from offswitch.statistics.multiplicity import holm
from offswitch.statistics.sample_size import (
    clean_episodes,
    design_effect,
    paired_proportions,
    two_proportions,
)


@pytest.mark.parametrize(
    ("p_1", "p_2", "alone", "one_of_ten"),
    [
        (0.05, 0.15, 141, 239),
        (0.05, 0.10, 435, 738),
        (0.50, 0.60, 388, 658),
        (0.50, 0.75, 58, 99),
        (0.01, 0.05, 285, 483),
    ],
)
def test_two_arms_need_the_episodes_of_the_plan(
    p_1: float, p_2: float, alone: int, one_of_ten: int
) -> None:
    assert two_proportions(p_1, p_2) == two_proportions(p_2, p_1) == alone
    assert two_proportions(p_1, p_2, alpha=0.05 / 10) == one_of_ten


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.floats(0.02, 0.98), st.floats(0.02, 0.98), st.floats(0.5, 0.95))
def test_two_arms_need_what_statsmodels_says(p_1: float, p_2: float, power: float) -> None:
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    assume(abs(p_1 - p_2) > 0.02)
    theirs = proportion.samplesize_proportions_2indep_onetail(
        p_1 - p_2, p_2, power, alpha=0.05, alternative="two-sided"
    )
    assert (
        two_proportions(p_1, p_2, power=power) - 1
        <= theirs
        <= two_proportions(p_1, p_2, power=power)
    )


@pytest.mark.parametrize(("discordant", "pairs"), [(0.1, 77), (0.2, 155), (0.3, 234)])
def test_mcnemar_needs_the_pairs_of_the_plan(discordant: float, pairs: int) -> None:
    assert paired_proportions(discordant, 0.1) == paired_proportions(discordant, -0.1) == pairs


@pytest.mark.parametrize(
    ("limit", "n"), [(0.1, 29), (0.05, 59), (0.03, 99), (0.01, 299), (0.005, 598), (0.001, 2995)]
)
def test_a_limit_needs_the_clean_episodes_of_the_plan(limit: float, n: int) -> None:
    assert clean_episodes(limit) == n


@given(st.floats(1e-4, 0.9), st.floats(0.5, 0.999))
def test_one_clean_episode_less_than_planned_is_one_too_few(limit: float, level: float) -> None:
    n = clean_episodes(limit, level=level)
    slack = 1e-9
    assert zero_failure_bound(n, level=level) < limit + slack
    assert n == 1 or zero_failure_bound(n - 1, level=level) >= limit - slack


@given(st.floats(1e-3, 0.9))
@settings(deadline=None)
def test_a_two_sided_interval_needs_the_two_sided_number_of_clean_episodes(limit: float) -> None:
    n = clean_episodes(limit, two_sided=True)
    slack = 1e-9
    assert clopper_pearson(0, n)[1] < limit + slack
    assert n == 1 or clopper_pearson(0, n - 1)[1] >= limit - slack


def test_twenty_episodes_per_cluster_that_correlate_by_a_fifth_need_4_8_times_as_many() -> None:
    assert design_effect(20, 0.2) == pytest.approx(4.8)


def test_a_deterministic_agent_gains_nothing_from_more_seeds() -> None:
    assert design_effect(20, 1.0) == 20


@pytest.mark.parametrize(
    "call",
    [
        lambda: two_proportions(0.3, 0.3),
        lambda: two_proportions(0.0, 0.3),
        lambda: two_proportions(0.1, 0.3, power=1.0),
        lambda: paired_proportions(0.1, 0.2),
        lambda: paired_proportions(0.1, 0.0),
        lambda: clean_episodes(0.0),
        lambda: clean_episodes(0.01, level=95),
        lambda: design_effect(0.5, 0.2),
        lambda: design_effect(20, 1.2),
        lambda: design_effect(20, -0.2),
        lambda: holm([0.1, float("nan")]),
        lambda: holm([1.1]),
        lambda: holm([[0.1]]),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(call: object) -> None:
    with pytest.raises(StatisticsError):
        call()  # type: ignore[operator]


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_agrees_with_statsmodels(p_values: list[float]) -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    with mock.patch("gc.collect"):  # theirs looks for garbage in all that the tests hold, each time
        theirs = multitest.multipletests(p_values, method="holm")[1]
    assert holm(p_values).tolist() == pytest.approx(theirs.tolist())


def test_holm_never_rejects_a_larger_p_value_before_a_smaller_one() -> None:
    assert holm([0.01, 0.022, 0.02]).tolist() == pytest.approx([0.03, 0.04, 0.04])


def test_holm_of_nothing_is_nothing() -> None:
    assert holm([]).tolist() == []


def test_a_clean_record_with_crashes_is_not_a_clean_record() -> None:
    bounds = missing_bounds([0] * 9, ["a"] * 9, ["a"])
    assert (bounds.as_is, bounds.low, bounds.high) == (0.0, 0.0, 0.1)
    assert bounds.worth_reporting


def test_worst_cases_equal_the_estimate_where_nothing_is_missing() -> None:
    bounds = missing_bounds([0, 1, 1], "aab", "")
    assert bounds.as_is == bounds.low == bounds.high == 0.75
    assert not bounds.worth_reporting


def test_a_difference_below_a_point_is_not_worth_a_line() -> None:
    assert not missing_bounds([0] * 199, ["a"] * 199, ["a"]).worth_reporting


def test_where_nothing_was_scored_the_worst_cases_are_the_bounds() -> None:
    bounds = missing_bounds([], [], "ab", bounds=(-1, 1))
    assert (bounds.as_is, bounds.low, bounds.high) == (None, -1.0, 1.0)
    assert bounds.worth_reporting


def test_without_any_episode_there_is_nothing_to_bound() -> None:
    bounds = missing_bounds([], [], [])
    assert bounds.as_is is bounds.low is bounds.high is None
    assert not bounds.worth_reporting


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from("abc")), min_size=1), st.text("abcd"))
def test_any_outcome_of_the_unscored_lies_between_the_worst_cases(
    scored: list[tuple[float, str]], unscored: str
) -> None:
    values, labels = [v for v, _ in scored], [c for _, c in scored]
    bounds = missing_bounds(values, labels, unscored)
    middle = missing_bounds(values + [0.5] * len(unscored), labels + list(unscored), "").as_is
    assert bounds.low is not None and middle is not None and bounds.high is not None
    assert bounds.low - 1e-9 <= middle <= bounds.high + 1e-9
