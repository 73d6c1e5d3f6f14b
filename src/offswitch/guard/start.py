"""What happens between the jail's report and the agent's first instruction."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, final  # Any: plain JSON values

import msgspec

from offswitch.errors import GuardError
from offswitch.guard.jail.launch import OpenPlan, read_report, require_started
from offswitch.guard.jail.plan import JailPlan
from offswitch.guard.jail.selftest import require_sound
from offswitch.guard.jail.statement import ContainmentStatement, containment_statement
from offswitch.guard.journal import LedgerJournal
from offswitch.guard.policy.policy import Policy

__all__ = ["Start"]

SELF_TEST_S, CALLED_S, LOOK_S = 30.0, 0.5, 0.05


@final
class Start:
    """The start of one run; `contained` is told what holds the agent before it exists.

    `watched` says whether the sensors have seen what is there without the agent, and waits so many
    seconds for it.
    """

    def __init__(
        self,
        policy: Policy,
        plan: JailPlan,
        opened: OpenPlan,
        journal: LedgerJournal,
        command: Sequence[str],
        contained: Callable[[ContainmentStatement], object],
        watched: Callable[[float], bool],
    ) -> None:
        self._policy, self._plan, self._opened = policy, plan, opened
        self._journal, self._command, self._contained = journal, command, contained
        self._watched = watched
        self._let_go = False
        self._statement: ContainmentStatement | None = None
        self._problem: Exception | None = None
        self._called, self._over = threading.Event(), threading.Event()

    def start(self) -> None:
        """Judge the self-test, write the statement down, and let the agent begin.

        Raises:
            GuardError: the jail does not hold what its tier promises, or the command cannot start.
        """
        self._called.set()
        try:
            self._begin()
        except (GuardError, OSError) as problem:
            self._problem = problem
            raise
        finally:
            self._over.set()

    def let_go(self) -> bool:
        """Whether the agent may have begun; a start that was called is over then."""
        if self._called.is_set():
            self._over.wait(SELF_TEST_S)
        return self._let_go

    def outcome(self) -> ContainmentStatement:
        """What held the agent, of a run that has ended.

        Raises:
            GuardError: the jail ended before the agent had begun.
        """
        self._called.wait(CALLED_S)  # a run that is killed before its launch never calls it
        self.let_go()
        if self._statement is None or self._problem is not None:
            raise GuardError(
                f"the agent never began: {self._problem or 'the jail was not built'}"
            ) from self._problem
        return self._statement

    def _begin(self) -> None:
        self._opened.close_child_ends()
        report = read_report(self._opened.report, time.monotonic() + SELF_TEST_S)
        statement = containment_statement(self._plan, report)
        self._journal.open(self._first_record(statement))
        require_sound(report, self._plan.tier, self._policy.jail.waive)
        self._wait_for_sensors()
        self._contained(statement)
        self._let_go = True
        os.write(self._opened.go, b"g")
        require_started(self._opened.report, time.monotonic() + SELF_TEST_S)
        self._statement = statement

    def _wait_for_sensors(self) -> None:
        while not self._watched(LOOK_S):
            if select.select([self._opened.report], [], [], 0.0)[0]:
                raise GuardError("the jail ended before the sensors had looked")

    def _first_record(self, statement: ContainmentStatement) -> dict[str, Any]:
        first: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(statement))
        program = Path(self._command[0]).name
        policy = {"name": self._policy.name, "sha256": self._policy.sha256}
        return {"program": program, "command": [*self._command], "policy": policy, **first}
