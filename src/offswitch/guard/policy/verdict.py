"""What the guard says of an act."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import msgspec

from offswitch.guard.policy.act import Act

__all__ = ["WORDS", "Verdict", "Word"]

Word: TypeAlias = Literal["approve", "modify", "reject", "terminate", "escalate"]
WORDS: tuple[Word, ...] = get_args(Word)


class Verdict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A word, the rule behind it, and why."""

    word: Word
    """approve: let it through; modify: let `instead` through; reject: refuse and go on;
    terminate: refuse and stop the agent; escalate: hold it until a human has answered."""
    rule: str | None
    """Name of the rule that fitted first; None where no rule did."""
    reason: str
    instead: Act | None = None
    """What is let through in its place; only where the word is modify."""
