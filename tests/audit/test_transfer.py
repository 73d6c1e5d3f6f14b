"""Forecasts of behaviour in new domains: scores and claims on data whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from offswitch.audit.factors_result import POOLED
from offswitch.audit.forecast_logistic import fit_logistic
from offswitch.audit.forecast_scores import auc, brier, calibration, log_score
from offswitch.audit.transfer import (
    Cases,
    domain_weights,
    forecasts_of,
    held_out_forecasts,
    transfer,
)
from offswitch.audit.transfer_scores import claim_of, jackknife
from offswitch.errors import StatisticsError
from offswitch.statistics.cluster_t import cluster_t
from offswitch.statistics.measurement import Measurement


def cases(outcome_of, *, seed=0, domains=8, rows=40):
    """Cells with random predictors; `outcome_of(value gap, rng)` is what the agent does."""
    rng = np.random.default_rng(seed)
    n = domains * rows
    features = rng.random((n, 5))
    features[:, 0] = rng.random(n) < 0.7
    features[:, 1] = np.where(rng.random(n) < 0.5, 0.0, rng.uniform(0.2, 1, n))
    outcome = outcome_of(features[:, 1], rng)
    names = tuple(f"d{k // rows}" for k in range(n))
    return Cases("agent", features, np.asarray(outcome, dtype=float), names)


def scored(*agents, **options):
    found = transfer(
        agents, domains={}, cells=0, impossible=0, undefined=0, seed=0, level=0.95, **options
    )
    return found, {(s.agent, s.predictor): s for s in found.scores}


# --- scores ------------------------------------------------------------------------------------


def test_a_base_rate_forecast_has_brier_score_p_times_one_minus_p():
    outcome = np.r_[np.ones(30), np.zeros(70)]
    said = np.full(100, 0.3)
    assert brier(said, outcome).mean() == pytest.approx(0.3 * 0.7)
    assert log_score(said, outcome).mean() == pytest.approx(stats.entropy([0.3, 0.7]))


def test_scores_of_a_probability_are_the_expected_scores_of_its_episodes():
    said, chance = np.array([0.2, 0.9]), np.array([0.5, 0.6])
    drawn = [(c * (s - 1) ** 2 + (1 - c) * s**2) for s, c in zip(said, chance, strict=True)]
    assert brier(said, chance) == pytest.approx(drawn)
    drawn = [-(c * np.log(s) + (1 - c) * np.log(1 - s)) for s, c in zip(said, chance, strict=True)]
    assert log_score(said, chance) == pytest.approx(drawn)


def test_auc_is_mann_whitneys():
    rng = np.random.default_rng(1)
    said, outcome = rng.integers(0, 6, 50) / 6, rng.random(50) < 0.4
    ones, zeros = said[outcome], said[~outcome]
    expected = stats.mannwhitneyu(ones, zeros).statistic / (len(ones) * len(zeros))
    assert auc(said, outcome.astype(float)) == pytest.approx(expected)
    assert auc(said, np.ones(50)) is None


def test_auc_of_probabilities_is_that_of_their_episodes():
    said, chance = np.array([0.1, 0.5, 0.5, 0.8]), np.array([0.0, 0.25, 0.75, 1.0])
    episodes = np.repeat(said, 4)
    ends = np.concatenate([[1.0] * int(4 * c) + [0.0] * int(4 - 4 * c) for c in chance])
    assert auc(said, chance) == pytest.approx(auc(episodes, ends))


def test_calibration_finds_the_slope_by_which_forecasts_are_too_bold():
    logit = np.linspace(-2, 2, 60)
    outcome = special.expit(0.3 + 0.5 * logit)
    slope, intercept = calibration(special.expit(logit), outcome, np.ones(60))
    assert (slope, intercept) == pytest.approx((0.5, 0.3), abs=1e-3)
    assert calibration(np.full(60, 0.4), outcome, np.ones(60)) is None


def test_the_logistic_fit_is_statsmodels_where_the_prior_is_weak():
    import statsmodels.api as sm

    rng = np.random.default_rng(2)
    x, weight = rng.normal(size=(80, 2)), rng.uniform(0.5, 1.5, 80)
    y = special.expit(0.4 + x @ [1.0, -0.7]) * 0.9
    found = fit_logistic(x, y, weight, ridge=1e-9)
    family = sm.families.Binomial()
    expected = sm.GLM(y, sm.add_constant(x), family=family, var_weights=weight).fit()
    assert found.forecast(x) == pytest.approx(expected.fittedvalues, abs=1e-4)


def test_a_separating_predictor_gets_a_finite_slope():
    x = np.r_[np.zeros(20), np.ones(20)][:, None]
    said = fit_logistic(x, x[:, 0], np.ones(40)).forecast(x)
    assert 0 < said[0] < 0.1
    assert 0.9 < said[-1] < 1


# --- leaving a domain out ----------------------------------------------------------------------


def test_what_happens_in_a_domain_does_not_change_what_is_said_of_it():
    given = cases(lambda gap, rng: rng.random(len(gap)) < 0.2 + 0.6 * (gap > 0))
    own = np.array([domain == "d3" for domain in given.domains])
    changed = given._replace(outcome=np.where(own, 1 - given.outcome, given.outcome))
    before, after = forecasts_of(given).said, forecasts_of(changed).said
    for name in before:
        assert np.array_equal(before[name][own], after[name][own])
        assert not np.allclose(before[name][~own], after[name][~own])


def test_the_base_rate_is_that_of_the_other_domains_counting_equally():
    outcome = np.array([1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    domains = ("a", "b", "b", "c", "c", "c", "c")
    said = held_out_forecasts(np.empty((7, 0)), outcome, domains)
    assert said == pytest.approx([0.125, 0.625, 0.625, 0.5, 0.5, 0.5, 0.5])
    assert domain_weights(domains).sum() == pytest.approx(7)


def test_a_perfect_predictor_ranks_perfectly_and_comes_near_the_floor_of_noise():
    found, scores = scored(cases(lambda gap, _: gap > 0))
    gap = scores[POOLED, "value gap"]
    assert gap.auc.estimate == 1.0
    assert found.floor.estimate == 0.0
    assert gap.brier.high < 0.01
    assert gap.claim == "beats the base rate out of sample"
    assert gap.against_threat.high < 0


def test_a_noisy_predictor_is_calibrated_and_no_better_than_the_noise():
    found, scores = scored(cases(lambda gap, _: np.where(gap > 0, 0.8, 0.1)))
    gap = scores[POOLED, "value gap"]
    assert found.floor.estimate == pytest.approx(0.125, abs=0.01)
    assert gap.brier.estimate - found.floor.estimate < 0.005
    assert gap.slope.estimate == pytest.approx(1.0, abs=0.1)
    middle = [b for b in found.bins if b.predictor == "value gap"]
    assert all(abs(b.outcome.estimate - b.forecast) < 0.1 for b in middle)


def test_random_predictors_rank_at_chance_and_nothing_is_claimed_of_them():
    _, scores = scored(cases(lambda gap, rng: rng.random(len(gap)) < 0.4, seed=5))
    for name in ("value gap", "POWER gain", "all of theory"):
        score = scores[POOLED, name]
        assert score.auc.low < 0.5 < score.auc.high
        assert not score.claim.startswith("beats")


def test_the_base_rate_ranks_at_chance_and_is_not_compared_with_itself():
    _, scores = scored(cases(lambda gap, rng: rng.random(len(gap)) < 0.4))
    base = scores[POOLED, "base rate"]
    assert base.auc.estimate == 0.5
    assert base.against_base_rate is None
    assert base.brier.estimate == pytest.approx(0.24, abs=0.02)


def test_a_predictor_that_points_the_other_way_in_each_domain_is_worse_than_nothing():
    def flipping(gap, _):
        way = np.arange(len(gap)) // 200  # the first half of the domains, then the other
        return np.where(way == 0, gap > 0, gap <= 0)

    given = cases(flipping, domains=2, rows=200)
    _, scores = scored(given)
    gap = scores[POOLED, "value gap"]
    assert gap.auc.estimate < 0.01
    assert gap.against_base_rate.estimate > 0.3


def test_domains_that_all_end_alike_are_missing_from_the_auc_and_counted():
    given = cases(lambda gap, _: gap > 0)
    own = np.array([domain == "d0" for domain in given.domains])
    _, scores = scored(given._replace(outcome=np.where(own, 0.0, given.outcome)))
    score = scores[POOLED, "value gap"]
    assert (score.auc.missing, score.auc.clusters) == (1, 7)
    assert score.brier.clusters == 8


def test_each_agent_has_a_fit_of_its_own():
    bold = cases(lambda gap, _: gap > 0)
    meek = cases(lambda gap, _: 0 * gap)._replace(agent="meek")
    _, scores = scored(bold, meek)
    assert scores["meek", "value gap"].brier.estimate < 1e-3
    assert scores["agent", "value gap"].auc.estimate == 1.0
    assert scores[POOLED, "base rate"].brier.n == 640


def test_the_optimal_agent_is_scored_by_itself_and_flatters_no_pooled_score():
    optimal = cases(lambda gap, _: gap > 0)._replace(agent="optimal")
    other = cases(lambda gap, rng: rng.random(len(gap)) < 0.4)
    found, scores = scored(optimal, other)
    assert found.pooled == ("agent",)
    assert scores[POOLED, "value gap"].brier == scores["agent", "value gap"].brier
    assert scores["optimal", "value gap"].auc.estimate == 1.0
    assert scored(optimal)[0].pooled == ("optimal",)


def test_one_domain_is_not_enough():
    alone = cases(lambda gap, _: gap > 0, domains=1)
    found = transfer([alone], domains={}, cells=0, impossible=0, undefined=0, seed=0, level=0.95)
    assert found is None
    with pytest.raises(StatisticsError, match="at least 2"):
        held_out_forecasts(alone.features, alone.outcome, alone.domains)


def test_the_jackknife_of_a_mean_is_students_t():
    values = np.random.default_rng(0).normal(size=9)
    without = [float(np.delete(values, k).mean()) for k in range(9)]
    found = jackknife("slope", float(values.mean()), without, n=9, unit="", level=0.95)
    assert (found.low, found.high) == pytest.approx(cluster_t(values))
    assert jackknife("slope", 0.0, [0.0, None, 1.0, 2.0], n=9, unit="", level=0.95).low is None


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(-0.2, -0.1, "beats"), (-0.2, 0.0, "is not shown"), (-0.1, 0.1, "is not shown"),
     (0.1, 0.2, "is worse"), (None, None, "cannot be told")],
)  # fmt: skip
def test_only_an_interval_below_zero_beats_the_base_rate(low, high, said):
    estimate = None if low is None else (low + high) / 2
    found = Measurement(
        name="d", estimate=estimate, low=low, high=high, n=0 if low is None else 9, method="t"
    )
    assert claim_of(found).startswith(said)
