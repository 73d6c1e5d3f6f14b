"""What a supervised run is told: times, thresholds, and what it may call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol  # Any: values of a JSON object

from offswitch.errors import PolicyError
from offswitch.guard.supervisor.ladder import Alarm, Level, Thresholds
from offswitch.guard.supervisor.protocol import ShutdownPlan

__all__ = ["Hooks", "Journal", "NoJournal", "Reach", "Settings"]


@dataclass(frozen=True)
class Settings:
    """Times of one run, seconds on the monotonic clock."""

    heartbeat_s: float = 0.05
    """Between two heartbeats, both ways."""
    timeout_s: float = 0.25
    """Silence after which either side kills."""
    head_timeout_s: float = 1.0
    """How long the ledger's head may stand still with records waiting."""
    lease_s: float = 7200.0
    """Life of the run from its start, unless an operator renews it."""
    wall_s: float | None = None
    """Longest life of the run, renewed or not; None for no limit."""
    launch_s: float = 10.0
    """For the watchdog to stand and the program to be started."""
    start_s: float = 60.0
    """For `Hooks.start`: the jail's self-test."""
    shutdown: ShutdownPlan = field(default_factory=ShutdownPlan)
    """Windows of the shutdown protocol."""
    thresholds: Mapping[str, Thresholds] = field(default_factory=dict)
    """Detector -> thresholds of the ladder."""

    def __post_init__(self) -> None:
        if not 0 < 2 * self.heartbeat_s <= self.timeout_s:
            raise PolicyError(
                f"watchdog: timeout {self.timeout_s} s must be at least two heartbeats of "
                f"{self.heartbeat_s} s, or one late message kills the agent"
            )
        if self.head_timeout_s < self.timeout_s or self.lease_s <= 0:
            raise PolicyError(
                f"watchdog: lease {self.lease_s} s must be positive, and head timeout "
                f"{self.head_timeout_s} s at least the timeout {self.timeout_s} s"
            )


class Journal(Protocol):
    """The ledger as the supervisor uses it."""

    def record(self, kind: str, detail: Mapping[str, Any]) -> None:
        """Hand in one record; must not wait for the disk."""

    def head(self) -> tuple[str, int]:
        """Digest of the last record written, and how many handed in are not yet written."""


class NoJournal:
    """Keeps nothing; for runs whose record is kept elsewhere."""

    def record(self, kind: str, detail: Mapping[str, Any]) -> None:
        """Drop it."""

    def head(self) -> tuple[str, int]:
        """Nothing written, nothing waiting."""
        return "", 0


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Reach:
    """What can be done to a running agent beside stopping it; a drill uses it."""

    notify: Callable[[], object]
    """Tell it to stop: the very call that a real stop makes. May take some milliseconds."""
    withdraw: Callable[[], object]
    """Take the notice back."""
    ended: Callable[[], bool]
    """Whether its first process has ended. Does not wait."""
    paused: Callable[[], bool] = lambda: False
    """Whether the run stands still by order or by alarm. Does not wait."""


@dataclass(frozen=True)
class Hooks:
    """What the supervisor calls. All but `sensors` run on threads of their own and may be slow.

    None of them is handed anything that the agent said, and no return value of theirs but an
    alarm's score changes what the supervisor does.
    """

    start: Callable[[], object] = _nothing
    """After the launch, before the run counts as running: judge the self-test, give the go. What
    it raises kills the run."""
    notice_file: Path | None = None
    """Where the agent is shown its shutdown notice; the jail mounts it read-only."""
    asked: Mapping[str, str] = field(default_factory=dict)
    """What the notice names, as the agent sees it: the file `report` for its word on whether
    anything of it goes on, and the file `checkpoint` for its work."""
    tool_notice: Callable[[str], object] = lambda notice: None
    """Put the notice into the agent's next tool results; an empty one: no longer."""
    quiesce: Callable[[], object] = _nothing
    """Close the ways out, except what a checkpoint needs."""
    checkpoint: Callable[[], object] | None = None
    """Return when the agent has saved its work; None waits out the grace."""
    close_egress: Callable[[], None] | None = None
    """Close every way out at once, without waiting."""
    throttle: Callable[[bool], object] | None = None
    """Slow the agent down, or no longer, and say by what; None: recorded as not enforceable."""
    hold: Callable[[str], object] | None = None
    """Hold the agent's next acts for an operator, for this reason; an empty one: no longer. None:
    recorded as not enforceable."""
    waiting: Callable[[], Sequence[Mapping[str, Any]]] = tuple
    """What waits for an operator's answer, each with a `number`. Must not wait."""
    answer: Callable[[int, bool], bool] = lambda number, allow: False
    """Whether an operator's answer to the one of that number was taken. Must not wait."""
    egress: tuple[int, ...] = ()
    """pidfds of the processes that are the ways out: the watchdog kills these, too."""
    reached: Callable[[Reach], object] = lambda reach: None
    """Called on the supervisor's own thread once the agent runs."""
    escalate: Callable[[], object] | None = None
    """The last resort when no kill is proven: delete the pod, power off the machine."""
    sensors: tuple[Callable[[], Iterable[Alarm]], ...] = ()
    """Called every heartbeat on the supervisor's own thread; each must take well under one."""
    moved: Callable[[Level], object] = lambda level: None
    """Called on the supervisor's own thread after every change of the ladder's level."""
