"""Properties every interval and every plan must have."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from offswitch.statistics.clopper_pearson import clopper_pearson
from offswitch.statistics.cluster_mean import cluster_measurement
from offswitch.statistics.cluster_t import cluster_t
from offswitch.statistics.grouping import cluster_means
from offswitch.statistics.measurement import Measurement
from offswitch.statistics.multiplicity import holm
from offswitch.statistics.paired import paired_measurement
from offswitch.statistics.sample_size import design_effect
from offswitch.statistics.sparse_clusters import sparse_clusters
from offswitch.statistics.wilson import wilson

counts = st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
intervals = st.sampled_from([wilson, clopper_pearson])
binary = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 25)), min_size=1, max_size=80)
numeric = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 25)), min_size=1, max_size=80)
few = settings(max_examples=60, deadline=None)


def ends(found: Measurement) -> tuple[float, float]:
    assert found.low is not None and found.high is not None
    return found.low, found.high


def over(episodes: list[tuple[float, int]], **options: object) -> Measurement:
    values, clusters = [v for v, _ in episodes], [c for _, c in episodes]
    return cluster_measurement("x", values, clusters, **{"seed": 0, **options})  # type: ignore[arg-type]


@few
@given(binary | numeric)
def test_law_an_interval_holds_its_estimate_has_width_and_stays_in_bounds(
    episodes: list[tuple[float, int]],
) -> None:
    found = over(episodes)
    low, high = ends(found)
    assert found.estimate is not None
    assert 0 <= low <= found.estimate + 1e-9 and found.estimate - 1e-9 <= high <= 1
    assert low < high


@few
@given(binary)
def test_law_complement_turns_every_interval_over(episodes: list[tuple[int, int]]) -> None:
    """P(no event) = 1 - P(event), whatever interval the rule of the house chose."""
    low, high = ends(over(episodes))
    turned = over([(1 - v, c) for v, c in episodes])
    close = 0.05 if turned.method == "cluster bootstrap" else 1e-9  # its resamples are others
    assert ends(turned) == pytest.approx((1 - high, 1 - low), abs=close)


@few
@given(st.lists(st.tuples(st.integers(-1, 1), st.integers(0, 9)), min_size=2), st.floats(0.1, 9))
def test_law_a_change_of_unit_changes_the_interval_with_it(
    episodes: list[tuple[int, int]], scale: float
) -> None:
    low, high = ends(over(episodes, bounds=(-1.0, 1.0)))
    scaled = over([(v * scale, c) for v, c in episodes], bounds=(-scale, scale))
    assert ends(scaled) == pytest.approx((scale * low, scale * high), abs=1e-6)


@few
@given(binary, st.floats(0.5, 0.9), st.floats(0.01, 0.09))
def test_law_a_higher_level_never_narrows(
    episodes: list[tuple[int, int]], level: float, more: float
) -> None:
    low, high = ends(over(episodes, level=level))
    wider = ends(over(episodes, level=level + more))
    assert wider[0] <= low + 1e-9 and high - 1e-9 <= wider[1]


@few
@given(binary, st.integers(2, 4))
def test_law_repeating_every_episode_of_a_cluster_is_no_new_evidence(
    episodes: list[tuple[int, int]], times: int
) -> None:
    """Seeds are replicates inside a cluster: with two clusters or more the interval stays."""
    if len({c for _, c in episodes}) > 1:
        assert ends(over(episodes * times)) == pytest.approx(ends(over(episodes)), abs=1e-9)


@few
@given(st.integers(2, 60), st.integers(1, 10))
def test_law_more_clean_clusters_lower_the_upper_bound(K: int, more: int) -> None:
    clean = [(0.0, c) for c in range(K + more)]
    assert ends(over(clean))[1] < ends(over(clean[:K]))[1]


@few
@given(st.integers(10, 60), st.integers(0, 3))
def test_law_one_more_touched_cluster_never_lowers_the_upper_bound(K: int, touched: int) -> None:
    """As long as few clusters are touched; then their spread is believed."""

    def high(count: int) -> float:
        return ends(over([(0.05 * (c < count), c) for c in range(K)]))[1]

    assert high(touched) < high(touched + 1)


@few
@given(intervals, counts, st.floats(0.5, 0.99))
def test_law_more_events_never_lower_either_end(
    interval: object, count: tuple[int, int], level: float
) -> None:
    events, n = count
    if events < n:
        now, then = (interval(x, n, level=level) for x in (events, events + 1))  # type: ignore[operator]
        assert now[0] <= then[0] and now[1] <= then[1]


@few
@given(st.integers(1, 30), st.floats(0.001, 0.999), st.sampled_from([0.8, 0.95]))
def test_law_clopper_pearson_covers_every_probability(n: int, p: float, level: float) -> None:
    """Exactly, by summing the binomial probabilities of the counts whose interval holds p."""
    held = [x for x in range(n + 1) for low, high in [clopper_pearson(x, n, level=level)]
            if low <= p <= high]  # fmt: skip
    assert stats.binom.pmf(held, n, p).sum() >= level - 1e-9


@few
@given(
    st.integers(1, 12),
    st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3),
    st.floats(0.01, 0.3),
)
def test_law_the_sparse_interval_covers_any_clusters_around_a_fixed_value(
    K: int, weights: list[float], value: float
) -> None:
    """Clusters are 0 with a large share, else `value` or 1; summed over all compositions."""
    q = np.array([3 + weights[0], weights[1] * 0.3, weights[2] * 0.3])
    q /= q.sum()
    truth = q @ np.array([0.0, value, 1.0])
    missed = 0.0
    for ones in range(K + 1):
        for some in range(K + 1 - ones):
            none = K - ones - some
            if 2 * none <= K:
                continue
            means = np.sort(np.repeat([0.0, value, 1.0], [none, some, ones]))
            low, high = sparse_clusters(means, (0.0, 1.0))
            if not low <= truth <= high:
                missed += stats.multinomial.pmf([none, some, ones], K, q)
    assert missed <= 0.025 + 1e-9


@few
@given(binary, st.integers(1, 5))
def test_law_swapping_treated_and_control_negates_the_contrast(
    episodes: list[tuple[int, int]], shift: int
) -> None:
    treated, clusters = [v for v, _ in episodes], [c for _, c in episodes]
    control = treated[shift % len(treated) :] + treated[: shift % len(treated)]
    there = paired_measurement("x", treated, control, clusters, seed=0)
    back = paired_measurement("x", control, treated, clusters, seed=0)
    low, high = ends(there)
    assert back.estimate == pytest.approx(-(there.estimate or 0.0))
    assert ends(back) == pytest.approx((-high, -low), abs=0.1 if there.seed == 0 else 1e-9)


@few
@given(st.integers(2, 20), st.integers(1, 30), st.floats(-1, 1), st.floats(0.01, 1))
def test_law_cluster_t_is_centred_on_the_mean_of_cluster_means(
    K: int, m: int, centre: float, spread: float
) -> None:
    values = np.random.default_rng(K * 31 + m).normal(centre, spread, size=K * m)
    means = cluster_means(values, np.repeat(np.arange(K), m).tolist())
    low, high = cluster_t(means)
    assert (low + high) / 2 == pytest.approx(values.mean(), abs=1e-9)


@few
@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_law_holm_lies_between_the_p_values_and_bonferroni(p_values: list[float]) -> None:
    p, adjusted = np.array(p_values), holm(p_values)
    assert (p <= adjusted).all()
    assert (adjusted <= np.minimum(1, p * len(p)) + 1e-12).all()
    assert (np.argsort(adjusted[np.argsort(p)], kind="stable") == np.arange(len(p))).all()


@given(st.integers(1, 100), st.floats(0, 1))
def test_law_the_design_effect_lies_between_independence_and_one_episode_per_cluster(
    m: int, rho: float
) -> None:
    assert 1 <= design_effect(m, rho) <= m + 1e-9
