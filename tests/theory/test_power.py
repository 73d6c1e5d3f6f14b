"""POWER as an estimate: what comes back, how it stops, what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from power_processes import chance, grid, pair, star
from scipy import stats

from offswitch.errors import ModelError, StatisticsError
from offswitch.mdp.batched.executor import Executor
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.laws.bernoulli import Bernoulli
from offswitch.theory.laws.beta import Beta
from offswitch.theory.laws.correlated import Correlated
from offswitch.theory.laws.goal_set import GoalSet
from offswitch.theory.laws.normal import Normal
from offswitch.theory.laws.on_states import OnStates
from offswitch.theory.laws.uniform import Uniform
from offswitch.theory.power import power
from offswitch.theory.power_samples import power_samples
from offswitch.theory.reward_draws import sample_rewards
from offswitch.theory.sampling import estimate, schemes


def test_the_interval_is_students_moved_by_the_skewness_of_the_mean():
    mdp = chance()
    samples = power_samples(mdp, sample_rewards(mdp, 200, seed=3), 0.8).value
    found = power(mdp, discount=0.8, samples=200, seed=3, level=0.9)
    error = samples.std(axis=0, ddof=1) / np.sqrt(200)
    skewness = stats.skew(samples, axis=0, bias=False) / np.sqrt(200)
    together = stats.t.ppf(1 - 0.05 / mdp.n_states, 199)
    assert found.n == 200
    assert found.estimate == pytest.approx(samples.mean(axis=0), abs=found.solver_error)
    for low, high, quantile in (
        (found.low, found.high, stats.t.ppf(0.95, 199)),
        (found.simultaneous_low, found.simultaneous_high, together),
    ):
        half = quantile * error + found.solver_error
        above, below = high - found.estimate, found.estimate - low
        # Hall 1992, Sec. 3.5, to first order in the skewness.
        moved = (2 * quantile**2 + 1) / 6 * skewness * error
        assert (np.sign(above - below) == np.sign(skewness)).all()
        assert (above - below) / 2 == pytest.approx(moved, abs=0.02 * half.max())
        assert (above + below) / 2 == pytest.approx(half, rel=0.03)


def test_kept_samples_are_what_every_goal_contributes():
    mdp = chance()
    found = power(mdp, discount=0.8, samples=100, seed=3, keep_samples=True)
    exact = power_samples(mdp, sample_rewards(mdp, 100, seed=3), 0.8)
    assert found.solver_error <= 2e-6
    assert found.samples == pytest.approx(exact.value, abs=found.solver_error + exact.solver_error)
    assert found.samples.mean(axis=0) == pytest.approx(found.estimate, abs=1e-12)
    assert power(mdp, discount=0.8, samples=100, seed=3).samples is None


def test_an_array_of_rewards_is_goals_of_the_users_own():
    mdp = chance()
    rewards = np.random.default_rng(0).normal(size=(70, mdp.n_states))
    found = power(mdp, discount=0.8, rewards=rewards, keep_samples=True)
    assert found.n == 70
    assert found.samples == pytest.approx(power_samples(mdp, rewards, 0.8).value, abs=1e-4)
    assert (found.low < found.estimate).all()


def test_power_over_a_goal_set_is_exact():
    mdp = pair()
    law = GoalSet([[1.0, 0.0], [0.0, 1.0], [0.3, 0.7]], weights=[2, 1, 1])
    exact = law.share @ power_samples(mdp, law.table, 0.9).value
    found = power(mdp, discount=0.9, rewards=law)
    assert found.method == "exact over all 3 goals"
    assert found.estimate == pytest.approx(exact, abs=1e-5)
    assert (found.high - found.low < 1e-3).all()
    assert found.difference(0, 1).estimate == pytest.approx(exact[0] - exact[1], abs=1e-5)
    drawn = power(mdp, discount=0.9, rewards=law, samples=2000)
    assert (drawn.low <= exact).all() and (exact <= drawn.high).all()


def test_sampling_goes_on_until_every_interval_is_narrow_enough():
    for half_width in (0.01, 0.002):
        for options in ({}, {"variance_reduction": False}):
            found = power(grid(4), discount=0.9, half_width=half_width, seed=1, **options)
            assert max((found.high - found.estimate).max(), (found.estimate - found.low).max()) <= (
                half_width
            )
            assert found.n >= 256


def test_looking_while_sampling_is_paid_for_with_a_wider_interval():
    fixed = power(grid(3), discount=0.9, samples=1280, seed=1)
    looked = power(grid(3), discount=0.9, half_width=0.1, seed=1)
    assert (looked.estimate == fixed.estimate).all()
    wider = stats.t.ppf(1 - 0.85 * 0.025, 15) / stats.t.ppf(0.975, 15)
    error = fixed.solver_error
    assert looked.high - looked.estimate - looked.solver_error == pytest.approx(
        wider * (fixed.high - fixed.estimate - error), abs=1e-3 * error + 1e-12, rel=5e-3
    )


def test_the_default_is_a_half_width_of_a_hundredth():
    found = power(grid(3), discount=0.5, seed=1)
    asked = power(grid(3), discount=0.5, seed=1, half_width=0.01)
    assert found.estimate.tobytes() == asked.estimate.tobytes()
    assert (found.high - found.low).max() <= 0.02


def test_the_solver_error_is_a_small_share_of_the_interval_at_any_discount():
    for discount in (0.01, 0.5, 0.99, 0.9999):
        found = power(grid(3), discount=discount, samples=100, seed=0)
        assert 0 < found.solver_error <= 1e-4 / discount
        assert found.solver_error < 0.02 * (found.high - found.low).max()


def test_intervals_stay_within_the_bounds_of_the_law():
    for seed in range(10):
        found = power(pair(), discount=0.5, samples=2, seed=seed, level=0.999)
        assert (found.low >= 0).all() and (found.high <= 1).all()
        assert ((found.low <= found.estimate) & (found.estimate <= found.high)).all()


def test_no_interval_is_without_width_because_no_goal_drawn_paid():
    law = Bernoulli(2.0**-14)
    for options in ({"samples": 256}, {}):
        found = power(grid(3), discount=0.9, rewards=law, seed=1, **options)
        truth = 9 * 2.0**-14  # at most
        assert (found.low <= truth).all() and (found.high >= 2.0**-14).all()
        assert (found.high > 0.001).all()


def test_a_state_without_choice_needs_no_sampling():
    mdp = FiniteMDP.from_coo(
        4, 2, [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 3, 1), (2, 0, 1, 1), (3, 0, 2, 1)]
    )
    found = power(mdp, discount=0.7, seed=1)
    assert found.estimate[1:] == pytest.approx(0.5, abs=1e-9)
    assert (found.high - found.low)[1:].max() < 1e-9
    assert (found.high - found.low)[0] > 1e-6
    # Under rewards of unequal means it is the policy's value of the mean reward.
    law = OnStates([3], Uniform(), 4)
    some = power(mdp, discount=0.7, rewards=law, seed=1)
    exact = power_samples(mdp, law.mean(4)[None], 0.7).value[0]
    assert some.estimate[1:] == pytest.approx(exact[1:], abs=1e-5)


def test_unreachable_states_have_power_of_their_own():
    mdp = FiniteMDP.from_coo(3, 2, [(0, 0, 0, 1), (1, 0, 1, 1), (1, 1, 2, 1), (2, 0, 2, 1)])
    found = power(mdp, discount=0.9, seed=0)
    assert found.estimate == pytest.approx([1 / 2, 2 / 3, 1 / 2], abs=1e-3)


def test_forbidden_actions_do_not_count():
    allowed = np.array([[True, False], [True, False]])
    found = power(pair(), discount=0.9, allowed=allowed, seed=0)
    assert found.estimate == pytest.approx(0.5, abs=1e-9)


@pytest.mark.slow
def test_a_difference_is_sharper_than_the_intervals_of_its_states():
    found = power(grid(5), discount=0.9, samples=3000, seed=1)
    exact = power(grid(5), discount=0.9, samples=2**16, seed=2)
    gap = found.difference(12, 0)
    assert gap.low <= exact.difference(12, 0).estimate <= gap.high
    assert gap.estimate == pytest.approx(found.estimate[12] - found.estimate[0])
    one, other = (found.high - found.low)[[12, 0]]
    assert gap.high - gap.low < one + other
    assert gap.low > 0  # the middle of the grid has more POWER than a corner
    plain = power(grid(5), discount=0.9, samples=3000, seed=1, variance_reduction=False)
    assert plain.difference(12, 0).low <= exact.estimate[12] - exact.estimate[0]
    assert found.difference(3, 3).high == found.difference(3, 3).low == 0
    with pytest.raises(ModelError, match=r"state is 25, expected an index in \[0, 25\)"):
        found.difference(25, 0)


def test_a_difference_that_no_goal_showed_is_not_called_zero():
    # Two leaves that pay so rarely that none of the goals tells the hubs apart.
    rows = [(0, 0, 2, 1), (0, 1, 3, 1), (1, 0, 2, 1), (2, 0, 2, 1), (3, 0, 3, 1)]
    mdp = FiniteMDP.from_coo(4, 2, rows)
    law = Bernoulli(2.0**-14)
    found = power(
        mdp, discount=0.9, rewards=law, samples=256, seed=0, variance_reduction=False
    )  # fmt: skip
    gap = found.difference(0, 1)
    assert gap.low < 2.0**-14 < gap.high


@pytest.mark.parametrize("stop_at", [300, 2000])
def test_an_interrupt_returns_what_there_is_after_256_goals(stop_at, monkeypatch):
    monkeypatch.setattr(estimate, "PROGRESS_SECONDS", 0)

    def interrupt(n: int, half_width: float) -> None:
        assert half_width > 0
        if n >= stop_at:
            raise KeyboardInterrupt

    found = power(
        grid(3), discount=0.9, samples=40_000, seed=1, progress=interrupt,
        variance_reduction=False, executor=Executor(workers=1),
    )  # fmt: skip
    assert found.interrupted
    assert stop_at <= found.n < 40_000
    first = power(grid(3), discount=0.9, samples=found.n, seed=1, variance_reduction=False)
    # Asked for fewer goals, each is solved less exactly.
    apart = found.solver_error + first.solver_error + 1e-12
    assert found.estimate == pytest.approx(first.estimate, abs=apart)


def test_an_interrupt_before_256_goals_is_passed_on(monkeypatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(schemes.BlockWork, "__call__", interrupt)
    with pytest.raises(KeyboardInterrupt):
        power(grid(3), discount=0.9, samples=512, seed=1)


def test_progress_tells_the_goals_and_a_shrinking_half_width():
    told = []
    found = power(
        grid(3), discount=0.9, half_width=0.001, seed=1,
        progress=lambda n, half_width: told.append((n, half_width)),
    )  # fmt: skip
    assert told[-1][0] == found.n
    assert told[-1][1] <= 0.001 < told[0][1]
    assert [n for n, _ in told] == sorted(n for n, _ in told)


def test_a_generator_serves_as_a_seed():
    first = power(pair(), discount=0.9, samples=64, seed=np.random.default_rng(1))
    again = power(pair(), discount=0.9, samples=64, seed=first.seed)
    assert first.estimate.tobytes() == again.estimate.tobytes()


def test_arguments_that_make_no_sense_are_refused():
    mdp = star(2)

    def refused(match: str, **options: object) -> None:
        with pytest.raises(ModelError, match=match):
            power(mdp, **{"discount": 0.9, **options})

    refused("samples is 1, expected a whole number of at least 2", samples=1)
    refused("samples is 2.5, expected a whole number of at least 2", samples=2.5)
    refused("half_width is 0, expected a positive", half_width=0)
    refused("half_width is nan, expected a positive", half_width=float("nan"))
    refused("both given, expected one", half_width=0.1, samples=10)
    refused("discount is 1, .* use power_limit_average", discount=1)
    refused("discount is 0, .* use power_limit_myopic", discount=0.0)
    refused("discount is 1.5, expected", discount=1.5)
    refused("seed is -1, expected", seed=-1, samples=10)
    refused(r"shape \(3,\), expected \[N, S\] = \[N, 3\]", rewards=np.ones(3))
    refused(r"shape \(1, 3\), .* at least 2 goals", rewards=np.ones((1, 3)))
    refused(r"rewards\[1, 2\] \(state 'leaf 1'\) is nan", rewards=[[0, 0, 0], [0, 0, np.nan]])
    refused("array of rewards, which fixes the goals", rewards=np.ones((2, 3)), samples=5)
    refused("is about 4 states, the process has 3", rewards=OnStates([0], Uniform(), 4))
    refused(r"goals have shape \(1, 2\), expected \[G, 3\]", rewards=GoalSet([[1, 2]]))
    refused(r"features have shape \(2, 1\)", rewards=Correlated([[1], [2]], Uniform()))
    refused("3 problems", half_width=-1, samples=1)
    with pytest.raises(StatisticsError, match="level is 95"):
        power(mdp, discount=0.9, level=95)
    with pytest.raises(ModelError, match=r"rewards have shape \(3,\)"):
        power_samples(mdp, np.ones(3), 0.9)
    with pytest.raises(ModelError, match="is nan, expected a finite"):
        power_samples(mdp, np.full((1, 3), np.nan), 0.9)


def test_a_law_without_bounds_is_refused_where_a_bound_is_needed():
    # The gate leads to states that never pay, or to one that does: with rewards on one state only,
    # state 1 has a choice, and yet every goal drawn gives it the same.
    rows = [(0, 0, 0, 1), (1, 0, 1, 1), (1, 1, 2, 1), (2, 0, 2, 1)]
    mdp = FiniteMDP.from_coo(3, 2, rows)
    with pytest.raises(ModelError, match="the law of rewards has no bounds"):
        power(mdp, discount=0.9, rewards=OnStates([0], Normal(), 3))


def forks(count: int) -> FiniteMDP:
    """State 3k leads to 3k + 1 or to 3k + 2, which stay."""
    rows = []
    for base in range(0, 3 * count, 3):
        rows += [(base, 0, base + 1, 1.0), (base, 1, base + 2, 1.0)]
        rows += [(base + 1, 0, base + 1, 1.0), (base + 2, 0, base + 2, 1.0)]
    return FiniteMDP.from_coo(3 * count, 2, rows)


@pytest.mark.parametrize("law", [Normal(1e4, 1), Uniform(1e12, 1e12 + 1)], ids=["1e4", "1e12"])
def test_power_is_affine_in_rewards_far_from_zero_and_sampling_ends(law):
    near = Normal(0, 1) if isinstance(law, Normal) else Uniform(-0.5, 0.5)
    middle = float(law.mean(1)[0])
    far = power(forks(1), discount=0.9, rewards=law, half_width=0.05, seed=2, keep_samples=True)
    same = power(forks(1), discount=0.9, rewards=near, half_width=0.05, seed=2, keep_samples=True)
    assert far.n == same.n
    slack = 1e-9 + 8 * np.finfo(float).eps * middle + same.solver_error
    assert far.estimate - middle == pytest.approx(same.estimate, abs=slack)
    assert far.samples - middle == pytest.approx(same.samples, abs=slack)
    assert (far.high - far.low).max() <= 0.1 + 2 * far.solver_error


def test_given_goals_and_goal_sets_far_from_zero_are_solved_as_well_as_near_it():
    table = np.random.default_rng(0).random((70, 3))
    for rewards, near in ((1e9 + table, table), (GoalSet(1e9 + table), GoalSet(table))):
        far = power(forks(1), discount=0.9, rewards=rewards)
        assert far.solver_error < 1e-4
        exact = power(forks(1), discount=0.9, rewards=near).estimate
        assert far.estimate - 1e9 == pytest.approx(exact, abs=1e-4)


def test_accuracy_that_cannot_be_had_is_refused_at_once_in_terms_of_half_width():
    def refused(match: str, **options: object) -> None:
        with pytest.raises(ModelError, match=match):
            power(forks(1), **{"discount": 0.9, **options})

    refused("half_width is 0.003 .*Subtract 1e", rewards=Uniform(1e15, 1e15 + 1), half_width=3e-3)
    refused("half_width is 1e-08 .*steps of 2", half_width=1e-8)
    with pytest.raises(ModelError, match="half_width"):
        power(grid(3), discount=1 - 1e-15)


def test_an_error_of_the_solver_above_half_the_half_width_ends_the_sampling(monkeypatch):
    monkeypatch.setattr("offswitch.theory.power.solver_tolerance", lambda *_, **__: 1.0)
    with pytest.raises(ModelError, match=r"half_width is 0\.01, but single goals are solved"):
        power(chance(), discount=0.9)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "law", "n"),
    [(300, Bernoulli(0.0056), 2048), (20, Beta(0.05, 1000), 640), (20, Bernoulli(0.005), 1024)],
    ids=["sparse, many states", "skewed", "sparse"],
)
def test_plain_draws_of_rare_and_skewed_rewards_have_honest_intervals(count, law, n):
    truth = float(law.expected_maximum([2])[0])
    at, repetitions = np.arange(0, 3 * count, 3), 40
    held, together = [], []
    for seed in range(repetitions):
        found = power(
            forks(count), discount=0.9, rewards=law, samples=n, seed=seed, variance_reduction=False
        )
        held.append(((found.low <= truth) & (truth <= found.high))[at].mean())
        low, high = found.simultaneous_low[at], found.simultaneous_high[at]
        together.append(((low <= truth) & (truth <= high)).all())
    assert np.mean(held) >= 0.94
    assert np.mean(together) >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("hits", [3, 8.5])
def test_differences_of_rare_rewards_have_honest_intervals(hits):
    law = Bernoulli(hits / 2 / 1024)
    truth = float(law.expected_maximum([2])[0] - law.mean(1)[0])
    held = []
    for seed in range(150):
        found = power(
            forks(1), discount=0.9, rewards=law, samples=1024, seed=seed, variance_reduction=False
        ).difference(0, 1)
        held.append(found.low <= truth <= found.high)
    assert np.mean(held) >= 0.95


def test_goals_that_are_all_equal_are_refused_and_exact_as_a_goal_set():
    for value in (0.0, -7.0):
        with pytest.raises(ModelError, match=r"say nothing .*GoalSet\(rewards\)"):
            power(forks(1), discount=0.9, rewards=np.full((5, 3), value))
        found = power(forks(1), discount=0.9, rewards=GoalSet(np.full((5, 3), value)))
        assert found.estimate == pytest.approx(value, abs=1e-5)


def test_a_class_a_word_or_a_number_of_the_wrong_kind_is_named():
    def refused(match: str, **options: object) -> None:
        with pytest.raises(ModelError, match=match):
            power(forks(1), **{"discount": 0.9, **options})

    refused("class Uniform.*call it", rewards=Uniform)
    refused(r"executor is 'ray', expected .*Executor\(kind='ray'\)", executor="ray")
    refused("samples is 2.5, expected a whole number", samples=2.5)
    refused("samples is 'x', expected a whole number", samples="x")
    refused("level is 'a', expected a number", level="a")
    refused("complex", rewards=np.eye(3) * 1j)
    refused("up to 1e.250 in size.*Rescale", rewards=np.eye(3) * 1e250)
    refused("no array of numbers", rewards=[[1, 2, 3], [1, 2]])
    with pytest.raises(ModelError, match="workers is '2'"):
        Executor(workers="2")
    loop = FiniteMDP.from_coo(1, 1, [(0, 0, 0, 1.0)])
    for seed in (-1, None):
        with pytest.raises(ModelError, match="seed is"):
            power(loop, discount=0.9, seed=seed)
    found = power(forks(1), discount=0.9, samples=640)
    for state in (1.5, "s0", True, 3, -1):
        with pytest.raises(ModelError, match="expected an index in"):
            found.difference(state, 0)


def test_a_choice_among_ways_to_stay_is_worth_the_largest_of_their_rewards():
    # Turner et al. 2021, Prop. 5.4. From 0 a hub, 1 may stay as well, 2 leads on by chance.
    rows = [(0, a, 3 + a, 1.0) for a in range(4)] + [(1, 0, 1, 1.0), (1, 1, 3, 1.0)]
    rows += [(2, 0, 3, 0.5), (2, 0, 4, 0.5), (2, 1, 5, 1.0)] + [(s, 0, s, 1.0) for s in range(3, 7)]
    mdp = FiniteMDP.from_coo(7, 4, rows)
    found = power(mdp, discount=0.9, seed=0, samples=1280)
    assert found.known.tolist() == [True, True, False, True, True, True, True]
    assert found.estimate[:2] == pytest.approx([4 / 5, 2 / 3], abs=1e-12)
    assert (found.high - found.low)[:2].max() < 1e-8 < (found.high - found.low)[2]
    drawn = power(mdp, discount=0.9, samples=1280, level=0.9999, variance_reduction=False)
    assert not drawn.known[:3].any()
    assert (drawn.low[:2] <= [4 / 5, 2 / 3]).all() and (drawn.high[:2] >= [4 / 5, 2 / 3]).all()


def test_a_difference_to_a_state_that_is_known_is_known_as_well_as_the_other():
    mdp = FiniteMDP.from_coo(
        5, 3, [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 3, 1), (1, 1, 4, 1)]
        + [(s, 0, s, 1) for s in (2, 3, 4)],
    )  # fmt: skip
    found = power(mdp, discount=0.9, seed=0)
    exact = found.difference(1, 2)
    assert exact.low < 2 / 3 - 1 / 2 < exact.high < exact.low + 1e-8
    gap = found.difference(0, 2)
    assert (gap.low, gap.high) == pytest.approx((found.low[0] - 0.5, found.high[0] - 0.5), abs=1e-8)


def test_a_difference_is_never_known_worse_than_its_two_states_let_it():
    # States 0 and 1 both lead to the grid's middle and nowhere else, so that no goal tells them
    # apart; of the goals that were not drawn only the intervals of the two say something.
    inner = grid(3)
    rows = [(9, 0, 4, 1.0), (10, 0, 4, 1.0)]
    each = np.diff(inner.row_start)
    state, action = divmod(np.repeat(np.arange(len(each)), each), inner.n_actions)
    rows += list(zip(state, action, inner.next_state, inner.probability, strict=True))
    found = power(FiniteMDP.from_coo(11, 5, rows), discount=0.9, half_width=0.0005, seed=0)
    gap = found.difference(9, 10)
    assert gap.low < 0 < gap.high
    assert gap.high - gap.low <= (found.pair_high - found.pair_low)[[9, 10]].sum() + 1e-12
    assert (found.pair_low < found.low)[9] and (found.simultaneous_low < found.pair_low)[9]
