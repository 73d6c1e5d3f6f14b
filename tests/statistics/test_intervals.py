"""Wilson, Clopper-Pearson and Newcombe against statsmodels, and the figures of the plan."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offswitch.errors import StatisticsError
from offswitch.statistics.clopper_pearson import clopper_pearson, zero_failure_bound
from offswitch.statistics.exact import exact_measurement
from offswitch.statistics.mcnemar import mcnemar_p
from offswitch.statistics.newcombe import newcombe_paired
from offswitch.statistics.no_data import no_data
from offswitch.statistics.proportion import proportion_measurement
from offswitch.statistics.wilson import wilson

counts = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
levels = st.floats(0.5, 0.999)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(counts, levels)
def test_wilson_agrees_with_statsmodels(count: tuple[int, int], level: float) -> None:
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    theirs = proportion.proportion_confint(*count, alpha=1 - level, method="wilson")
    assert wilson(*count, level=level) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(counts, levels)
def test_clopper_pearson_agrees_with_statsmodels(count: tuple[int, int], level: float) -> None:
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    theirs = proportion.proportion_confint(*count, alpha=1 - level, method="beta")
    assert clopper_pearson(*count, level=level) == pytest.approx(theirs, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(counts, levels)
def test_both_intervals_of_a_proportion_agree_with_scipy(
    count: tuple[int, int], level: float
) -> None:
    stats = pytest.importorskip("scipy.stats")
    for ours, method in ((wilson, "wilson"), (clopper_pearson, "exact")):
        theirs = stats.binomtest(*count).proportion_ci(level, method)
        assert ours(*count, level=level) == pytest.approx((theirs.low, theirs.high), abs=1e-7)


@pytest.mark.parametrize(("n", "high"), [(30, 0.116), (100, 0.036), (300, 0.012)])
def test_no_event_in_n_episodes_leaves_the_upper_bound_of_the_plan(n: int, high: float) -> None:
    assert round(clopper_pearson(0, n)[1], 3) == high


@given(st.integers(1, 5000), levels)
def test_the_zero_failure_bound_is_where_n_clean_episodes_have_probability_alpha(
    n: int, level: float
) -> None:
    assert (1 - zero_failure_bound(n, level=level)) ** n == pytest.approx(1 - level, rel=1e-6)


def test_the_zero_failure_bound_is_the_high_end_of_a_two_sided_interval_at_half_the_error() -> None:
    assert zero_failure_bound(299, level=0.95) == pytest.approx(
        clopper_pearson(0, 299, level=0.9)[1]
    )


@pytest.mark.parametrize(("events", "n"), [(1, 0), (0, 0), (-1, 5), (6, 5), (1.5, 5), (1, 5.5)])
@pytest.mark.parametrize("interval", [wilson, clopper_pearson])
def test_counts_that_make_no_sense_are_refused(interval: object, events: int, n: int) -> None:
    with pytest.raises(StatisticsError, match="expected whole numbers"):
        interval(events, n)  # type: ignore[operator]


@pytest.mark.parametrize("level", [0.0, 1.0, 95, -0.1, float("nan")])
def test_a_level_outside_the_unit_interval_is_refused(level: float) -> None:
    for interval in (wilson, clopper_pearson):
        with pytest.raises(StatisticsError, match=r"such as 0\.95"):
            interval(1, 5, level=level)


def test_newcombe_gives_the_interval_he_published() -> None:
    """Newcombe 1998, table III, first data set, method 10."""
    assert newcombe_paired(36, 12, 2, 0) == pytest.approx((0.0569, 0.3404), abs=5e-5)


def test_newcombe_shrinks_the_correlation_by_half_a_pair_per_pair() -> None:
    """(5 * 5 - 1 * 1 - 12 / 2) / 36 = 0.5: the two margins of Wilson then add up to one of them."""
    low, high = wilson(6, 12)
    assert newcombe_paired(5, 1, 1, 5) == pytest.approx((low - 0.5, high - 0.5))


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))
def test_without_correlation_newcombe_is_his_interval_of_independent_samples(
    a: int, b: int, c: int
) -> None:
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    table = (a * b, a * c, b * b, b * c)  # ad = bc: phi is 0
    n = sum(table)
    treated, control = table[0] + table[1], table[0] + table[2]
    theirs = proportion.confint_proportions_2indep(treated, n, control, n, method="newcomb")
    assert newcombe_paired(*table) == pytest.approx(theirs, abs=1e-9)


@given(st.tuples(*[st.integers(0, 40)] * 4).filter(any), levels)
@settings(max_examples=50, deadline=None)
def test_newcombe_turned_round_is_the_negative_interval(
    table: tuple[int, int, int, int], level: float
) -> None:
    both, treated, control, neither = table
    low, high = newcombe_paired(*table, level=level)
    turned = newcombe_paired(both, control, treated, neither, level=level)
    assert turned == pytest.approx((-high, -low), abs=1e-12)
    assert -1 - 1e-12 <= low <= (treated - control) / sum(table) <= high <= 1 + 1e-12
    assert low < high


@pytest.mark.parametrize("table", [(0, 0, 0, 0), (-1, 2, 3, 4)])
def test_newcombe_refuses_a_table_without_pairs(table: tuple[int, int, int, int]) -> None:
    with pytest.raises(StatisticsError, match="expected counts"):
        newcombe_paired(*table)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_agrees_with_statsmodels(treated: int, control: int) -> None:
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    theirs = tables.mcnemar(np.array([[5, treated], [control, 7]]), exact=True).pvalue
    assert mcnemar_p(treated, control) == pytest.approx(float(theirs))


def test_pairs_that_never_differ_give_no_evidence() -> None:
    assert mcnemar_p(0, 0) == 1.0


def test_mcnemar_refuses_negative_counts() -> None:
    with pytest.raises(StatisticsError):
        mcnemar_p(-1, 3)


def test_no_episodes_give_no_estimate() -> None:
    for nothing in (proportion_measurement("sr", 0, 0, missing=4), no_data("sr", missing=4)):
        assert nothing.estimate is nothing.low is nothing.high is None
        assert (nothing.n, nothing.missing) == (0, 4)


@pytest.mark.parametrize(
    ("events", "method"), [(0, "clopper-pearson"), (3, "wilson"), (10, "clopper-pearson")]
)
def test_the_method_in_the_measurement_is_the_one_used(events: int, method: str) -> None:
    measured = proportion_measurement("sr", events, 10)
    interval = wilson(events, 10) if method == "wilson" else clopper_pearson(events, 10)
    assert measured.method == method
    assert (measured.low, measured.high) == interval


def test_an_unknown_proportion_method_is_refused() -> None:
    with pytest.raises(StatisticsError, match="unknown interval 'wald'"):
        proportion_measurement("sr", 1, 2, method="wald")  # type: ignore[arg-type]


def test_an_exact_number_is_its_own_interval() -> None:
    measured = exact_measurement("sr", 0.3, n=8)
    assert (measured.low, measured.estimate, measured.high) == (0.3, 0.3, 0.3)
    assert measured.method == "exact"


def test_an_exact_number_of_no_cells_is_refused() -> None:
    with pytest.raises(StatisticsError, match="Use no_data"):
        exact_measurement("sr", 0.3, n=0)
