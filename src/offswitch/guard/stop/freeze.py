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
from .lineage import Walked, can_walk, lineage
from .pidfd import open_process, pid_of, send
from .processes import Process, descendants, living, pid_namespace

__all__ = ["FreezeResult", "freeze", "members", "thaw"]

Method = Literal["cgroup", "signals"]
POLL_S = 0.001
WAIT_S = 0.0003


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

    The freezer is one write. Without it SIGSTOP goes to every process, round after round until two
    whole rounds find the same processes and none of them running; a tree that forks faster than
    that is not frozen, and the result says so.
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
    found = _look(target, frozenset())
    for one in _look(target, _strangers(target, found)):
        if not one.running:
            _signal(one.pid, one.started, signal.SIGCONT)


def members(target: Target) -> tuple[Process, ...]:
    """Every living process of the run by ancestry and namespace; its outer program left out."""
    table, roots = living(), _roots(target)
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
    """Nothing runs, twice over: a process that was made while the first look passed it by would
    stand in the second, before which everything that could make one had stopped."""
    settled: frozenset[Walked] | None = None
    told, entered = frozenset[int](), frozenset[int]()
    while True:
        found = _look(target, entered)
        running = [one for one in found if one.running]
        for one in running:
            _signal(one.pid, one.started, signal.SIGSTOP)
        fresh = frozenset[int]() if running else _strangers(target, found)
        if not running and not fresh and found == settled:
            return True
        settled, entered = None if running else found, entered | fresh
        if time.monotonic() >= end:
            return False
        still = frozenset(one.pid for one in running)
        if still and still <= told:  # they need a processor to stop, and this is one
            time.sleep(WAIT_S)
        told = still


def _look(target: Target, entered: frozenset[int]) -> frozenset[Walked]:
    if can_walk():
        return lineage([*_roots(target)[:1], *entered])
    return frozenset(Walked(one.pid, one.started, one.state not in "Tt") for one in members(target))


def _strangers(target: Target, found: frozenset[Walked]) -> frozenset[int]:
    """Processes that were put into the run's pid namespace from outside, below nothing of it."""
    if target.pid_namespace is None:
        return frozenset()
    others = {int(name) for name in os.listdir("/proc") if name.isdigit()}
    others -= {one.pid for one in found}
    strange = {pid for pid in others if pid_namespace(pid) == target.pid_namespace}
    return frozenset(one.pid for one in lineage(strange))


def _roots(target: Target) -> list[int]:
    handles = (target.init_pidfd, target.outer_pidfd)
    known = [pid_of(pidfd) for pidfd in handles if pidfd is not None]
    return [pid for pid in known if pid is not None]


def _signal(pid: int, started: int, number: int) -> None:
    pidfd = open_process(pid, started)
    if pidfd is not None:
        try:
            send(pidfd, number)
        finally:
            os.close(pidfd)
