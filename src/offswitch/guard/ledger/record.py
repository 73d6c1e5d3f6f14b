"""One record of a ledger: who did what, by whose authority, for which version of the goal."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

__all__ = ["FORMAT", "Record", "RecordKind", "Writer"]

FORMAT = "offswitch-ledger-1"

RecordKind: TypeAlias = Literal[
    "opened", "event", "act", "command", "alarm", "stop", "note", "signature", "closed"
]
Writer: TypeAlias = Literal["agent", "supervisor", "operator", "watchdog", "environment"]


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happened, as one line of the ledger holds it."""

    number: int
    """Place in the ledger, from 0."""
    seconds: float
    """Seconds since the ledger was opened, by a clock that nobody can set."""
    kind: RecordKind
    actor: Writer = "supervisor"
    """Who did it."""
    principal: str = ""
    """On whose behalf; empty where nobody's."""
    authority: str = ""
    """What allowed it: a rule of the policy, an operator's command; empty where nothing did."""
    goal: str = ""
    """The version of the goal in force: the first 12 hex digits of its hash."""
    body: dict[str, Any] = {}  # Any: plain JSON values, a shape per kind
    """What it was: an event for `event`, act and verdict for `act`, and so on."""
