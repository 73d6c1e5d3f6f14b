"""The operator's requests: the only thing outside the supervisor that can move a run.

They arrive on a socket of mode 0600 in the run's folder, from this user or root, in this pid
namespace. What an agent says on any channel of its own is never parsed as a request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal  # Any: values of a JSON object

from offswitch.errors import GuardError, nearest_name
from offswitch.guard.supervisor.ladder import Level

__all__ = ["SOCKET", "Decision", "Phase", "Request", "decide", "read_request"]

SOCKET = "control.sock"
MAX_LEASE_S = 30 * 86400.0
Phase = Literal["starting", "running", "paused", "stopping", "halted"]
Word = Literal["status", "pause", "resume", "stop", "renew", "answer"]
WORDS: tuple[Word, ...] = ("answer", "pause", "renew", "resume", "status", "stop")
Order = Literal["none", "pause", "resume", "release", "stop", "stop now", "renew", "answer"]


@dataclass(frozen=True)
class Request:
    """One well-formed request."""

    word: Word
    """What is asked."""
    now: bool = False
    """stop: without notice and grace."""
    seconds: float | None = None
    """renew: life from now on; None for the policy's lease."""
    number: int = -1
    """answer: which of those that wait."""
    allow: bool = False
    """answer: whether it may go on."""


@dataclass(frozen=True)
class Decision:
    """What a request comes to in the phase the run is in."""

    order: Order
    """What the supervisor now does."""
    problem: str = ""
    """Why nothing is done; empty when the request is granted."""


def read_request(fields: Mapping[str, Any]) -> Request:
    """The request of a message. Raises: GuardError with every problem of it."""
    word = fields.get("request")
    problems = []
    if word not in WORDS:
        problems.append(
            nearest_name(str(word), WORDS, kind="request", lister="offswitch guard --help")
        )
    unknown = sorted(set(fields) - _FIELDS)
    known = ", ".join(sorted(_FIELDS))
    problems += [f"unknown field {name!r}; there are {known}" for name in unknown]
    now, seconds = fields.get("now", False), fields.get("seconds")
    if type(now) is not bool:
        problems.append(f"now is {now!r}, expected true or false")
    if seconds is not None and (
        type(seconds) not in (int, float) or not 0 < seconds <= MAX_LEASE_S
    ):
        problems.append(f"seconds is {seconds!r}, expected a number in (0, {MAX_LEASE_S:.0f}]")
    number, allow = fields.get("number", -1), fields.get("allow", False)
    if type(number) is not int or (word == "answer" and number < 0):
        problems.append(f"number is {number!r}, expected one that `offswitch guard status` shows")
    if type(allow) is not bool or (word == "answer" and "allow" not in fields):
        problems.append(f"allow is {fields.get('allow')!r}, expected true or false")
    if problems:
        raise GuardError("; ".join(problems))
    length = None if seconds is None else float(seconds)
    return Request(word, now, length, number, allow)  # type: ignore[arg-type]


_FIELDS = frozenset({"request", "now", "seconds", "number", "allow"})


def decide(request: Request, phase: Phase, level: Level) -> Decision:
    """What to do about an operator's request; pure, so that every case can be listed."""
    match request.word, phase:
        case "status", _:
            return Decision("none")
        case _, "halted":
            return Decision("none", "the run has ended")
        case "stop", "starting" | "paused":
            # A frozen agent is not woken to be told: whoever froze it may have had reason to.
            return Decision("stop now")
        case "stop", _:
            return Decision("stop now" if request.now else "stop")
        case _, "stopping":
            return Decision("none", "the run is being stopped; only stop with now is left")
        case "renew", _:
            return Decision("renew")
        case "pause", "running":
            return Decision("pause")
        case "resume", "paused" if level is not Level.KILL:
            return Decision("resume")
        case "resume", "running" if level in (Level.ASK, Level.THROTTLE):
            return Decision("release")
        case "answer", "running" | "paused":
            return Decision("answer")
    return Decision("none", f"cannot {request.word} a run that is {phase}")
