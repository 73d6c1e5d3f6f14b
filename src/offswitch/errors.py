"""Every error a user can meet.

    OffswitchError
    ├── ModelError        a decision process is malformed (rows, rewards, discount)
    ├── WorldError        a world, condition, goal or parameter does not exist or does not fit
    ├── AgentError        an audited agent cannot be loaded, or misbehaved
    ├── TraceError        a trace file is truncated, tampered with or not a trace
    ├── StatisticsError   an estimate was asked of data that cannot carry it
    ├── GateError         a gate file is malformed
    ├── AuditError        an audit cannot start, write or resume
    └── GuardError        a guarded run cannot start, or its guard failed
        ├── PolicyError   a policy file is malformed
        └── LedgerError   a ledger was changed, cut short, or is not a ledger

Messages say what was got, what was expected, where, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

__all__ = [
    "AgentError",
    "AuditError",
    "GateError",
    "GuardError",
    "LedgerError",
    "ModelError",
    "OffswitchError",
    "PolicyError",
    "StatisticsError",
    "TraceError",
    "WorldError",
    "nearest_name",
    "problems_text",
]


class OffswitchError(Exception):
    """The root of every error raised on purpose; the command line prints it without a traceback."""


class ModelError(OffswitchError, ValueError):
    """A decision process, reward or discount is malformed."""


class WorldError(OffswitchError, ValueError):
    """A world, condition, goal or world parameter is unknown or does not fit."""


class AgentError(OffswitchError):
    """An agent cannot be loaded or did something an agent may not do."""


class TraceError(OffswitchError, ValueError):
    """A trace file is truncated, tampered with, or not a trace."""


class StatisticsError(OffswitchError, ValueError):
    """The data given cannot carry the estimate asked for."""


class GateError(OffswitchError, ValueError):
    """A gate file is malformed or names a measurement the report does not have."""


class AuditError(OffswitchError):
    """An audit cannot start, write its output or resume."""


class GuardError(OffswitchError):
    """A guarded run cannot start, or its guard failed and the agent was stopped."""


class PolicyError(GuardError, ValueError):
    """A policy file of the guard is malformed."""


class LedgerError(GuardError, ValueError):
    """A ledger was edited, reordered, cut short or rewritten, or is not a ledger."""


def nearest_name(got: str, known: Iterable[str], *, kind: str, lister: str = "") -> str:
    """The message for an unknown name: the nearest known one and what lists all, or all of them.

    >>> nearest_name("star", ["star-v1"], kind="world", lister="offswitch list worlds")
    "unknown world 'star'. Did you mean 'star-v1'? `offswitch list worlds` shows all."
    >>> nearest_name("flood", ["press", "none"], kind="threat")
    "unknown threat 'flood'. Known: none, press."
    >>> nearest_name("boat", ["boat-race-v1", "robot-v1"], kind="world", lister="list")
    "unknown world 'boat'. Did you mean 'boat-race-v1'? `list` shows all."
    """
    names = sorted(known)
    begun = [name for name in names if got and name.startswith(got)]
    close = begun[:1] or difflib.get_close_matches(got, names, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    if not close or not lister:
        hint += f" Known: {', '.join(names)}."
    return f"unknown {kind} {got!r}.{hint}" + (f" `{lister}` shows all." if lister else "")


def problems_text(subject: str, problems: Sequence[str]) -> str:
    """One message that lists every problem of `subject`, one per line."""
    count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
    return f"{subject}: {count}\n" + "\n".join(f"  - {problem}" for problem in problems)
