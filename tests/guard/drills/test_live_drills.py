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
        self.now, self.done = 0.0, list[str]()
        self.writer = LedgerWriter(folder / "ledger", {}, clock=lambda: self.now)
        actions = DrillActions(
            notify=lambda: self.done.append("notify"),
            look=lambda since: activity,
            ended=lambda: False,
            left=lambda: 0,
            claimed=lambda: None,
            saved=lambda: False,
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
