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
