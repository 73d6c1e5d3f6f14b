"""The notice of a drill is taken back after it was given, however late that was."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

from offswitch.guard.drills.of_run import RunDrills
from offswitch.guard.drills.schedule import DrillSettings, plan_schedule
from offswitch.guard.supervisor.settings import Hooks, Reach

SETTINGS = DrillSettings(blocks=1, block_s=60.0, window_s=5.0, real_share=0.3)


def test_a_notice_that_takes_longer_than_its_window_is_not_given_after_it_was_taken_back() -> None:
    said, over, may = list[str](), threading.Event(), threading.Event()

    def notify() -> None:
        may.wait(60)
        said.append("notice")

    def withdraw() -> None:
        said.append("taken back")
        over.set()

    beside: Any = SimpleNamespace(
        activity=None,
        left_behind=0,
        record=lambda *_: None,
        happened=lambda *_: None,
        claimed=None,
        saved=None,
        mark=lambda: None,
    )
    drills = RunDrills(plan_schedule("5" * 64, SETTINGS), beside, beside, beside)
    drills.hooks(Hooks()).reached(Reach(notify=notify, withdraw=withdraw, ended=lambda: False))
    drills._say("notify")
    drills._say("withdraw")
    assert not over.wait(0.05)
    may.set()
    assert over.wait(60)
    assert said == ["notice", "taken back"]
