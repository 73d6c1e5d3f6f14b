"""An alarm keeps its rate whenever somebody looks, and is quick where there is something."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offswitch.errors import GuardError
from offswitch.guard.sensors.alarms import advance_bet, e_value, is_alarm, start_bet

RUNS, LENGTH, ALPHA, RATE = 1000, 200, 0.05, 0.05


def first_alarm(signs: Iterator[float], rate: float, alpha: float) -> int | None:
    """The first look at which it alarms: the stopping rule that is worst for a false alarm."""
    bet = start_bet(rate)
    for number, sign in enumerate(signs, start=1):
        bet = advance_bet(bet, sign)
        if is_alarm(bet, alpha):
            return number
    return None


def coin(draw: random.Random, length: int) -> Iterator[float]:
    return (float(draw.random() < RATE) for _ in range(length))


def clustered(draw: random.Random, length: int) -> Iterator[float]:
    """Each sign's chance depends on the past, and is never above the rate."""
    last = 0.0
    for _ in range(length):
        last = float(draw.random() < (RATE if last else RATE * 0.9))
        yield last


def shares(draw: random.Random, length: int) -> Iterator[float]:
    return (draw.random() * 2 * RATE for _ in range(length))


@pytest.mark.slow
@pytest.mark.parametrize(("null", "runs"), [(coin, RUNS), (clustered, 300), (shares, 300)])
def test_false_alarms_with_optional_stopping_stay_below_alpha(
    null: Callable[[random.Random, int], Iterator[float]], runs: int
) -> None:
    alarms = [first_alarm(null(random.Random(seed), LENGTH), RATE, ALPHA) for seed in range(runs)]
    assert sum(alarm is not None for alarm in alarms) <= ALPHA * runs


def test_the_count_of_false_alarms_notices_a_rate_that_is_too_high() -> None:
    alarms = [
        first_alarm((float(random.Random(seed + i).random() < 0.2) for i in range(LENGTH)), RATE,
                    ALPHA)
        for seed in range(0, 50 * LENGTH, LENGTH)
    ]  # fmt: skip
    assert sum(alarm is not None for alarm in alarms) > 45


@pytest.mark.slow
def test_a_change_is_found_soon_even_after_a_long_good_time() -> None:
    delays = {}
    for good in (0, 300):
        found = []
        for seed in range(60):
            draw = random.Random(seed)
            signs = (float(draw.random() < (RATE if i < good else 0.5)) for i in range(good + 200))
            at = first_alarm(signs, RATE, 0.01)
            assert at is not None
            found.append(at - good)
        delays[good] = sorted(found)[len(found) // 2]
    assert delays[0] <= 12
    assert delays[300] <= 20


@given(
    st.floats(0.01, 0.9),
    st.lists(st.floats(0, 1), max_size=30),
)
def test_the_next_stake_is_fair_at_the_rate(rate: float, past: list[float]) -> None:
    bet = start_bet(rate)
    for sign in past:
        bet = advance_bet(bet, sign)
    won, lost = (math.exp(advance_bet(bet, sign).log_wealth) for sign in (1.0, 0.0))
    now = math.exp(bet.log_wealth)
    assert rate * won + (1 - rate) * lost == pytest.approx(now, rel=1e-9)


def test_the_wealth_survives_a_million_bad_signs_worth_of_luck() -> None:
    bet = start_bet(0.01)._replace(log_wealth=5000.0)
    assert e_value(bet) == pytest.approx(1e300)
    assert is_alarm(bet, 1e-12)


@pytest.mark.parametrize("sign", [-0.1, 1.1, float("nan")])
def test_a_sign_outside_zero_and_one_is_refused(sign: float) -> None:
    with pytest.raises(GuardError, match="from 0 to 1"):
        advance_bet(start_bet(0.1), sign)


@pytest.mark.parametrize("rate", [0.0, 1.0, float("nan")])
def test_a_rate_that_can_never_alarm_or_always_does_is_refused(rate: float) -> None:
    with pytest.raises(GuardError, match="between 0 and 1"):
        start_bet(rate)
