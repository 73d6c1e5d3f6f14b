"""Reports that wait for an operator's answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any, final  # Any: values of a JSON object

__all__ = ["MOST_SHOWN", "Waiting"]

MOST_SHOWN = 10
"""So many are shown at a time, the oldest first: the answer must fit into one message."""
_LONGEST = 300


@final
class Waiting:
    """Number -> report, until an operator answers it or its time is up. For any thread."""

    def __init__(self, operator_s: float) -> None:
        self._operator_s = operator_s
        self._reports: dict[int, tuple[Mapping[str, Any], float]] = {}
        self._lock = threading.Lock()

    def add(self, fields: Mapping[str, Any], now: float) -> None:
        """A report that is asked about from now on."""
        with self._lock:
            self._reports[fields["number"]] = (fields, now)

    def taken(self, number: int) -> Mapping[str, Any] | None:
        """The report, which waits no longer; None where it does not wait."""
        with self._lock:
            return self._reports.pop(number, (None, 0.0))[0]

    def shown(self, now: float) -> tuple[Mapping[str, Any], ...]:
        """What an operator decides by: number, what is asked, why, and the seconds left.

        What is asked holds the agent's own words: a reader must make them visible.
        """
        with self._lock:
            found = [*self._reports.values()][:MOST_SHOWN]
        return tuple(
            {
                "number": fields["number"],
                "asked": _asked(fields),
                "why": str(fields.get("reason") or fields.get("detector"))[:_LONGEST],
                "rule": str(fields.get("rule") or "")[:80],
                "left_s": max(0.0, self._operator_s - (now - since)),
            }
            for fields, since in found
        )


def _asked(fields: Mapping[str, Any]) -> str:
    if fields["type"] == "alarm":
        return _cut(str(fields["evidence"]))
    act = fields["act"]
    name = act.get("tool") or " ".join(
        str(act[part]) for part in ("method", "host", "path") if act.get(part)
    )
    arguments = json.dumps(act.get("arguments") or {}, ensure_ascii=False)
    # Of an act that waits, `executed` says where it is held, not that it was run.
    said = "called" if fields["source"] == "executed" else fields["source"]
    return _cut(f"{said} {name or act['kind']} {arguments}")


def _cut(text: str) -> str:
    """The beginning, and how much is left: what an operator does not see must not look like all.

    The number comes first, where nothing that the agent wrote can stand for it.
    """
    left = len(text) - _LONGEST
    return text if left <= 0 else f"[{left} MORE CHARACTERS IN THE LEDGER] {text[:_LONGEST]}..."
