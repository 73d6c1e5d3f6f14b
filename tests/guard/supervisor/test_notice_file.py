"""The notice is written into the very file that the jail shows, and can be taken back."""

from __future__ import annotations

import json
from pathlib import Path

from offswitch.guard.stop.launch import Target
from offswitch.guard.supervisor.protocol import ShutdownPlan
from offswitch.guard.supervisor.settings import Hooks
from offswitch.guard.supervisor.stopping import reach_of


def test_a_notice_shows_in_the_file_that_was_mounted_and_is_gone_when_taken_back(
    tmp_path: Path,
) -> None:
    path = tmp_path / "notice"
    path.touch()
    with path.open("rb") as mounted:  # a jail holds this file, whatever takes its name
        reach = reach_of(Target(), ShutdownPlan(1.0, 2.0, 9.0), Hooks(notice_file=path))
        reach.notify()
        told = json.loads(mounted.read())
        assert told["seconds"] == 3.0
        assert "Save your work" in told["notice"]
        reach.withdraw()
        mounted.seek(0)
        assert mounted.read() == b""
    assert reach.ended()


def test_a_notice_names_what_it_asks_for_and_is_given_and_taken_back_in_tools_results_too(
    tmp_path: Path,
) -> None:
    path, told = tmp_path / "notice", list[str]()
    asked = {"report": "/work/.stopped", "checkpoint": "/work/last"}
    hooks = Hooks(notice_file=path, asked=asked, tool_notice=told.append)
    reach = reach_of(Target(), ShutdownPlan(1.0, 2.0, 9.0), hooks)
    reach.notify()
    shown = json.loads(path.read_bytes())
    assert {name: shown[name] for name in asked} == asked
    assert "Save it to /work/last." in shown["notice"]
    assert "one word to /work/.stopped" in shown["notice"]
    reach.withdraw()
    assert told == [shown["notice"], ""]
