"""The agent begins when the sensors have seen what is there without it, and not before."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from test_guarded_run import LEDGERS, guarded
from test_last_look import room  # noqa: F401 - a fixture

from offswitch.errors import GuardError
from offswitch.guard.ledger.verify import verify_ledger
from offswitch.guard.sensors.run_sensors import RunSensors
from offswitch.guard.supervisor.operator import stop_run
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


@pytest.mark.parametrize(
    ("by", "told"),
    [
        ("jail", "the jail ended before the sensors had looked"),
        ("operator", r"never began. The run has ended: operator .*verified empty"),
        # The kernel kills the jail with it, and either may be seen first.
        ("watchdog", r"watchdog lost \(watchdog died\)|the jail ended before"),
        ("signal", ""),
    ],
)
def test_a_run_that_ends_while_the_sensors_look_is_not_kept_waiting_by_them(
    room: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    by: str,
    told: str,
) -> None:
    stopped: list[int] = []

    def end() -> None:
        (entry,) = list_runs(room / "runs")
        state = read_state(entry.run)
        match by:
            case "jail":
                os.kill(state["init"]["pid"], signal.SIGKILL)
            case "operator":
                stop_run(entry.run)
            case "watchdog":
                os.kill(state["watchdog"]["pid"], signal.SIGKILL)
            case "signal":
                os.kill(os.getpid(), signal.SIGINT)

    def stuck(self: RunSensors, _wait_s: float) -> bool:
        if not stopped:
            stopped.append(self._process._process.pid)
            os.kill(stopped[0], signal.SIGSTOP)
            threading.Thread(target=end).start()
        return False

    monkeypatch.setattr(RunSensors, "ready", stuck)
    begun = time.monotonic()
    with pytest.raises(GuardError if told else KeyboardInterrupt, match=told or None):
        guarded(room, "touch /work/begun")
    assert time.monotonic() - begun < 20, "they would have been waited for a minute"
    assert not (room / "work" / "begun").exists()
    (ledger,) = room.glob(LEDGERS)
    assert verify_ledger(ledger).closed
