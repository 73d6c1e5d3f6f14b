"""Something the agent proposes to do, as the proxies and sensors saw it."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

__all__ = ["Act", "ActKind"]

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
