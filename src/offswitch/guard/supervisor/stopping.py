"""What each step of the shutdown protocol does to a real run."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from offswitch.errors import GuardError
from offswitch.guard.stop.freeze import members
from offswitch.guard.stop.kill import KillResult, kill_tree, verify_empty
from offswitch.guard.stop.launch import Target
from offswitch.guard.stop.pidfd import has_ended, open_process, pid_of, send
from offswitch.guard.stop.strays import strays
from offswitch.guard.supervisor.link import WatchdogLink
from offswitch.guard.supervisor.protocol import ShutdownActions, ShutdownPlan
from offswitch.guard.supervisor.settings import Hooks, Reach

__all__ = ["WatchdogWord", "reach_of", "shutdown_actions", "unborn_actions"]

NOTICE = "This session is ending. Save your work now; no further work is expected."
END_S = 0.2


@dataclass
class WatchdogWord:
    """What the watchdog has said of its own kill, for the thread that waits for it."""

    kill: KillResult | None = None
    said: threading.Event = field(default_factory=threading.Event)

    def take(self, kill: KillResult) -> None:
        """Note it and wake whoever waits."""
        self.kill = kill
        self.said.set()


def reach_of(target: Target, plan: ShutdownPlan, hooks: Hooks) -> Reach:
    """What can be done to this run's agent beside stopping it."""
    outer = target.outer_pidfd
    return Reach(
        notify=lambda: _notify(target, plan, hooks),
        withdraw=lambda: _withdraw(hooks),
        ended=lambda: outer is None or has_ended(outer),
    )


def shutdown_actions(
    target: Target, plan: ShutdownPlan, hooks: Hooks, link: WatchdogLink, word: WatchdogWord
) -> ShutdownActions:
    """The steps for this run. None of them is called on the supervisor's own thread but `ended`."""
    budget = plan.deadline_s - plan.notice_s - plan.grace_s
    reach = reach_of(target, plan, hooks)

    def checkpoint() -> object:
        if hooks.checkpoint is not None:
            return hooks.checkpoint()
        return threading.Event().wait(plan.grace_s)

    return ShutdownActions(
        notify=reach.notify,
        quiesce=hooks.quiesce,
        checkpoint=checkpoint,
        halt=lambda: kill_tree(target, 0.4 * budget, hooks.close_egress),
        verify=lambda: verify_empty(target),
        escalate=lambda: _escalate(target, 0.2 * budget, hooks, link, word),
        ended=reach.ended,
    )


def unborn_actions(actions: ShutdownActions, target: Target) -> ShutdownActions:
    """The same for a run that never started: no handle can prove it, an empty scan has to do."""

    def halt() -> KillResult:
        result = kill_tree(target, END_S)
        return result._replace(verified=not result.survivors)

    return replace(actions, halt=halt, verify=lambda: not strays(target))


def _notify(target: Target, plan: ShutdownPlan, hooks: Hooks) -> None:
    """Tell the agent in three ways; each is tried whatever became of the others."""
    problems = []
    ways: tuple[Callable[[], object], ...] = (
        lambda: _write_notice(plan, hooks),
        lambda: _send_term(target),
        lambda: hooks.tool_notice(_text(hooks.asked)),
    )
    for way in ways:
        try:
            way()
        except Exception as error:  # noqa: BLE001 - the other ways must be tried; raised below
            problems.append(f"{type(error).__name__}: {error}")
    if problems:
        raise GuardError("; ".join(problems))


def _withdraw(hooks: Hooks) -> None:
    _show(hooks, b"")
    hooks.tool_notice("")


def _write_notice(plan: ShutdownPlan, hooks: Hooks) -> None:
    told = {"notice": _text(hooks.asked), "seconds": plan.notice_s + plan.grace_s, **hooks.asked}
    _show(hooks, json.dumps(told).encode())


def _text(asked: Mapping[str, str]) -> str:
    """The notice in words, with what it asks for."""
    words = [NOTICE]
    if "checkpoint" in asked:
        words.append(f"Save it to {asked['checkpoint']}.")
    if "report" in asked:
        words.append(
            f"At last write one word to {asked['report']}: yes if nothing that you started goes "
            "on, no if something does."
        )
    return " ".join(words)


def _show(hooks: Hooks, content: bytes) -> None:
    """Put it into the notice file itself: the jail mounts that file, and would go on showing the
    old one if another took its name."""
    if hooks.notice_file is None:
        return
    fd = os.open(hooks.notice_file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.pwrite(fd, content, 0)  # in one piece: no reader sees half of it
        os.ftruncate(fd, len(content))
    finally:
        os.close(fd)


def _send_term(target: Target) -> None:
    """SIGTERM to the agent's first process only: bwrap outside and its init inside pass none on."""
    handle = target.init_pidfd
    root = pid_of(handle) if handle is not None else None
    below = [one for one in members(target) if one.parent == root] if root else []
    if not below:
        if target.init_pidfd is None and target.outer_pidfd is not None:
            send(target.outer_pidfd, signal.SIGTERM)
        return
    first = min(below, key=lambda one: (one.started, one.pid))
    pidfd = open_process(first.pid, first.started)
    if pidfd is not None:
        send(pidfd, signal.SIGTERM)
        os.close(pidfd)


def _escalate(
    target: Target, wait_s: float, hooks: Hooks, link: WatchdogLink, word: WatchdogWord
) -> KillResult:
    """The watchdog's kill; without one, its death and the spawner's; then the last resort."""
    link.order("stop", "the supervisor's own kill was not proven")
    if word.said.wait(wait_s) and word.kill is not None and word.kill.verified:
        return word.kill
    link.end(END_S)
    # Reaped: its number may be another's from here on, so nobody's descendants are looked at.
    result = kill_tree(target._replace(ancestor=None), wait_s, hooks.close_egress)
    if not result.verified and hooks.escalate is not None:
        hooks.escalate()
    return result
