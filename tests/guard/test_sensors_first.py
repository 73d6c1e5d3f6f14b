"""The agent begins when the sensors have seen what is there without it, and not before."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from test_guarded_run import guarded
from test_last_look import room  # noqa: F401 - a fixture

from offswitch.errors import GuardError
from offswitch.guard.sensors.run_sensors import RunSensors
from offswitch.guard.supervisor.runs import list_runs, read_state

pytestmark = pytest.mark.slow
LOOKING = 5
"""How often the sensors are said to look still."""


def asked(monkeypatch: pytest.MonkeyPatch, answer: Callable[[int], bool]) -> None:
    """Have `answer` decide whether sensors that are ready say so, by how often they were asked."""
    ready, times = RunSensors.ready, list[None]()

    def changed(self: RunSensors, wait_s: float) -> bool:
        if not ready(self, wait_s):
            return False
        times.append(None)
        return answer(len(times))

    monkeypatch.setattr(RunSensors, "ready", changed)


def test_the_agent_begins_when_the_sensors_have_looked(
    room: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, seen = room / "work" / "begun", list[bool]()

    def answer(times: int) -> bool:
        seen.append(begun.exists())
        return times >= LOOKING

    asked(monkeypatch, answer)
    assert guarded(room, "touch /work/begun").result.reason == "exited"
    assert seen == [False] * LOOKING
    assert begun.exists()


def test_an_agent_whose_sensors_cannot_look_never_begins(
    room: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def answer(_: int) -> bool:
        raise GuardError("the sensors' first look took longer than 60 s")

    asked(monkeypatch, answer)
    with pytest.raises(GuardError, match=r"refused: the sensors' first look took longer"):
        guarded(room, "touch /work/begun")
    assert not (room / "work" / "begun").exists()


def test_a_jail_that_is_killed_while_the_sensors_look_is_told_and_not_waited_for(
    room: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def answer(times: int) -> bool:
        if times == LOOKING:
            (entry,) = list_runs(room / "runs")
            os.kill(read_state(entry.run)["init"]["pid"], signal.SIGKILL)
        return False

    asked(monkeypatch, answer)
    with pytest.raises(GuardError, match="the jail ended before the sensors had looked"):
        guarded(room, "touch /work/begun")
