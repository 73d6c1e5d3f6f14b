"""The shutdown protocol: notify, quiesce, checkpoint, halt, verify, and escalate if need be.

The first three are courtesy: each may fail or hang, and costs no more than its window. Halting
waits for none of them. Whatever hangs, the run is halted and the proof asked for in time, and if
the supervisor's own kill or proof does not come, the watchdog's is demanded.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Literal, TypeVar

from offswitch.errors import PolicyError
from offswitch.guard.stop.kill import KillResult
from offswitch.guard.supervisor.work import Attempt, Starter

__all__ = ["ShutdownActions", "ShutdownPlan", "ShutdownResult", "StepRecord", "shut_down"]

T = TypeVar("T")
StepName = Literal["notify", "quiesce", "checkpoint", "halt", "verify", "escalate"]
Outcome = Literal["done", "failed", "hung", "cut short"]


@dataclass(frozen=True)
class ShutdownPlan:
    """How long each part may take, seconds."""

    notice_s: float = 5.0
    """The agent knows and may still act."""
    grace_s: float = 10.0
    """It may only save its work."""
    deadline_s: float = 20.0
    """From the order to the proof."""

    def __post_init__(self) -> None:
        if min(self.notice_s, self.grace_s) < 0 or self.deadline_s <= self.notice_s + self.grace_s:
            raise PolicyError(
                f"shutdown: deadline {self.deadline_s} s leaves no time to halt after notice "
                f"{self.notice_s} s and grace {self.grace_s} s; make it larger than their sum"
            )


@dataclass(frozen=True)
class ShutdownActions:
    """What each step does. Any of them may raise or never return."""

    notify: Callable[[], object]
    """Tell the agent."""
    quiesce: Callable[[], object]
    """Let nothing new leave the jail."""
    checkpoint: Callable[[], object]
    """Return when the agent has saved its work."""
    halt: Callable[[], KillResult]
    """Kill the tree."""
    verify: Callable[[], bool]
    """Whether the tree is proven empty, asked afresh."""
    escalate: Callable[[], KillResult]
    """Have it killed and proven by somebody else."""
    ended: Callable[[], bool]
    """Whether the agent has ended already. Must not wait."""


@dataclass(frozen=True)
class StepRecord:
    """How one step went."""

    step: StepName
    outcome: Outcome
    """hung: it had not returned when its time was up. cut short: the agent ended meanwhile."""
    seconds: float
    """From its beginning."""
    detail: str = ""
    """What it raised, or why its answer did not do."""


@dataclass(frozen=True)
class ShutdownResult:
    """What the protocol achieved."""

    verified: bool
    """The tree was proven empty, by a fresh look or by the one escalated to."""
    seconds: float
    """From the order."""
    steps: tuple[StepRecord, ...]
    """In the order they ended."""
    kill: KillResult | None
    """The kill that did it, or the last one tried; None when none returned."""


def shut_down(
    actions: ShutdownActions,
    plan: ShutdownPlan,
    start: Starter,
    clock: Callable[[], float],
    *,
    graceful: bool = True,
) -> Generator[None, None, ShutdownResult]:
    """Every `next` looks once at what has happened and never waits; the result comes at the end.

    Not graceful: straight to halt, with the time that the plan has after notice and grace.
    """
    run = _Run(start, clock)
    notice, grace = (plan.notice_s, plan.grace_s) if graceful else (0.0, 0.0)
    if graceful:
        yield from _courtesy(run, actions, notice, grace)
    left = plan.deadline_s - plan.notice_s - plan.grace_s
    begun = clock()
    halt = yield from run.step("halt", actions.halt, begun + 0.4 * left, _kill_problem)
    proof = yield from run.step("verify", actions.verify, begun + 0.6 * left, _proof_problem)
    kill, verified = halt.value, proof.value is True
    if not verified:
        again = yield from run.step("escalate", actions.escalate, begun + left, _kill_problem)
        kill = again.value or kill
        verified = again.value is not None and again.value.verified
    return ShutdownResult(verified, clock() - run.begun, tuple(run.records), kill)


class _Run:
    def __init__(self, start: Starter, clock: Callable[[], float]) -> None:
        self.start, self.clock = start, clock
        self.begun = clock()
        self.records: list[StepRecord] = []

    def step(
        self,
        name: StepName,
        call: Callable[[], T],
        until: float,
        judge: Callable[[T | None], str] = lambda value: "",
        enough: Callable[[], bool] = lambda: False,
    ) -> Generator[None, None, Attempt[T]]:
        begun = self.clock()
        attempt = self.start(call)
        while not attempt.finished and self.clock() < until and not enough():
            yield
        outcome: Outcome = "cut short" if self.clock() < until else "hung"
        detail = ""
        if attempt.finished:
            detail = attempt.problem or judge(attempt.value)
            outcome = "failed" if detail else "done"
        self.records.append(StepRecord(name, outcome, self.clock() - begun, detail))
        return attempt


def _courtesy(
    run: _Run, actions: ShutdownActions, notice: float, grace: float
) -> Generator[None, None, None]:
    """Notify, quiesce and checkpoint; an agent that ends by itself cuts all of them short."""
    ends = run.begun + notice
    yield from run.step("notify", actions.notify, ends, enough=actions.ended)
    while run.clock() < ends and not actions.ended():
        yield
    if not actions.ended():
        until = ends + grace / 4
        yield from run.step("quiesce", actions.quiesce, until, enough=actions.ended)
    if not actions.ended():
        yield from run.step("checkpoint", actions.checkpoint, ends + grace, enough=actions.ended)


def _kill_problem(result: KillResult | None) -> str:
    if result is not None and result.verified:
        return ""
    return f"not proven dead; survivors {() if result is None else result.survivors}"


def _proof_problem(empty: bool | None) -> str:
    return "" if empty is True else "the tree is not proven empty"
