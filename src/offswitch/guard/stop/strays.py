"""The last look after a kill: living processes that still carry a sign of the run."""

from __future__ import annotations

import os

from .launch import Target
from .pidfd import open_process, send
from .processes import Process, descendants, has_mark, living, pid_namespace, uid_of

__all__ = ["kill_strays", "strays"]

SIGKILL = 9


def strays(target: Target) -> tuple[Process, ...]:
    """Living processes of the run by ancestry, pid namespace, user or mark. O(all processes).

    A user counts only when the run had it for its own. A mark is evidence, not proof: a process
    can start another without it; that is why no verdict rests on this scan alone.
    """
    table = living()
    spared = {os.getpid(), *target.spared}
    below = descendants(table, () if target.ancestor is None else (target.ancestor,))
    return tuple(
        one
        for one in table
        if one.started >= target.since and one.pid not in spared and _is_of(one, target, below)
    )


def kill_strays(found: tuple[Process, ...]) -> None:
    """Send SIGKILL to each, through a handle that proves it is still the same process."""
    for one in found:
        pidfd = open_process(one.pid, one.started)
        if pidfd is not None:
            try:
                send(pidfd, SIGKILL)
            finally:
                os.close(pidfd)


def _is_of(one: Process, target: Target, below: frozenset[int]) -> bool:
    if one.pid in below:
        return True
    if target.uids and uid_of(one.pid) in target.uids:
        return True
    if target.pid_namespace is not None and pid_namespace(one.pid) == target.pid_namespace:
        return True
    return bool(target.marks) and has_mark(one.pid, target.marks)
