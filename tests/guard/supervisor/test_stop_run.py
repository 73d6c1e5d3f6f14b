"""A run that ends while it is being stopped has ended: nobody goes over its supervisor's head."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from offswitch.errors import GuardError
from offswitch.guard.supervisor import operator
from offswitch.guard.supervisor.operator import stop_run
from offswitch.guard.supervisor.runs import RESULT, Run, create_run, write_state


class Ending:
    """A supervisor that hangs up from its `last`th answer on; its result comes a moment later."""

    def __init__(self, run: Run, last: int) -> None:
        self.run, self.left = run, last
        self.writer = threading.Timer(0.1, write_state, (run, {"verified": True}, RESULT))

    def ask(self, run: Run, request: dict[str, Any], **_: object) -> dict[str, Any]:
        self.left -= 1
        if self.left < 0:
            self.writer.start()
            raise GuardError("control.sock hung up")
        return {"ok": True}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    def too_far(*_: object) -> None:
        pytest.fail("went over the head of a supervisor that had ended")

    monkeypatch.setattr(operator, "_over_its_head", too_far)
    return create_run("one", tmp_path)


@pytest.mark.parametrize(("last", "by"), [(0, "ended before"), (1, "supervisor")])
def test_a_run_whose_supervisor_hangs_up_because_it_ends_is_stopped_by_nobody_else(
    run: Run, monkeypatch: pytest.MonkeyPatch, last: int, by: str
) -> None:
    ending = Ending(run, last)
    monkeypatch.setattr(operator, "ask", ending.ask)
    monkeypatch.setattr(operator, "ENDING_S", 20.0)  # a timer may be late here
    stopped = stop_run(run)
    ending.writer.join()
    assert (stopped.by, stopped.verified, stopped.problems) == (by, True, ())
