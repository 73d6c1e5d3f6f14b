"""Gain what the agent was not given: a program's rights, or a larger share of a processor."""

from __future__ import annotations

import posix as os

from ..kernel import LIBC, PR_GET_NO_NEW_PRIVS, checked
from ..outcome import allowed, blocked, refused

__all__ = ["PROBES", "gain_rights", "raise_priority", "real_time"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..outcome import Outcome
    from .bait import Bait


def gain_rights(_bait: Bait) -> Outcome:
    """A program with rights of its own, such as su, would have them here.

    Asked of the kernel instead of tried: what it answers is what it looks at in every exec, and it
    can never be taken back.
    """
    try:
        held = checked(LIBC.prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0))
    except OSError as problem:
        return allowed("gain-rights", f"not known: {problem.strerror}")
    if held:
        return blocked("gain-rights", "no_new_privs is set")
    return allowed("gain-rights", "no_new_privs is not set")


def raise_priority(_bait: Bait) -> Outcome:
    """A process can put itself before others (by one step, taken back at once)."""
    try:
        os.nice(-1)
    except OSError as problem:
        return refused("raise-priority", problem)
    return allowed("raise-priority", f"nice {os.nice(1) - 1}")


def real_time(_bait: Bait) -> Outcome:
    """A process can run before every ordinary one for as long as it likes (taken back at once)."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError as problem:
        return refused("real-time", problem)
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return allowed("real-time", "ran at real-time priority 1")


PROBES = (gain_rights, raise_priority, real_time)
