"""Stop a run without ending it, so that somebody can look: the freezer, else SIGSTOP.

A run of version 1 that is left frozen cannot be killed, so every way out of a run goes through
`kill_tree`, which thaws, or through `thaw`.
"""

from __future__ import annotations

import os
import signal
import time
from typing import Literal, NamedTuple

from . import cgroup
from .launch import Target
from .pidfd import open_process, pid_of, send
from .processes import Process, descendants, living, pid_namespace

__all__ = ["FreezeResult", "freeze", "members", "thaw"]

Method = Literal["cgroup", "signals"]
POLL_S = 0.001


class FreezeResult(NamedTuple):
    """What a freeze achieved."""

    frozen: bool
    """Whether every process of the run has stopped running."""
    method: Method
    """cgroup: nothing inside can undo it. signals: nothing inside has undone it yet."""
    seconds: float
    """From the decision to the proof, or to giving up."""


def freeze(target: Target, deadline_s: float = 1.0) -> FreezeResult:
    """Stop every process of the run within `deadline_s` seconds.

    The freezer is one write. Without it SIGSTOP goes to every process, round after round until a
    whole round finds nothing running; a tree that forks faster than that is not frozen, and the
    result says so.
    """
    begun = time.monotonic()
    group = next((path for path in target.cgroups if cgroup.can_freeze(path)), None)
    end = begun + deadline_s
    done = _by_signals(target, end) if group is None else _by_group(group, end)
    method: Method = "signals" if group is None else "cgroup"
    return FreezeResult(done, method, time.monotonic() - begun)


def thaw(target: Target) -> None:
    """Let the run go on. After SIGSTOP this also continues what the agent itself had stopped."""
    for path in target.cgroups:
        cgroup.set_frozen(path, frozen=False)
    for one in members(target):
        if one.state in "Tt":
            _signal(one, signal.SIGCONT)


def members(target: Target) -> tuple[Process, ...]:
    """Every living process of the run by ancestry and namespace; its outer program left out."""
    table = living()
    roots = [
        pid
        for pidfd in (target.init_pidfd, target.outer_pidfd)
        if pidfd is not None and (pid := pid_of(pidfd)) is not None
    ]
    inside = descendants(table, roots) | set(roots[:1])
    wanted = target.pid_namespace
    return tuple(
        one
        for one in table
        if one.pid in inside or (wanted is not None and pid_namespace(one.pid) == wanted)
    )


def _by_group(path: str, end: float) -> bool:
    cgroup.set_frozen(path, frozen=True)
    while not cgroup.is_frozen(path):
        if time.monotonic() >= end:
            return False
        time.sleep(POLL_S)
    return True


def _by_signals(target: Target, end: float) -> bool:
    while True:
        running = [one for one in members(target) if one.state not in "Tt"]
        if not running:
            return True
        for one in running:
            _signal(one, signal.SIGSTOP)
        if time.monotonic() >= end:
            return False


def _signal(one: Process, number: int) -> None:
    pidfd = open_process(one.pid, one.started)
    if pidfd is not None:
        try:
            send(pidfd, number)
        finally:
            os.close(pidfd)
