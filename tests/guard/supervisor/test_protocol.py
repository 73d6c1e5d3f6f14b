from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import pytest

from offswitch.errors import PolicyError
from offswitch.guard.stop.kill import KillResult
from offswitch.guard.supervisor.protocol import (
    ShutdownActions,
    ShutdownPlan,
    ShutdownResult,
    shut_down,
)
from offswitch.guard.supervisor.work import start_in_background

DEAD = KillResult(True, 0.01, (), ())
ALIVE = KillResult(False, 2.0, (), (41, 42))
PLAN = ShutdownPlan(notice_s=5, grace_s=10, deadline_s=20)
STEPS = ("notify", "quiesce", "checkpoint", "halt", "verify", "escalate")
GOOD = {name: None for name in STEPS[:3]} | {"halt": DEAD, "verify": True, "escalate": DEAD}
HANGS = object()
BAD = {"halt": ALIVE, "verify": False, "escalate": ALIVE}


class Said:
    """A call that has returned, raised, or never will."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.finished, self.value, self.problem = True, None, ""
        try:
            self.value = call()
        except OSError as error:
            self.problem = f"OSError: {error}"
        if self.value is HANGS:
            self.finished, self.value = False, None


class Clock:
    """Time that passes only when it is looked at between two rounds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def played(
    ended_at: float = float("inf"), *, graceful: bool = True, **answers: Any
) -> tuple[ShutdownResult, list[str]]:
    """The protocol against steps that answer, raise (an OSError) or hang, on a clock of our own."""
    clock, called = Clock(), []

    def step(name: str) -> Callable[[], Any]:
        def call() -> Any:
            called.append(name)
            answer = answers.get(name, GOOD[name])
            if isinstance(answer, OSError):
                raise answer
            return answer

        return call

    actions = ShutdownActions(
        **{name: step(name) for name in STEPS}, ended=lambda: clock.now >= ended_at
    )
    rounds = shut_down(actions, PLAN, Said, clock, graceful=graceful)
    while True:
        try:
            next(rounds)
        except StopIteration as end:
            return end.value, called
        clock.now += 0.05
        assert clock.now < 2 * PLAN.deadline_s, "the protocol waits for ever"


@pytest.mark.parametrize(
    ("step", "fault"),
    [*itertools.product(STEPS, ["fails", "hangs"]), ("halt", "bad"), ("verify", "bad")],
)
def test_one_faulty_step_never_keeps_the_run_from_a_proven_halt_in_time(
    step: str, fault: str
) -> None:
    answer = {"fails": OSError("no"), "hangs": HANGS, "bad": BAD.get(step)}[fault]
    result, called = played(**{step: answer})
    assert result.verified
    assert result.seconds <= PLAN.deadline_s
    assert called[:4] == list(STEPS[:4])
    if step != "escalate":
        outcome = {record.step: record.outcome for record in result.steps}
        assert outcome[step] == ("hung" if fault == "hangs" else "failed")  # type: ignore[index]


@pytest.mark.parametrize("faults", list(itertools.product([OSError("no"), HANGS], repeat=4)))
def test_every_courtesy_and_the_supervisors_own_kill_may_fail_together(
    faults: tuple[object, ...],
) -> None:
    result, called = played(**dict(zip(STEPS[:4], faults, strict=True)), verify=False)
    assert result.verified
    assert called[-1] == "escalate"
    assert result.seconds <= PLAN.deadline_s + 0.05


@pytest.mark.parametrize("escalate", [OSError("no"), HANGS, ALIVE])
def test_when_no_kill_is_proven_the_result_says_so_in_time(escalate: object) -> None:
    result, _ = played(halt=ALIVE, verify=False, escalate=escalate)
    assert not result.verified
    assert result.kill == ALIVE
    assert result.seconds <= PLAN.deadline_s + 0.05


def test_a_kill_that_claims_success_is_not_believed_without_a_fresh_proof() -> None:
    result, called = played(verify=False)
    assert called[-2:] == ["verify", "escalate"]
    assert result.verified  # by the one escalated to
    assert not played(verify=False, escalate=ALIVE)[0].verified


def test_notice_and_grace_are_given_in_full_to_an_agent_that_stays() -> None:
    result, _ = played(checkpoint=HANGS)
    outcome = {record.step: record for record in result.steps}
    assert outcome["checkpoint"].outcome == "hung"
    assert PLAN.notice_s + PLAN.grace_s <= result.seconds < PLAN.notice_s + PLAN.grace_s + 1


@pytest.mark.parametrize("ended_at", [0.0, 3.0, 7.0])
def test_an_agent_that_ends_by_itself_is_not_waited_for(ended_at: float) -> None:
    result, called = played(ended_at, notify=HANGS, checkpoint=HANGS)
    assert result.seconds == pytest.approx(ended_at, abs=0.2)
    assert called[-2:] == ["halt", "verify"]


def test_at_once_means_without_notice() -> None:
    result, called = played(graceful=False)
    assert called == ["halt", "verify"]
    assert result.seconds == 0.0


def test_a_deadline_that_leaves_no_time_to_halt_is_refused() -> None:
    with pytest.raises(PolicyError, match="make it larger than their sum"):
        ShutdownPlan(5, 15, 20)


def test_on_real_threads_a_step_that_never_returns_is_left_behind() -> None:
    plan = ShutdownPlan(0.02, 0.02, 30.0)
    asleep = lambda: time.sleep(2)  # noqa: E731 - ends by itself after the test
    actions = ShutdownActions(asleep, asleep, asleep, lambda: DEAD, lambda: True, lambda: DEAD,
                              lambda: False)  # fmt: skip
    rounds = shut_down(actions, plan, start_in_background(), time.monotonic)
    while True:
        try:
            next(rounds)
        except StopIteration as end:
            assert end.value.verified
            assert [step.outcome for step in end.value.steps] == ["hung"] * 3 + ["done"] * 2
            return
        time.sleep(0.001)
