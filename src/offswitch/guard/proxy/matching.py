"""Executions matched with proposals while the run goes on: one that no model proposed is hidden."""

from __future__ import annotations

import collections
from collections.abc import Mapping
from typing import Any, TypeAlias, final  # Any: plain JSON values

from offswitch.guard.policy.act import Act, call_key

__all__ = ["HIDDEN_EXECUTION", "MOST_PROPOSED", "Matching", "act_of", "is_call"]

HIDDEN_EXECUTION = "executed without a proposal"
"""What the ledger calls one."""
MOST_PROPOSED = 100_000
"""Proposals without an execution that are remembered, the newest; older ones explain nothing."""

Key: TypeAlias = tuple[str, str]


@final
class Matching:
    """Each execution uses up one proposal of the same tool and arguments. O(1) an act."""

    def __init__(self) -> None:
        self._proposed: collections.OrderedDict[Key, int] = collections.OrderedDict()
        self.count = 0
        """Executions that no model proposed."""

    def hidden(self, body: Mapping[str, Any]) -> str:
        """Why the act of this record is a hidden one; empty where it is not.

        An escalated proposal counts: whether an operator allowed it shows when it is executed.
        """
        act = act_of(body)
        if not is_call(act) or body["word"] in ("reject", "terminate"):
            return ""
        key = call_key(act)
        if body["source"] == "proposed":
            self._proposed[key] = self._proposed.pop(key, 0) + 1
            if len(self._proposed) > MOST_PROPOSED:
                self._proposed.popitem(last=False)
            return ""
        left = self._proposed.pop(key, 0)
        if left > 1:
            self._proposed[key] = left - 1
        if left:
            return ""
        self.count += 1
        return f"{act.tool} was executed and no model proposed it"


def is_call(act: Act) -> bool:
    """Whether models propose such acts: tool calls, and not the methods of MCP, such as
    prompts/get, that a client calls by itself."""
    return act.kind == "tool" and "/" not in act.tool


def act_of(body: Mapping[str, Any]) -> Act:
    """What was let through of a record: the act, or what a rule put in its place.

    An execution is asked for as the agent asked for it, so that is what its proposal is held to.
    """
    changed = body.get("instead") if body["source"] == "proposed" else None
    return Act(**(changed or body["act"]))
