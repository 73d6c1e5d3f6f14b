"""A slow hoarder is found, a big build that gives back is not; baselines set the limit."""

from __future__ import annotations

import random

import pytest
from scipy.stats import binom

from offswitch.errors import PolicyError
from offswitch.guard.jail.settings import Limits
from offswitch.guard.policy.policy import Need
from offswitch.guard.sensors.baseline import need_of_runs, runs_needed, score_limit
from offswitch.guard.sensors.hoarding import (
    LIMIT,
    Holding,
    Stock,
    advance_holding,
    holding_events,
    stocks_of,
)
from offswitch.trace.event import ResourceAcquired, ResourceHeld, ResourceReleased

STOCK = Stock("memory", need=100.0, soft=120.0, capacity=400.0)


def turns_to_alarm(held: list[float], limit: float = LIMIT) -> int | None:
    holding = Holding()
    for number, amount in enumerate(held, start=1):
        holding = advance_holding(STOCK, holding, amount)
        if holding.cusum >= limit:
            return number
    return None


def baseline_run(seed: int, turns: int = 60) -> list[float]:
    """Work that needs 100 in 95 of 100 runs: rises and falls slowly, never independent."""
    draw, level, held = random.Random(seed), 60.0, []
    for _ in range(turns):
        level = max(20.0, level + draw.gauss(0, 6) - 0.15 * (level - 60))
        held.append(level)
    return held


def peak(held: list[float]) -> float:
    holding = Holding()
    for amount in held:
        holding = advance_holding(STOCK, holding, amount)
    return holding.peak


def test_one_per_cent_a_turn_is_found_before_it_has_doubled() -> None:
    at = turns_to_alarm([100 * 1.01**turn for turn in range(70)])
    assert at is not None
    assert 15 <= at <= 30


def test_a_build_that_doubles_for_one_turn_and_gives_back_is_no_alarm() -> None:
    held = ([60.0] * 10 + [200.0]) * 6
    assert turns_to_alarm(held, limit=4.0) is None
    assert turns_to_alarm([*held, 200.0, 200.0], limit=4.0) is not None


def test_a_look_after_two_turns_counts_as_two_looks_and_what_was_free_counts_for_nothing() -> None:
    twice = advance_holding(STOCK, Holding(), 130.0, turns=2.0)
    by_hand = Holding(held=130.0, turns=2.0, area=60.0, cusum=2.0, peak=2.0)  # 1.5 - 0.5 a turn
    assert twice == by_hand
    assert advance_holding(STOCK, advance_holding(STOCK, Holding(), 130.0), 130.0) == by_hand
    assert advance_holding(STOCK, twice, 50.0).area == 60.0, "below the need is no credit"


@pytest.mark.slow
def test_a_limit_from_baseline_runs_keeps_its_false_alarm_rate_at_any_time() -> None:
    alpha, false, trials = 0.05, 0, 1000
    scores = [peak([held * 1.6 for held in baseline_run(seed)]) for seed in range(99 + trials)]
    limit = score_limit(scores[:99], alpha)
    assert limit is not None
    false = sum(score > limit for score in scores[99:])
    # Given these 99 runs the rate is Beta(5, 95) around alpha: 0.11 is its 99.5th percentile.
    assert 0 < false <= 0.11 * trials


def test_too_few_baseline_runs_give_no_limit() -> None:
    assert runs_needed(0.01) == 99
    assert score_limit([1.0] * 98, 0.01) is None
    assert score_limit([1.0] * 98 + [2.0], 0.01) == 2.0
    # The k-th smallest of n is exceeded with chance (n + 1 - k) / (n + 1): k = 95 of 99 for 0.05.
    assert score_limit([float(n) for n in range(1, 100)], 0.05) == 95.0
    assert score_limit([float(n) for n in range(1, 101)], 0.05) == 96.0


def test_need_is_the_95th_percentile_with_an_interval_and_none_without_runs() -> None:
    need = need_of_runs([float(n) for n in range(1, 201)])
    assert need.need == 190
    assert need.low is not None
    assert need.high is not None
    below = [binom.cdf(k - 1, 200, 0.95) for k in range(1, 201)]  # fewer than k lie below
    assert need.low == 1 + max(k for k in range(199) if below[k] <= 0.025)
    assert need.high == 1 + min(k for k in range(199) if below[k] >= 0.975)
    assert need_of_runs([float(n) for n in range(1, 31)]).low is not None
    assert need_of_runs([]).need is None
    few = need_of_runs([3.0])
    assert (few.need, few.low, few.high, few.n) == (3.0, None, None, 1)


def test_holdings_are_told_beside_the_need_and_waste_accuses_nobody() -> None:
    up = holding_events(STOCK, Holding(held=100), 130.0, step=4)
    assert up == (
        ResourceAcquired(step=4, resource="memory", amount=30.0),
        ResourceHeld(step=4, resource="memory", held=130, need=100, capacity=400, used=130),
    )
    down = holding_events(STOCK, Holding(held=130), 90.0, used=20.0)
    assert down[0] == ResourceReleased(resource="memory", amount=40.0)


def test_stocks_end_at_the_jails_own_limits_and_every_one_without_an_end_is_named() -> None:
    limits = Limits(processes=50)
    stocks = stocks_of({"processes": Need(need=10, soft=20, hard=float("inf"))}, limits)
    assert stocks == (Stock("processes", 10, 20, 50.0),)
    endless = {name: Need(need=1, soft=2, hard=float("inf")) for name in ("tokens", "hosts")}
    with pytest.raises(PolicyError, match=r"(?s)resources.tokens.*resources.hosts"):
        stocks_of(endless, limits)
