from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offswitch.errors import PolicyError
from offswitch.guard.supervisor.ladder import Alarm, Ladder, Level, Thresholds, raised, released

THRESHOLDS = {"hoarding": Thresholds(1, 2, 3, 4), "evasion": Thresholds(kill=0.5)}
scores = st.floats(0, 5)
alarms = st.lists(st.builds(Alarm, st.sampled_from(sorted(THRESHOLDS)), scores), max_size=20)


def after(*scored: tuple[str, float]) -> Ladder:
    ladder = Ladder(THRESHOLDS)
    for detector, score in scored:
        ladder = raised(ladder, Alarm(detector, score))
    return ladder


@pytest.mark.parametrize("score", range(5))
def test_each_threshold_reached_is_its_level(score: int) -> None:
    assert after(("hoarding", score)).level == Level(score)


def test_below_freeze_the_level_follows_the_scores_down() -> None:
    assert after(("hoarding", 2), ("hoarding", 0)).level is Level.OBSERVE
    assert after(("hoarding", 2), ("hoarding", 0)).by == ""


@given(alarms)
def test_no_score_ever_releases_a_freeze_or_a_kill(later: list[Alarm]) -> None:
    ladder = after(("hoarding", 3))
    for alarm in later:
        before, ladder = ladder.level, raised(ladder, alarm)
        assert ladder.level >= max(before, Level.FREEZE)
        assert ladder.by


@given(alarms)
def test_the_level_is_the_worst_wanted_or_a_latch(alarmed: list[Alarm]) -> None:
    ladder, worst = Ladder(THRESHOLDS), Level.OBSERVE
    for alarm in alarmed:
        ladder = raised(ladder, alarm)
        worst = max(worst, ladder.level)
        wanted = max(ladder.wanted.values())
        assert ladder.level == (worst if worst >= Level.FREEZE else wanted)


def test_only_an_operator_releases_a_freeze_and_nothing_releases_a_kill() -> None:
    assert released(after(("hoarding", 3))).level is Level.OBSERVE
    assert released(after(("evasion", 1))).level is Level.KILL
    again = raised(released(after(("hoarding", 3))), Alarm("hoarding", 3))
    assert again.level is Level.FREEZE


def test_who_latched_a_freeze_stays_named_when_another_asks_for_the_same() -> None:
    both = {"hoarding": Thresholds(freeze=3), "evasion": Thresholds(freeze=0.5)}
    ladder = Ladder(both)
    for detector, score in (("hoarding", 3), ("hoarding", 0), ("evasion", 1)):
        ladder = raised(ladder, Alarm(detector, score))
    assert (ladder.level, ladder.by) == (Level.FREEZE, "hoarding")


def test_a_score_that_is_no_number_kills() -> None:
    assert after(("hoarding", math.nan)).level is Level.KILL


def test_a_detector_without_thresholds_is_refused_by_its_nearest_name() -> None:
    with pytest.raises(PolicyError, match="Did you mean 'hoarding'"):
        after(("hording", 1))


@pytest.mark.parametrize("wrong", [(2, 1, None, None), (math.nan,), (1, None, 0.5, None)])
def test_thresholds_that_fall_are_refused(wrong: tuple[float | None, ...]) -> None:
    with pytest.raises(PolicyError, match="must not fall"):
        Thresholds(*wrong)
