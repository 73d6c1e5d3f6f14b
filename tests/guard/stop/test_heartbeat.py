from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offswitch.guard.stop.heartbeat import Beat, Limits, Pulse, beat_from

LIMITS = Limits(timeout_s=0.25, head_timeout_s=1.0)


def test_a_counter_that_moves_keeps_the_pulse() -> None:
    pulse = Pulse(LIMITS, 0.0)
    for n in range(100):
        pulse.take(Beat(n), n * 0.05)
        assert pulse.problem(n * 0.05 + 0.24) is None
    assert pulse.ends() == pytest.approx(99 * 0.05 + 0.25)


def test_a_thread_that_repeats_the_same_counter_is_no_pulse() -> None:
    pulse = Pulse(LIMITS, 0.0)
    for n in range(6):
        pulse.take(Beat(7), n * 0.05)
    assert pulse.problem(0.25) is None
    assert "no heartbeat for 0.260 s" in str(pulse.problem(0.26))


def test_a_counter_that_runs_backwards_is_no_pulse() -> None:
    pulse = Pulse(LIMITS, 0.0)
    pulse.take(Beat(9), 0.0)
    for n in range(9):
        pulse.take(Beat(n), 0.2)
    assert pulse.problem(0.3) is not None


def test_a_ledger_head_that_stands_still_with_records_waiting_is_no_pulse() -> None:
    pulse = Pulse(LIMITS, 0.0)
    for n in range(25):
        pulse.take(Beat(n, "aa", pending=3), n * 0.05)
    assert "3 records waiting" in str(pulse.problem(1.2))


def test_a_ledger_head_may_stand_still_when_nothing_waits() -> None:
    pulse = Pulse(LIMITS, 0.0)
    for n in range(200):
        pulse.take(Beat(n, "aa", pending=0), n * 0.05)
    assert pulse.problem(199 * 0.05) is None


def test_time_in_which_the_listener_slept_is_not_held_against_the_other() -> None:
    pulse = Pulse(LIMITS, 0.0)
    pulse.take(Beat(1), 0.0)
    pulse.forgive(5.0)
    assert pulse.problem(5.2) is None
    assert pulse.problem(5.3) is not None


@given(st.dictionaries(st.sampled_from(Beat._fields), st.none() | st.booleans() | st.floats()))
def test_a_malformed_heartbeat_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="a heartbeat of"):
        beat_from(fields)


def test_silence_is_the_age_of_the_last_beat_that_counted() -> None:
    pulse = Pulse(LIMITS, 0.0)
    pulse.take(Beat(1), 0.1)
    pulse.take(Beat(1), 0.2)
    assert pulse.silence(0.3) == pytest.approx(0.2)
    pulse.forgive(1.0)
    assert pulse.silence(0.3) == 0.0
