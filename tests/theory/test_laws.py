"""Laws of rewards: what they draw has the moments and bounds they declare."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.laws.bernoulli import Bernoulli
from offswitch.theory.laws.beta import Beta
from offswitch.theory.laws.correlated import Correlated
from offswitch.theory.laws.expected_maximum import maximum_by_quadrature
from offswitch.theory.laws.goal_set import GoalSet
from offswitch.theory.laws.law import RewardLaw, bounded_support
from offswitch.theory.laws.normal import Normal
from offswitch.theory.laws.on_states import OnStates
from offswitch.theory.laws.parse import parse_law
from offswitch.theory.laws.uniform import Uniform
from offswitch.theory.reward_draws import sample_rewards

S = 4
LOOPS = FiniteMDP.from_coo(S, 1, [(s, 0, s, 1.0) for s in range(S)])
INDEPENDENT = [
    Uniform(),
    Uniform(-2, 3),
    Normal(),
    Normal(1, 0.5),
    Beta(2, 5),
    Beta(0.5, 0.5),
    Bernoulli(0.3),
    Bernoulli(0.02, value=-2),
]
FEATURES = [[1.0, 0.0], [0.0, -2.0], [1.0, 1.0], [3.0, 0.5]]
LAWS = [
    *INDEPENDENT,
    Correlated(FEATURES, Uniform(-1, 1)),
    Correlated(FEATURES, Normal()),
    OnStates([1, 3], Uniform(1, 2), S),
    GoalSet(np.arange(12).reshape(3, S), weights=[1, 2, 5]),
]


def label(law: RewardLaw) -> str:
    return law.name


@pytest.mark.parametrize("law", LAWS, ids=label)
def test_draws_have_the_declared_mean_and_bounds(law):
    drawn = sample_rewards(LOOPS, 6400, seed=1, law=law)
    error = drawn.std(axis=0, ddof=1) / 80
    assert isinstance(law, RewardLaw)
    assert (np.abs(drawn.mean(axis=0) - law.mean(S)) <= 4 * error + 1e-12).all()
    if law.bounds is not None:
        assert law.bounds[0] <= drawn.min() and drawn.max() <= law.bounds[1]
        assert drawn.max() > drawn.mean()


@pytest.mark.parametrize("law", LAWS, ids=label)
def test_rewards_repeat_if_and_only_if_the_law_is_not_continuous(law):
    drawn = sample_rewards(LOOPS, 640, seed=1, law=law)
    repeats = min(len(np.unique(column)) for column in drawn.T) < 640
    assert repeats == (not law.continuous)


@pytest.mark.parametrize("law", LAWS, ids=label)
def test_states_are_uncorrelated_and_alike_if_and_only_if_the_law_says_independent(law):
    drawn = sample_rewards(LOOPS, 6400, seed=2, law=law)
    same = np.ptp(drawn.mean(axis=0)) < 0.1 * (np.ptp(drawn) or 1)
    spread = drawn.std(axis=0)
    correlated = (spread == 0).any()
    if not correlated:
        correlated = (np.abs(np.corrcoef(drawn.T)[np.triu_indices(S, 1)]) > 0.06).any()
    assert (same and not correlated) == law.independent


@pytest.mark.parametrize("law", INDEPENDENT, ids=label)
def test_the_expected_maximum_is_that_of_the_draws(law):
    drawn = sample_rewards(LOOPS, 16_000, seed=3, law=law)
    for count in (1, 2, 4):
        best = drawn[:, :count].max(axis=1)
        error = best.std(ddof=1) / np.sqrt(len(best))
        assert abs(best.mean() - law.expected_maximum(count)) <= 4 * error + 1e-6
    assert law.expected_maximum([[1, 5], [7, 10**6]]).shape == (2, 2)
    assert (np.diff(law.expected_maximum([1, 2, 3, 50, 10**6])) >= 0).all()


@pytest.mark.parametrize(
    ("law", "oracle"),
    [
        (Normal(), stats.norm()),
        (Normal(-1, 3), stats.norm(-1, 3)),
        (Beta(2, 5), stats.beta(2, 5)),
        (Beta(0.5, 3), stats.beta(0.5, 3)),
        (Beta(40, 2), stats.beta(40, 2)),
    ],
    ids=["normal", "moved normal", "beta(2, 5)", "beta(0.5, 3)", "beta(40, 2)"],
)
@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_the_quadrature_of_the_maximum_agrees_with_an_adaptive_one(law, oracle, count):
    exact, _ = integrate.quad(
        lambda t: oracle.ppf(t ** (1 / count)), 0, 1, epsabs=1e-10, epsrel=1e-10, limit=400
    )
    assert law.expected_maximum(count) == pytest.approx(exact, abs=1e-7)


def test_the_maximum_of_uniforms_by_quadrature_is_n_over_n_plus_1():
    counts = np.array([1, 2, 10, 10**6])
    found = maximum_by_quadrature(lambda p, q: np.where(p < 0.5, p, 1 - q), counts)
    assert found == pytest.approx(counts / (counts + 1), abs=1e-12)
    # A power of a uniform is Beta(a, 1), whose maximum of n is Beta(n a, 1).
    assert Beta(3, 1).expected_maximum(counts) == pytest.approx(
        3 * counts / (3 * counts + 1), abs=1e-12
    )


def test_a_goal_does_not_depend_on_how_many_are_drawn_and_the_seed_matters():
    long, short = (sample_rewards(LOOPS, n, seed=9) for n in (200, 70))
    assert (long[:70] == short).all()
    assert (sample_rewards(LOOPS, 70, seed=10) != short).any()
    with pytest.raises(ModelError, match="n is 0, expected at least 1"):
        sample_rewards(LOOPS, 0, seed=0)


def test_names_are_read_back_as_laws():
    assert parse_law("uniform") == Uniform()
    assert parse_law("uniform:-1,1") == Uniform(-1, 1)
    assert parse_law("normal") == Normal()
    assert parse_law("normal:0,2") == Normal(0, 2)
    assert parse_law("beta:2,5") == Beta(2, 5)
    assert parse_law("bernoulli:0.5") == Bernoulli(0.5)
    assert parse_law("bernoulli:0.5,3") == Bernoulli(0.5, 3)
    assert parse_law("sparse:0.01") == Bernoulli(0.01)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("unifrom", "Did you mean 'uniform'"),
        ("beta", r"has 0 numbers, expected 'beta:A,B'"),
        ("beta:1,2,3", "has 3 numbers"),
        ("uniform:1", "has 1 numbers"),
        ("sparse:0.1,2", "has 2 numbers, expected 'sparse"),
        ("normal:a,b", "has 'a', expected a number"),
        ("uniform:1,0", "low is 1 and high is 0, expected low < high"),
        ("uniform:nan,0", "low is nan, expected a finite number"),
        ("normal:0,-1", "deviation is -1.0, expected a positive"),
        ("sparse:0", "probability is 0.0, expected a number in"),
        ("beta:0,1", "a is 0.0, expected a number in"),
    ],
)
def test_bad_names_and_numbers_are_refused(text, match):
    with pytest.raises(ModelError, match=match):
        parse_law(text)


def test_bad_parameters_are_refused_all_at_once():
    with pytest.raises(ModelError, match="2 problems"):
        Bernoulli(2.0, value=0)
    with pytest.raises(ModelError, match="2 problems"):
        Beta(0, -1)
    with pytest.raises(ModelError, match=r"(?s)state 7 is outside.*a state is given twice"):
        OnStates([7, 1, 1], Uniform(), 4)
    with pytest.raises(ModelError, match="states are"):
        OnStates([], Uniform(), 4)
    with pytest.raises(ModelError, match="dependent rewards"):
        OnStates([1], GoalSet([[1.0]]), 4)
    with pytest.raises(ModelError, match=r"features have shape \(3,\)"):
        Correlated([1, 2, 3], Uniform())
    with pytest.raises(ModelError, match="expected a law of independent"):
        Correlated([[1]], GoalSet([[1.0]]))
    with pytest.raises(ModelError, match=r"goals have shape \(2,\)"):
        GoalSet([1, 2])
    with pytest.raises(ModelError, match=r"weights have shape \(1,\), expected \[2\]"):
        GoalSet([[1], [2]], weights=[1])
    with pytest.raises(ModelError, match="not all 0"):
        GoalSet([[1], [2]], weights=[0, 0])
    with pytest.raises(ModelError, match="expected whole numbers of at least 1"):
        Uniform().expected_maximum([0])


def test_what_needs_bounds_or_independence_says_so():
    with pytest.raises(ModelError, match="needs rewards with bounds, and the law normal"):
        bounded_support(Normal(), "Hoeffding's bound")
    assert bounded_support(Uniform(-1, 1), "x") == (-1, 1)
    for law in LAWS[len(INDEPENDENT) :]:
        with pytest.raises(ModelError, match="a count says too little"):
            law.expected_maximum(2)
