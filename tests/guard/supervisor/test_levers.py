"""What ask and throttle do: one move after the other, the last wish wins, all of it noted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from offswitch.guard.supervisor.ladder import Alarm, Ladder, Thresholds, raised, released
from offswitch.guard.supervisor.levers import Levers
from offswitch.guard.supervisor.settings import Hooks

LADDER = Ladder({"quiet": Thresholds(ask=1), "greedy": Thresholds(throttle=1)})


class Done:
    """A call that has ended."""

    finished = True

    def __init__(self, call: Callable[[], Any]) -> None:
        self.value, self.problem = None, ""
        try:
            self.value = call()
        except OSError as problem:
            self.problem = str(problem)


class Moved:
    """Levers whose calls end when the test says so."""

    def __init__(self, **hooks: Any) -> None:
        self.begun: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []
        self.notes: list[tuple[str, dict[str, Any]]] = []
        self.levers = Levers(
            Hooks(**hooks),
            lambda call, done: self.begun.append((call, done)),
            lambda kind, **detail: self.notes.append((kind, detail)),
        )

    def end(self) -> None:
        call, done = self.begun.pop(0)
        done(Done(call))


def alarmed(*alarms: Alarm) -> Ladder:
    ladder = LADDER
    for alarm in alarms:
        ladder = raised(ladder, alarm)
    return ladder


def test_acts_are_held_while_any_detector_asks_whatever_another_has_raised() -> None:
    held: list[str] = []
    slow: list[bool] = []
    one = Moved(hold=held.append, throttle=slow.append)
    one.levers.follow(alarmed(Alarm("quiet", 1.0)))
    one.end()
    one.levers.follow(alarmed(Alarm("quiet", 1.0), Alarm("greedy", 1.0)))
    one.end()
    assert (held, slow) == (["alarm of quiet"], [True])
    one.levers.follow(released(alarmed(Alarm("quiet", 1.0))))
    one.end()
    one.end()
    assert (held, slow) == (["alarm of quiet", ""], [True, False])


def test_a_lever_is_moved_once_at_a_time_and_to_the_last_wish() -> None:
    slow: list[bool] = []
    one = Moved(throttle=slow.append)
    for score in (1.0, 0.0, 1.0, 0.0):
        one.levers.follow(alarmed(Alarm("greedy", score)))
    assert len(one.begun) == 1
    one.end()
    one.end()
    assert slow == [True, False]
    assert one.begun == []


def test_what_cannot_be_done_and_what_failed_is_noted() -> None:
    one = Moved()
    one.levers.follow(alarmed(Alarm("quiet", 1.0), Alarm("greedy", 1.0)))
    assert one.notes == [
        ("hold not enforceable", {"wanted": "alarm of quiet"}),
        ("throttle not enforceable", {"wanted": True}),
    ]

    def broken(on: bool) -> None:
        raise OSError("read-only")

    other = Moved(throttle=broken)
    other.levers.follow(alarmed(Alarm("greedy", 1.0)))
    other.end()
    assert other.notes == [("throttle failed", {"wanted": True, "problem": "read-only"})]
