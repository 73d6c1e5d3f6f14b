"""The rule of the house: which interval a mean over clusters gets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offswitch.errors import StatisticsError
from offswitch.statistics.clopper_pearson import clopper_pearson
from offswitch.statistics.cluster_bootstrap import cluster_bootstrap
from offswitch.statistics.cluster_mean import cluster_measurement
from offswitch.statistics.cluster_t import cluster_t
from offswitch.statistics.grouping import cluster_means
from offswitch.statistics.measurement import Measurement
from offswitch.statistics.newcombe import newcombe_paired
from offswitch.statistics.paired import paired_measurement
from offswitch.statistics.wilson import wilson


def rates(K: int, seed: int = 0) -> tuple[list[float], list[int]]:
    """20 episodes of 0 and 1 in each of K clusters with rates spread over [0.2, 0.8]."""
    rng = np.random.default_rng(seed)
    p = np.repeat(rng.uniform(0.2, 0.8, K), 20)
    return rng.binomial(1, p).astype(float).tolist(), np.repeat(np.arange(K), 20).tolist()


def measured(values: list[float], clusters: object, **options: object) -> Measurement:
    return cluster_measurement("sr", values, clusters, **{"seed": 1, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize(("K", "method"), [
    (2, "cluster-t, few clusters"), (19, "cluster-t, few clusters"), (20, "cluster bootstrap"),
])  # fmt: skip
def test_twenty_clusters_bootstrap_and_fewer_take_t(K: int, method: str) -> None:
    values, clusters = rates(K)
    found = measured(values, clusters)
    assert (found.method, found.clusters, found.n) == (method, K, 20 * K)
    assert found.seed == (1 if K >= 20 else None)


def test_the_estimate_weighs_clusters_and_not_episodes() -> None:
    assert measured([1, 0, 0, 0, 0, 0], "abbbbb").estimate == 0.5


def test_cluster_t_is_the_t_interval_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    means = np.array([0.1, 0.4, 0.3, 0.9])
    theirs = stats.t.interval(0.95, 3, means.mean(), stats.sem(means))
    assert cluster_t(means) == pytest.approx(theirs)


@pytest.mark.slow
def test_cluster_t_is_the_cluster_robust_interval_of_statsmodels() -> None:
    sm = pytest.importorskip("statsmodels.api")
    values, clusters = rates(12)
    fit = sm.OLS(values, np.ones(len(values))).fit(
        cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": True}, use_t=True
    )
    # its small-sample factor is K / (K - 1) * (n - 1) / (n - 1) = K / (K - 1) for one constant
    low, high = measured(values, clusters).low, measured(values, clusters).high
    assert (low, high) == pytest.approx(fit.conf_int()[0], rel=1e-6)


def test_the_bootstrap_agrees_with_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    means = cluster_means(*rates(30))
    theirs = stats.bootstrap(
        (means,), np.mean, method="percentile", n_resamples=20_000, rng=np.random.default_rng(5)
    ).confidence_interval
    ours = cluster_bootstrap(means, np.random.default_rng(6), resamples=20_000)
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.005)


def test_one_cluster_of_yes_and_no_has_the_interval_of_its_episodes() -> None:
    found = measured([1, 0, 0, 0], "aaaa")
    assert (found.low, found.high) == wilson(1, 4)
    assert (found.clusters, found.method) == (1, "wilson, episodes of one cluster")


def test_one_cluster_without_an_event_has_clopper_pearsons() -> None:
    found = measured([0] * 30, "a" * 30)
    assert (found.low, found.high) == clopper_pearson(0, 30)


def test_one_cluster_of_numbers_has_a_t_interval_of_its_episodes() -> None:
    found = measured([0.1, 0.4, 0.3], "aaa")
    assert (found.low, found.high) == pytest.approx(
        np.clip(cluster_t(np.array([0.1, 0.4, 0.3])), 0, 1)
    )
    assert found.method == "t, episodes of one cluster"


@pytest.mark.parametrize("K", [1, 2, 19, 20, 40])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_identical_outcomes_of_all_clusters_are_no_more_than_one_each(K: int, value: float) -> None:
    found = measured([value] * K * 5, np.repeat(np.arange(K), 5).tolist())
    n = 5 if K == 1 else K
    assert (found.low, found.high) == pytest.approx(clopper_pearson(int(value * n), n))


@pytest.mark.parametrize("value", [0.1, 0.3, 1 / 3, 0.7])
@pytest.mark.parametrize("sizes", [[3], [1], [3, 7, 11], list(range(1, 25))])
def test_identical_numbers_never_give_an_interval_without_width(
    value: float, sizes: list[int]
) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes).tolist()
    found = measured([value] * sum(sizes), labels)
    assert found.low is not None and found.high is not None
    assert found.low < value - 0.01 and value + 0.01 < found.high


@pytest.mark.parametrize("labels", ["aaaa", "aabb", "abcd"])
def test_identical_numbers_without_bounds_have_no_interval(labels: str) -> None:
    found = measured([0.1] * 4, labels, unit="steps")
    assert found.estimate == pytest.approx(0.1)
    assert found.low is found.high is None
    assert "no interval" in found.method


def test_bounds_give_identical_numbers_an_interval_in_any_unit() -> None:
    found = measured([0.0] * 20, range(20), unit="share of capacity", bounds=(0, 1))
    assert (found.low, found.high) == clopper_pearson(0, 20)


@pytest.mark.parametrize("K", [10, 20, 100])
def test_an_agent_caught_once_never_looks_safer_than_one_never_caught(K: int) -> None:
    clusters = np.repeat(np.arange(K), 20).tolist()
    clean = measured([0.0] * 20 * K, clusters)
    caught = measured([1.0] + [0.0] * (20 * K - 1), clusters)
    assert clean.high is not None and caught.high is not None
    assert clean.high < caught.high


def test_the_spread_is_believed_from_the_fifth_differing_cluster_on() -> None:
    """A jump, and a known price: with four the bound is cautious, with five it is not."""
    four, five = (measured([0.05] * k + [0.0] * (40 - k), range(40)) for k in (4, 5))
    assert four.high == clopper_pearson(4, 40)[1]
    assert five.method == "cluster bootstrap"
    assert five.high is not None and five.high < 0.02


def test_an_effect_in_one_pair_of_clusters_is_not_told_from_none() -> None:
    values = [1.0] * 20 + [0.0] * 20 * 19
    found = measured(values, np.repeat(np.arange(20), 20).tolist(), unit="probability difference")
    assert found.low is not None and found.low < 0
    assert found.high is not None and found.high > 0.05


def test_four_clusters_in_twenty_that_always_resist_are_told_from_none() -> None:
    found = measured([1.0] * 4 + [0.0] * 16, range(20))
    assert found.low is not None and found.low > 0.01
    assert found.high == clopper_pearson(4, 20)[1]


def test_clusters_that_agree_by_chance_away_from_the_bounds_keep_the_t_interval() -> None:
    values = [0.5] * 4 + [1.0]
    assert measured(values, range(5)).method == "cluster-t, few clusters"


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    values, clusters = rates(25)
    assert measured(values, clusters, seed=3) == measured(values, clusters, seed=3)
    assert measured(values, clusters, seed=3).low != measured(values, clusters, seed=4).low


def test_no_episodes_give_no_estimate() -> None:
    nothing = measured([], [], missing=3)
    assert nothing.estimate is nothing.low is nothing.high is None
    assert (nothing.n, nothing.missing) == (0, 3)


@pytest.mark.parametrize(
    ("values", "clusters", "said"),
    [
        ([0.0, 1.0], "a", "one label per value"),
        ([[0.0, 1.0]], "ab", "one label per value"),
        ([0.0, float("nan")], "ab", "could not be scored"),
        ([0.0, float("inf")], "ab", "could not be scored"),
        ([0.0, 2.0], "ab", r"expected \[0.0, 1.0\] for unit 'probability'"),
        ([-0.1, 1.0], "ab", r"expected \[0.0, 1.0\]"),
    ],
)
def test_data_that_cannot_carry_an_estimate_are_refused(
    values: list[float], clusters: str, said: str
) -> None:
    with pytest.raises(StatisticsError, match=said):
        measured(values, clusters)


@pytest.mark.parametrize("bounds", [(1.0, 0.0), (0.0, 0.0), (0.0, float("nan"))])
def test_bounds_the_wrong_way_round_are_refused(bounds: tuple[float, float]) -> None:
    with pytest.raises(StatisticsError, match="expected low < high"):
        measured([0.0, 0.0], "ab", bounds=bounds)


@pytest.mark.parametrize("bound", [0.7, 1.767, 0.1])
def test_rounding_in_a_mean_at_a_bound_does_not_matter(bound: float) -> None:
    found = measured([bound] * 30, [0] * 3 + [1] * 7 + [2] * 20, bounds=(0.0, bound))
    assert found.high == pytest.approx(bound)
    assert found.low is not None and found.low < 0.5 * bound


@pytest.mark.parametrize("labels", ["aaa", "abc", range(3)])
@pytest.mark.parametrize("level", [0.0, 1.0, 95])
def test_a_level_outside_the_unit_interval_is_refused(labels: object, level: float) -> None:
    with pytest.raises(StatisticsError):
        measured([0.0, 0.5, 1.0], labels, level=level)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.floats(0, 1) | st.integers(0, 1)), min_size=1),
    st.integers(0, 3),
)
def test_the_order_of_the_episodes_and_the_names_of_the_clusters_change_nothing(
    episodes: list[tuple[int, float]], seed: int
) -> None:
    shuffled = sorted(episodes, key=lambda e: (e[1] * 997 % 1, e[0]))
    before = measured([v for _, v in episodes], [c for c, _ in episodes], seed=seed)
    after = measured([v for _, v in shuffled], [("w", -c) for c, _ in shuffled], seed=seed)
    assert before == after


def pairs(K: int) -> tuple[list[float], list[float], list[int]]:
    treated, clusters = rates(K, seed=1)
    control, _ = rates(K, seed=2)
    return treated, control, clusters


@pytest.mark.parametrize("K", [5, 25])
def test_pairs_over_clusters_have_the_interval_of_their_differences(K: int) -> None:
    treated, control, clusters = pairs(K)
    found = paired_measurement("excess", treated, control, clusters, seed=1)
    differences = np.subtract(treated, control)
    assert found == cluster_measurement(
        "excess", differences, clusters, seed=1, unit="probability difference"
    )


def test_pairs_of_one_cluster_have_newcombes_interval() -> None:
    found = paired_measurement("excess", [1, 1, 1, 0, 0], [1, 0, 0, 1, 0], "aaaaa", seed=1)
    assert (found.low, found.high) == newcombe_paired(1, 2, 1, 1)
    assert found.estimate == pytest.approx(1 / 5)
    assert found.seed is None


def test_pairs_that_never_differ_still_have_an_interval_with_width() -> None:
    for clusters in ("a" * 20, range(20)):
        found = paired_measurement("excess", [0] * 20, [0] * 20, clusters, seed=1)
        assert found.low is not None and found.low < -0.05
        assert found.high is not None and found.high > 0.05


def test_common_random_numbers_make_the_interval_of_a_difference_narrower() -> None:
    rng = np.random.default_rng(0)
    shared = rng.normal(size=400)
    treated, control = shared + 0.1 * rng.normal(size=400), shared + 0.1 * rng.normal(size=400)
    clusters = np.repeat(np.arange(10), 40).tolist()
    paired = paired_measurement("gain", treated, control, clusters, seed=1, unit="reward")
    apart = paired_measurement("gain", treated, rng.permutation(control), clusters, seed=1,
                               unit="reward")  # fmt: skip
    assert paired.low is not None and paired.high is not None
    assert apart.low is not None and apart.high is not None
    assert paired.high - paired.low < 0.5 * (apart.high - apart.low)


def test_halves_of_pairs_are_refused() -> None:
    with pytest.raises(StatisticsError, match="expected pairs"):
        paired_measurement("excess", [1, 0], [1], "ab", seed=1)


def test_pairs_without_episodes_have_no_estimate() -> None:
    assert paired_measurement("excess", [], [], [], seed=1).estimate is None
