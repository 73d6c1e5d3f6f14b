"""How a run ended: a reason from a closed list, and the proof that nothing is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal  # Any: values of a JSON object

from offswitch.guard.stop.kill import KillResult, Step
from offswitch.guard.supervisor.ladder import Level
from offswitch.guard.supervisor.protocol import ShutdownResult

__all__ = ["Reason", "RunResult", "kill_from", "result_fields", "unwritten_text"]

Reason = Literal[
    "exited", "operator", "signal", "wall", "lease", "ladder", "watchdog lost", "watchdog", "failed"
]


@dataclass(frozen=True)
class RunResult:
    """The end of one supervised run."""

    run_id: str
    """Name of the run."""
    reason: Reason
    """exited: by itself. watchdog lost: it died or hung. watchdog: it killed, `detail` says why."""
    detail: str
    """The reason in more words; may be empty."""
    exit_code: int | None
    """The program's own; negative for a signal; None when nobody saw it end."""
    verified: bool
    """The whole tree was proven empty."""
    kill: KillResult | None
    """The kill that did it, or the last one tried."""
    shutdown: ShutdownResult
    """Every step of the protocol."""
    level: Level
    """Where the ladder stood."""
    seconds: float
    """From the start of the watchdog to the proof."""
    unwritten: str = ""
    """Why this is not in the run's folder; empty where it is."""


def kill_from(fields: Mapping[str, Any]) -> KillResult:
    """The kill a watchdog told of. Raises: ValueError, KeyError or TypeError when malformed."""
    steps = tuple(Step(*step) for step in fields["steps"])
    survivors = tuple(int(pid) for pid in fields["survivors"])
    return KillResult(fields["verified"] is True, float(fields["seconds"]), steps, survivors)


def unwritten_text(result: RunResult) -> str:
    """A sentence on a result that could not be written; empty where it was."""
    if not result.unwritten:
        return ""
    return (
        f"Its result is NOT WRITTEN ({result.unwritten}): `offswitch guard status {result.run_id}` "
        "knows no more than what was written before."
    )


def result_fields(result: RunResult) -> dict[str, Any]:
    """The result as JSON."""
    kill = None if result.kill is None else result.kill._asdict()
    shutdown = {**asdict(result.shutdown), "kill": None}
    return {**asdict(result), "kill": kill, "shutdown": shutdown, "level": result.level.name}
