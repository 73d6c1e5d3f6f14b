"""The supervisor's own thread goes before ordinary ones, and nothing that it starts does."""

from __future__ import annotations

import os
import threading

import pytest

from offswitch.guard.stop.harden import ahead


def test_only_this_thread_goes_ahead_and_only_for_as_long_as_it_is_asked_for() -> None:
    before, other = os.sched_getscheduler(0), list[int]()
    with ahead() as allowed:
        during = os.sched_getscheduler(0)
        thread = threading.Thread(target=lambda: other.append(os.sched_getscheduler(0)))
        thread.start()
        thread.join()
        child = os.fork()
        if not child:
            os._exit(os.sched_getscheduler(0))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert (during & ~os.SCHED_RESET_ON_FORK == os.SCHED_RR) == allowed
    assert (other, code) == ([os.SCHED_OTHER], os.SCHED_OTHER)
    if allowed and os.geteuid() == 0:
        assert os.sched_getscheduler(0) == before


def test_where_it_is_not_allowed_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    before = os.sched_getscheduler(0)
    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    with ahead() as allowed:
        assert not allowed
        assert os.sched_getscheduler(0) == before
