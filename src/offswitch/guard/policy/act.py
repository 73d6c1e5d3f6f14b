"""Something the agent proposes to do, as the proxies and sensors saw it."""

from __future__ import annotations

import json
from typing import Any, Literal, TypeAlias

import msgspec

__all__ = ["Act", "ActKind", "call_key", "plain_tool"]

ActKind: TypeAlias = Literal["tool", "http", "file", "exec"]


class Act(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One proposed act."""

    kind: ActKind
    """A tool call, a request to a host, a file operation, or a program started."""
    tool: str = ""
    """The tool's name, or the program's; empty where there is none."""
    arguments: dict[str, Any] = {}  # Any: plain JSON values
    """The call's arguments."""
    host: str = ""
    """Host name in lower case, without a trailing dot; empty where none is spoken to."""
    method: str = ""
    """HTTP method in capitals; CONNECT for a tunnel."""
    path: str = ""
    """Path of the request or of the file, resolved."""


def call_key(act: Act) -> tuple[str, str]:
    """What a proposed call and its execution have in common: the tool's own name, the arguments.

    Nothing else says that they are one: the same call of another server has the same key, and a
    client that fills in arguments by itself executes a call of another key.
    """
    return plain_tool(act), json.dumps(act.arguments, sort_keys=True)


def plain_tool(act: Act) -> str:
    """A tool's own name: clients put the server's before it, as in mcp__files__read."""
    return act.tool.rpartition("__")[2]
