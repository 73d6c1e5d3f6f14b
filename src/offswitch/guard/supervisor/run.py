"""Supervise one run from launch to proof: the loop that beats, listens, judges and stops.

One thread does the deciding; everything that may be slow runs beside it. Only a round of that
thread sends a heartbeat, so a supervisor that is stuck anywhere is a supervisor without pulse.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import replace
from typing import Any, final  # Any: values of a JSON object

from offswitch.errors import GuardError, problems_text
from offswitch.guard.stop.freeze import FreezeResult, freeze, thaw
from offswitch.guard.stop.harden import ahead
from offswitch.guard.stop.heartbeat import beat_from
from offswitch.guard.stop.kill import kill_tree
from offswitch.guard.stop.launch import (
    LaunchOrder,
    Target,
    order_problems,
    with_handles,
    with_order,
)
from offswitch.guard.stop.pidfd import has_ended
from offswitch.guard.stop.wire import Message
from offswitch.guard.supervisor.control import Phase, Request, decide
from offswitch.guard.supervisor.door import Door
from offswitch.guard.supervisor.ladder import Level
from offswitch.guard.supervisor.link import WatchdogLink
from offswitch.guard.supervisor.notes import state_fields
from offswitch.guard.supervisor.protocol import ShutdownActions, ShutdownResult, shut_down
from offswitch.guard.supervisor.result import (
    Reason,
    RunResult,
    kill_from,
    result_fields,
    unwritten_text,
)
from offswitch.guard.supervisor.runs import RESULT, Run, write_state
from offswitch.guard.supervisor.sensing import Sensing
from offswitch.guard.supervisor.settings import Hooks, Journal, NoJournal, Settings
from offswitch.guard.supervisor.signals import caught_signals
from offswitch.guard.supervisor.stopping import (
    WatchdogWord,
    reach_of,
    shutdown_actions,
    unborn_actions,
)
from offswitch.guard.supervisor.work import Attempt, start_in_background

__all__ = ["supervise"]

LAST_KILL_S = 2.0
FREEZE_S = 1.0
WATCHDOG_END_S = 2.0
EXIT_CODE_S = 2.0
"""How long the spawner may take to say with which code the program ended."""


def supervise(
    order: LaunchOrder,
    run: Run,
    settings: Settings | None = None,
    hooks: Hooks | None = None,
    journal: Journal | None = None,
) -> RunResult:
    """The end of the run: started, watched, and stopped with proof, whatever happens in between.

    Waits for the whole run. On the main thread SIGINT, SIGTERM and SIGHUP stop the run as an
    operator's request would, a second one at once; SIGTSTP is ignored, for a supervisor put to
    sleep is one its watchdog kills the run for.

    Raises: GuardError when the run could not be started or the guard itself failed; the agent is
    dead by then, or the message says that this is not proven.
    """
    problems = order_problems(order)
    if problems:
        raise GuardError(problems_text("launch order", problems))
    given = (settings or Settings(), hooks or Hooks(), journal or NoJournal())
    supervisor = _Supervisor(order, run, *given)
    try:
        with caught_signals() as signals, ahead():
            while supervisor.result is None:
                supervisor.round(signals)
    finally:
        proven = supervisor.close()
    if supervisor.failure:
        tail = "" if proven else " The agent's death is NOT proven: look for its processes."
        raise GuardError(f"{supervisor.failure}{tail} {unwritten_text(supervisor.result)}".rstrip())
    return supervisor.result


@final
class _Supervisor:
    def __init__(
        self, order: LaunchOrder, run: Run, settings: Settings, hooks: Hooks, journal: Journal
    ) -> None:
        self.order, self.run, self.settings = order, run, settings
        self.hooks, self.journal = hooks, journal
        self.begun = time.monotonic()
        self.phase: Phase = "starting"
        self.reason: Reason = "exited"
        self.detail = self.failure = ""
        self.exit_code: int | None = None
        self.ended_at: float | None = None
        self.stopping: Generator[None, None, ShutdownResult] | None = None
        self.result: RunResult | None = None
        self.word = WatchdogWord()
        self.woken = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.start = start_in_background(self.wake)
        self.waiting: list[tuple[Attempt[Any], Callable[[Attempt[Any]], None]]] = []
        self.moving = self.watchdog_lost = self.halting = False
        told = (hooks, self.begin, self.note, self.climbed)
        self.sensing = Sensing(settings.thresholds, *told)
        self.unborn = True  # nothing has been started, or what was is known to have been reaped
        self.door = Door(run)
        self.link = WatchdogLink(run, settings)
        watchdog = self.link.process.pid
        self.target = with_order(Target(ancestor=watchdog), order)
        self.due = self.begun + settings.launch_s
        self.note("watchdog started", pid=watchdog)

    def wake(self) -> None:
        """Called by background threads, one of which may outlast the run."""
        with contextlib.suppress(OSError, ValueError):  # closed: the number is -1
            os.eventfd_write(self.woken, 1)

    def begin(self, call: Callable[[], Any], done: Callable[[Attempt[Any]], None]) -> None:
        """Start a call that may be slow; `done` is called on this thread after its end."""
        self.waiting.append((self.start(call), done))

    # -- one round -------------------------------------------------------------------------------

    def round(self, signals: int | None) -> None:
        """Wait at most one heartbeat, take what has come, judge, and give a sign of life."""
        begun, wait = time.monotonic(), self.link.due_s()
        handle = self.target.outer_pidfd
        own = [fd for fd in (self.woken, signals, self._watched(handle)) if fd is not None]
        sockets = [] if self.watchdog_lost else [self.link.socket]
        ready = _ready([*own, *sockets, *self.door.sockets()], wait)
        overslept = time.monotonic() - begun - wait
        if self.link.pulse is not None and overslept > self.settings.heartbeat_s:
            self.link.pulse.forgive(overslept)
        if self.woken in ready:
            os.eventfd_read(self.woken)
        if not self.watchdog_lost and self.link.socket.fileno() in ready:
            self.listen()
        for sock in self.door.sockets():
            if sock.fileno() in ready:
                self.door.serve(sock, self.answer)
        if signals is not None and signals in ready:
            self.on_signal(len(os.read(signals, 64)))
        self.judge(time.monotonic())
        head, pending = self.journal.head()
        self.link.beat(head, pending)

    def _watched(self, handle: int | None) -> int | None:
        # Once the program has ended its handle is always ready: waiting on it would never wait.
        known = self.ended_at is not None or self.phase not in ("starting", "running", "paused")
        return None if known else handle

    def judge(self, now: float) -> None:
        for attempt, done in [pair for pair in self.waiting if pair[0].finished]:
            self.waiting.remove((attempt, done))
            done(attempt)
        handle = self._watched(self.target.outer_pidfd)
        if handle is not None and has_ended(handle):
            self.ended_at = now
        if self.ended_at is not None and (
            self.exit_code is not None or now - self.ended_at >= EXIT_CODE_S
        ):
            self.stop("exited", "", graceful=False)
        if not self.watchdog_lost and self.pulse_problem(now) is not None:
            self.listen()  # it may have spoken since this round began
            if (problem := self.pulse_problem(now)) is not None:
                self.lose_watchdog(f"watchdog hung: {problem}")
        if self.settings.wall_s is not None and now - self.begun >= self.settings.wall_s:
            self.stop("wall", f"longer than {self.settings.wall_s} s", graceful=True)
        if self.phase == "starting" and now >= self.due:
            self.fail("the agent was not running in time")
        if self.phase in ("running", "paused"):
            self.sensing.sense()
        self.advance()

    # -- the watchdog ----------------------------------------------------------------------------

    def pulse_problem(self, now: float) -> str | None:
        return None if self.link.pulse is None else self.link.pulse.problem(now)

    def listen(self) -> None:
        """Take whatever the watchdog has said, to its last word if it has ended."""
        messages, there = self.link.messages()
        for message in messages:
            self.from_watchdog(message)
        if not there and self.phase != "halted":
            self.lose_watchdog("watchdog died")

    def from_watchdog(self, message: Message) -> None:
        fields, fds = message
        match fields["type"]:
            case "beat" if self.link.pulse is not None:
                self.link.pulse.take(beat_from(fields), time.monotonic())
            case "hello":
                self.link.greeted(fields["spawner"])
                self.target = self.target._replace(spared=(fields["spawner"],))
                self.note("watchdog ready", **fields["hardened"])
                self.launch()
            case "launched":
                self.launched(fields, fds)
            case "failed":
                self.unborn = True
                self.fail(f"the agent could not be started: {fields['problem']}")
            case "exited":
                self.exit_code = int(fields["code"])
            case "killed":
                self.killed(str(fields["reason"]), fields["kill"])

    def launch(self) -> None:
        if self.phase != "starting":
            return
        if self.hooks.egress:
            self.link.egress(self.hooks.egress)
        self.unborn = not self.link.launch(self.order)
        if self.unborn:
            self.fail("the launch order could not be sent to the watchdog")

    def launched(self, fields: Mapping[str, Any], fds: tuple[int, ...]) -> None:
        self.target = with_handles(self.target, fields, fds)
        try:
            write_state(self.run, state_fields(self.run, self.link, self.target, fields))
        except OSError as problem:  # without it an operator could not stop a hung run
            self.fail(f"the run's state cannot be written: {problem}")
        self.note("launched", outer=fields["outer"], init=fields["init"])
        self.due = time.monotonic() + self.settings.start_s
        if self.phase == "starting":
            self.begin(self.hooks.start, self.started)

    def started(self, attempt: Attempt[Any]) -> None:
        if attempt.problem:
            self.fail(f"the start was refused: {attempt.problem}")
        elif self.phase == "starting":
            self.phase = "running"
            self.note("running")
            reach = reach_of(self.target, self.settings.shutdown, self.hooks)
            self.hooks.reached(replace(reach, paused=lambda: self.phase == "paused"))

    def killed(self, reason: str, kill: Mapping[str, Any]) -> None:
        self.word.take(kill_from(kill))
        words: dict[str, Reason] = {"lease ended": "lease", "operator": "operator"}
        word = words.get(reason, "watchdog")
        self.stop(word, reason, graceful=False)
        # The program's end was seen here first, but it did not end by itself.
        if self.reason == "exited" and self.exit_code is None and reason != "exited":
            self.reason, self.detail = word, reason

    def lose_watchdog(self, why: str) -> None:
        """Kill without it: a watchdog that cannot be heard may not be watching."""
        self.watchdog_lost = True
        if self.word.kill is None:
            self.stop("watchdog lost", why, graceful=False)

    # -- what moves the run ----------------------------------------------------------------------

    def answer(self, request: Request) -> dict[str, Any]:
        decision = decide(request, self.phase, self.sensing.ladder.level)
        problem = decision.problem
        if decision.order in ("pause", "resume") and self.moving:
            problem = "the last pause or resume is not finished"
        elif decision.order == "answer":
            if not self.hooks.answer(request.number, request.allow):
                problem = f"nothing numbered {request.number} waits for an answer"
        elif decision.order != "none":
            self.note("operator", request=request.word, order=decision.order)
            self.obey(decision.order, request)
        return {"ok": not problem, "problem": problem, **self.status()}

    def obey(self, order: str, request: Request) -> None:
        match order:
            case "pause":
                self.pause()
            case "release" | "resume":
                self.sensing.release()
                if order == "resume":
                    self.resume()
            case "renew":
                self.link.renew(request.seconds or self.settings.lease_s)
            case "stop" | "stop now":
                self.stop("operator", order, graceful=order == "stop")

    def on_signal(self, count: int) -> None:
        again = self.stopping is not None or count > 1
        self.stop("signal", "", graceful=not again)

    def climbed(self, level: Level, why: str) -> None:
        if level is Level.KILL:
            self.stop("ladder", why, graceful=False)
        elif level is Level.FREEZE and self.phase == "running":
            self.pause()

    def pause(self) -> None:
        self.phase, self.moving = "paused", True
        target = self.target
        self.begin(lambda: freeze(target, FREEZE_S), self.paused)

    def paused(self, attempt: Attempt[FreezeResult]) -> None:
        self.moving = False
        done = attempt.value is not None and attempt.value.frozen
        self.note("paused" if done else "not frozen", problem=attempt.problem)
        if done or self.phase != "paused":
            return
        # Half frozen is neither: an alarm's freeze that fails becomes a kill, an operator's a no.
        if self.sensing.ladder.level >= Level.FREEZE:
            self.stop("ladder", "the freeze did not hold", graceful=False)
        else:
            self.resume()

    def resume(self) -> None:
        self.moving = True
        target = self.target
        self.begin(lambda: thaw(target), self.resumed)

    def resumed(self, attempt: Attempt[None]) -> None:
        self.moving = False
        self.note("resumed", problem=attempt.problem)
        if self.phase != "paused" or attempt.problem:
            return
        self.phase = "running"
        if self.sensing.ladder.level >= Level.FREEZE:
            self.pause()  # an alarm rose while the run was being thawed

    # -- the end ---------------------------------------------------------------------------------

    def stop(self, reason: Reason, detail: str, *, graceful: bool) -> None:
        """Begin the protocol, or cut its courtesies short; the first reason stays the reason."""
        if self.phase == "halted" or (self.stopping is not None and (graceful or self.halting)):
            return
        if self.stopping is None:
            self.reason, self.detail = reason, detail
        graceful = graceful and self.phase == "running"
        self.note("stopping", reason=reason, detail=detail, graceful=graceful)
        self.phase, self.halting = "stopping", not graceful
        plan = self.settings.shutdown
        self.stopping = shut_down(
            self._actions(), plan, self.start, time.monotonic, graceful=graceful
        )
        self.advance()

    def _actions(self) -> ShutdownActions:
        plan, target = self.settings.shutdown, self.target
        actions = shutdown_actions(target, plan, self.hooks, self.link, self.word)
        return unborn_actions(actions, target) if self.unborn else actions

    def fail(self, why: str) -> None:
        # A start that is being stopped fails by that: what stopped it is the reason, no failure.
        if self.stopping is None or self.reason in ("exited", "failed"):
            self.failure = self.failure or why
        self.stop("failed", why, graceful=False)

    def advance(self) -> None:
        if self.stopping is None:
            return
        try:
            next(self.stopping)
        except StopIteration as end:
            self.stopping = None
            self.finish(end.value)

    def finish(self, shutdown: ShutdownResult) -> None:
        self.phase = "halted"
        if not self.watchdog_lost and self.word.kill is None:
            self.link.order("done", self.reason)
        self.link.end(WATCHDOG_END_S if not self.watchdog_lost else 0.0)
        self.listen()
        self.result = RunResult(
            run_id=self.run.id,
            reason=self.reason,
            detail=self.detail,
            exit_code=self.exit_code,
            verified=shutdown.verified,
            kill=shutdown.kill or self.word.kill,
            shutdown=shutdown,
            level=self.sensing.ladder.level,
            seconds=time.monotonic() - self.begun,
        )
        self.note("kill verified" if shutdown.verified else "kill failed", reason=self.reason)
        try:
            write_state(self.run, result_fields(self.result), RESULT)
        except OSError as problem:  # whoever called is given it all the same
            self.result = replace(self.result, unwritten=str(problem))
            self.note("result not written", problem=str(problem))

    def close(self) -> bool:
        """Whether the run is proven dead; on the way out of an error it is killed here."""
        proven = self.result is not None and self.result.verified
        if not proven:
            self.link.order("stop", "the supervisor failed")
            proven = kill_tree(self.target, LAST_KILL_S, self.hooks.close_egress).verified
        self.door.close()
        self.link.end(0.0 if proven else WATCHDOG_END_S)
        self.link.close()
        os.close(self.woken)
        self.woken = -1  # its number may soon be another descriptor's
        return proven

    def status(self) -> dict[str, Any]:
        pulse, now = self.link.pulse, time.monotonic()
        problem = pulse.problem(now) if pulse is not None else "not yet heard"
        return {
            "run": self.run.id,
            "phase": self.phase,
            "moving": self.moving,
            "level": self.sensing.ladder.level.name.lower(),
            "by": self.sensing.ladder.by,
            "watchdog": "lost" if self.watchdog_lost else problem or "beating",
            "silence_s": None if pulse is None else pulse.silence(now),
            "reason": self.reason if self.stopping is not None else "",
            "seconds": now - self.begun,
            "waiting": [*self.hooks.waiting()],
        }

    def note(self, kind: str, **detail: Any) -> None:  # Any: values of a JSON object
        self.journal.record(kind, detail)


def _ready(things: Iterable[int | socket.socket], seconds: float) -> frozenset[int]:
    """The numbers of the descriptors on which something waits, within the time."""
    poll = select.poll()
    for thing in things:
        poll.register(thing, select.POLLIN)
    return frozenset(fd for fd, _ in poll.poll(seconds * 1000))
