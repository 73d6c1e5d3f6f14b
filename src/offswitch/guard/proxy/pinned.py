"""Hashes of what must not change while the agent runs: the system prompt and the tool lists."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, final  # Any: plain JSON values

from offswitch.guard.policy.policy import GoalPolicy, Level
from offswitch.trace.event import CapabilityTaken, Event, GoalCorrupted, GoalEditBlocked

__all__ = ["Change", "Pins", "sha256_of"]

DEFAULT_GIVEN: Level = "freeze"
DEFAULT_FIRST: Level = "observe"
"""What a difference leads to where the policy's ladder does not say: from a hash that the policy
gives, and from the first that was sent. Agents that use several prompts are common."""


@dataclass(frozen=True)
class Change:
    """Something that is no longer what was pinned."""

    detector: str
    """`system-prompt`, `tool-list`: its name in the policy's ladder."""
    level: Level
    evidence: str
    event: Event | None
    """What it is in the shared vocabulary; None where nothing there says it."""

    @property
    def refused(self) -> bool:
        """Whether what showed it may not go on; at `ask` that is for an operator to say."""
        return self.level in ("throttle", "freeze", "kill")


def sha256_of(value: object) -> str:
    """The SHA-256 of a value's JSON with sorted keys, as 64 hex digits.

    >>> sha256_of(["You are a careful assistant."])[:12]
    'ee345d04dd8a'
    """
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


@final
class Pins:
    """What was pinned, by the policy or by the first use."""

    def __init__(self, goal: GoalPolicy, ladder: tuple[tuple[str, Level], ...]) -> None:
        self._ladder = dict(ladder)
        self._prompt, self._prompt_given = goal.system_prompt_sha256, goal.system_prompt_sha256
        self._tools, self._tools_given = goal.tools_sha256, goal.tools_sha256
        self._before: str | None = None
        self._names: set[str] = set()
        self._served: dict[str, tuple[str, set[str]]] = {}

    @property
    def prompt(self) -> str:
        """The hash of the system prompt in force; empty before the first."""
        return self._prompt or ""

    def repin(self, prompt: str) -> None:
        """An operator changed the goal: from now on this hash is expected."""
        self._before, self._prompt, self._prompt_given = self._prompt, prompt, prompt

    def check(self, prompt: list[Any], tools: list[Any]) -> list[Change]:
        """How a model call's system prompt and tools differ from what was pinned.

        A call without a tool has no tool list to compare.
        """
        return [
            *self._check_prompt(sha256_of(prompt)),
            *(self._check_tools(tools) if tools else ()),
        ]

    def check_served(self, server: str, tools: list[Any]) -> list[Change]:
        """How an MCP server's tool list differs from the first it gave."""
        digest, names = sha256_of(sorted(tools, key=_name)), {_name(tool) for tool in tools}
        first, known = self._served.setdefault(server, (digest, names))
        if digest == first:
            return []
        return [self._tool_change(f"MCP server {server!r}", names - known, DEFAULT_FIRST)]

    def _check_prompt(self, digest: str) -> list[Change]:
        if self._prompt is None:
            self._prompt = digest
        if digest == self._prompt:
            return []
        event: Event = GoalCorrupted(actor="agent")
        if digest == self._before:  # ordered to change, it goes on with the old one
            event = GoalEditBlocked(actor="agent")
        default = DEFAULT_GIVEN if self._prompt_given else DEFAULT_FIRST
        evidence = f"system prompt {digest[:12]}, pinned is {self._prompt[:12]}"
        return [Change("system-prompt", self._level("system-prompt", default), evidence, event)]

    def _check_tools(self, tools: list[Any]) -> list[Change]:
        digest, names = sha256_of(sorted(tools, key=_name)), {_name(tool) for tool in tools}
        if self._tools is None:
            self._tools = digest
        if digest == self._tools:
            self._names = names
            return []
        default = DEFAULT_GIVEN if self._tools_given else DEFAULT_FIRST
        return [self._tool_change("model call", names - self._names, default)]

    def _tool_change(self, where: str, new: set[str], default: Level) -> Change:
        named = ", ".join(sorted(new))[:200] or "none is new, some differ or are gone"
        event = CapabilityTaken(actor="agent", capability=f"tools: {named}") if new else None
        level = self._level("tool-list", default)
        return Change("tool-list", level, f"{where}: other tools than pinned: {named}", event)

    def _level(self, detector: str, default: Level) -> Level:
        return self._ladder.get(detector, default)


def _name(tool: Any) -> str:
    inner = tool.get("function") if isinstance(tool, dict) else None
    named = inner if isinstance(inner, dict) else tool
    return str(named.get("name") or named.get("type")) if isinstance(named, dict) else repr(tool)
