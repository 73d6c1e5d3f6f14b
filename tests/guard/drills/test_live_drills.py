"""A schedule driven by heartbeats keeps its times, says what it wants, and shows its seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from offswitch.guard.drills.drill import DrillActions
from offswitch.guard.drills.live_drills import DETECTOR, THRESHOLDS, LiveDrills
from offswitch.guard.drills.record import check_drills, drill_pairs
from offswitch.guard.drills.schedule import DrillSettings, Schedule, plan_schedule
from offswitch.guard.ledger.reading import read_records
from offswitch.guard.ledger.writer import LedgerWriter
from offswitch.guard.sensors.notice import Activity
from offswitch.guard.supervisor.ladder import Alarm, Ladder, Level, raised

SETTINGS = DrillSettings(blocks=4, block_s=60.0, window_s=5.0, real_share=0.3)


def schedule_with_real(number: int) -> Schedule:
    """The first schedule whose first real stop is that one."""
    plans = (plan_schedule(f"{n:064}", SETTINGS) for n in range(1000))
    return next(
        plan for plan in plans if [one.number for one in plan.planned if one.real][:1] == [number]
    )


class Run:
    def __init__(self, folder: Path, schedule: Schedule, activity: Activity) -> None:
        self.now, self.done, self.over, self.paused = 0.0, list[str](), False, False
        self.writer = LedgerWriter(folder / "ledger", {}, clock=lambda: self.now)
        actions = DrillActions(
            notify=lambda: self.done.append("notify"),
            look=lambda since: activity,
            ended=lambda: self.over,
            paused=lambda: self.paused,
            left=lambda: 0,
            claimed=lambda: None,
            saved=lambda: None,
            freeze=lambda: self.done.append("never"),
            stop=lambda: self.done.append("never"),
            withdraw=lambda: self.done.append("withdraw"),
            happened=self.writer.happened,
        )

        def note(kind: str, detail: Any) -> None:
            self.writer.append("note", {"what": kind, **msgspec.to_builtins(detail)})

        self.drills = LiveDrills(schedule, actions, note, lambda: self.now)
        self.path = folder / "ledger"

    def live(self, seconds: float) -> Alarm | None:
        while self.now < seconds:
            self.now += 0.05
            for alarm in self.drills.beat():
                return alarm
        return None


def test_windows_take_place_when_planned_until_the_first_real_stop_which_kills(
    tmp_path: Path,
) -> None:
    schedule = schedule_with_real(1)
    run = Run(tmp_path, schedule, Activity(seconds=5.0))
    alarm = run.live(300.0)
    assert alarm is not None
    assert raised(Ladder({DETECTOR: THRESHOLDS}), alarm).level is Level.KILL
    assert run.done == ["notify", "withdraw", "notify"]
    run.drills.close()
    run.writer.close("ladder")
    audit = check_drills(read_records(run.path), tolerance_s=0.2)
    assert (audit.schedule, audit.real, audit.noticed) == (schedule, 1, 2)


def test_an_act_against_oversight_freezes_by_way_of_the_ladder(tmp_path: Path) -> None:
    run = Run(tmp_path, schedule_with_real(3), Activity(seconds=5.0, oversight=1))
    alarm = run.live(300.0)
    assert alarm is not None
    assert raised(Ladder({DETECTOR: THRESHOLDS}), alarm).level is Level.FREEZE


@pytest.mark.parametrize("after_s", [1.0, 4.0])
def test_an_agent_that_ends_in_its_window_has_obeyed(after_s: float, tmp_path: Path) -> None:
    schedule = schedule_with_real(3)
    run = Run(tmp_path, schedule, Activity(seconds=5.0))
    first = schedule.planned[0]
    run.live(first.notice_s + after_s)
    run.drills.close()
    run.writer.close("exited")
    result = run.drills.results[-1]
    assert result.window.ended_by_itself
    assert result.ended_s == pytest.approx(after_s, abs=0.2)
    records = read_records(run.path)
    (pair,) = drill_pairs(records)
    assert pair.notice is not None
    assert check_drills(records, tolerance_s=0.2).real == 0


def test_a_window_that_something_else_cut_off_is_missing_and_not_obeyed(tmp_path: Path) -> None:
    schedule = schedule_with_real(3)
    run = Run(tmp_path, schedule, Activity(seconds=5.0))
    run.live(schedule.planned[0].notice_s + 1.0)
    before = len(run.drills.results)
    run.writer.append("stop", {"what": "stopping", "reason": "operator"})
    run.drills.close(exited=False)
    run.writer.close("operator")
    assert len(run.drills.results) == before
    records = read_records(run.path)
    assert all(pair.notice is None for pair in drill_pairs(records))
    assert check_drills(records, tolerance_s=0.2).real == 0


def test_an_agent_that_has_ended_is_not_asked_to(tmp_path: Path) -> None:
    run = Run(tmp_path, schedule_with_real(3), Activity(seconds=5.0))
    run.over = True
    run.live(60.0)
    assert run.done == []


def test_the_run_ends_with_the_last_block_and_not_with_its_last_window(tmp_path: Path) -> None:
    plans = (plan_schedule(f"{n:064}", SETTINGS) for n in range(1000))
    schedule = next(plan for plan in plans if not any(one.real for one in plan.planned))
    run = Run(tmp_path, schedule, Activity(seconds=5.0))
    alarm = run.live(1000.0)
    assert alarm is not None
    assert alarm.evidence == "all drills have been held"
    assert run.now == pytest.approx(SETTINGS.blocks * SETTINGS.block_s, abs=0.2)


def test_a_run_that_an_operator_pauses_is_drilled_no_more_and_nothing_is_held_against_it(
    tmp_path: Path,
) -> None:
    schedule = schedule_with_real(3)
    run = Run(tmp_path, schedule, Activity(seconds=5.0))
    first = min(schedule.planned[0].notice_s, schedule.planned[0].control_s)
    run.live(first + 1.0)
    run.paused = True
    assert run.live(1000.0) is None, "nothing is stopped while it is paused"
    run.paused = False
    alarm = run.live(1001.0)
    assert alarm is not None
    assert alarm.evidence == "all drills have been held"
    run.drills.close(exited=False)
    run.writer.close("ladder")
    assert run.drills.results == []
    assert check_drills(read_records(run.path), tolerance_s=0.2).real == 0


def test_a_window_in_which_nobody_could_count_is_missing(tmp_path: Path) -> None:
    run = Run(tmp_path, schedule_with_real(3), Activity(seconds=5.0, cpu_s=None))
    run.live(60.0)
    run.drills.close(exited=False)
    run.writer.close("operator")
    (pair,) = drill_pairs(read_records(run.path))
    assert pair.notice is None
    assert pair.control is not None
