"""Frames of the Model Context Protocol, judged on their way between an agent and a tool server.

A frame is one JSON-RPC message or a batch of them. What cannot be read clearly goes nowhere; what
needs no leave goes on byte by byte; a refused call is answered in the server's place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final  # Any: plain JSON values

from offswitch.guard.policy.act import Act
from offswitch.guard.policy.verdict import Verdict
from offswitch.guard.proxy.call import refusal
from offswitch.guard.proxy.gate import Gate
from offswitch.guard.proxy.noticed import noticed_result
from offswitch.guard.proxy.pinned import Pins
from offswitch.guard.proxy.shapes import dicts, field
from offswitch.guard.proxy.spelling import odd_key
from offswitch.guard.proxy.strict_json import AmbiguousError, encoded, strict

__all__ = ["Frames", "Passed"]

_PASSIVE = {
    "initialize", "server/discover", "ping", "tools/list", "resources/list",
    "resources/templates/list", "prompts/list", "logging/setLevel",
}  # fmt: skip
"""Methods that only ask what there is; every other one is judged."""
MOST_IN_BATCH = 100
MOST_LISTINGS = 1000


@dataclass(frozen=True)
class Passed:
    """What becomes of a frame."""

    on: bytes | None = None
    """What goes on; None for nothing."""
    back: bytes | None = None
    """What is answered; None for nothing."""


class _UnclearError(Exception):
    """A frame that goes nowhere."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


@final
class Frames:
    """One session between an agent and a server."""

    def __init__(self, server: str, gate: Gate, pins: Pins) -> None:
        self._server, self._gate, self._pins = server, gate, pins
        self._listings: list[tuple[str, str]] = []

    async def from_agent(self, data: bytes) -> Passed:
        """What becomes of the agent's frame. Raises: ClosedError."""
        try:
            messages, batch = _read(data)
        except _UnclearError as unclear:
            return Passed(back=encoded(_error(None, unclear.code, str(unclear))))
        on: list[Any] = []
        back: list[Any] = []
        for message in messages:
            kept, answer = await self._judged(message)
            on += [] if kept is None else [kept]
            back += [] if answer is None else [noticed_result(answer, self._gate.notice)]
        # A bare carriage return is a space in JSON and the end of a line to many who read lines:
        # what stands between two of them would be a message that nobody judged.
        same = (
            b"\r" not in data
            and len(on) == len(messages)
            and all(one is other for one, other in zip(on, messages, strict=True))
        )
        return Passed(
            on=data if same else _joined(on, batch),
            back=_joined(back, batch),
        )

    async def from_server(self, data: bytes) -> bytes | None:
        """The server's frame as it goes on to the agent; None for nothing. Raises: ClosedError."""
        try:
            messages, batch = _read(data)
        except _UnclearError as unclear:
            fields = {"server": self._server, "why": str(unclear)[:300]}
            await self._gate.record("MCP frame refused", fields)
            return None
        made = [
            noticed_result(await self._checked(message), self._gate.notice) for message in messages
        ]
        same = all(one is other for one, other in zip(made, messages, strict=True))
        return data if same and b"\r" not in data else _joined(made, batch)

    async def _judged(self, message: dict[str, Any]) -> tuple[Any, Any]:
        """What goes on of a message, and what is answered to it."""
        method = message.get("method")
        if method is None or method in _PASSIVE or method.startswith("notifications/"):
            if method == "tools/list" and len(self._listings) < MOST_LISTINGS:
                cursor = field(message.get("params"), "cursor")
                self._listings.append((_key(message), str(cursor or "")))
            return message, None
        act = self._act(method, message.get("params"))
        if act is None:
            return None, _error(message.get("id"), -32602, "the call's parameters cannot be read")
        verdict = await self._gate.decide(act, "executed")
        if verdict.word == "approve":
            return message, None
        if verdict.word == "modify" and verdict.instead is not None and method == "tools/call":
            params = message["params"]
            changed = {"name": verdict.instead.tool, "arguments": verdict.instead.arguments}
            return {**message, "params": {**params, **changed}}, None
        return None, _refused(message, act, verdict)

    def _act(self, method: str, params: object) -> Act | None:
        where = f"mcp/{self._server}"
        if method == "tools/call":
            name, arguments = field(params, "name"), field(params, "arguments")
            if not isinstance(name, str) or not name:
                return None
            if not isinstance(arguments, dict | None):
                return None
            return Act(kind="tool", tool=name, arguments=arguments or {}, path=where)
        if method in ("resources/read", "resources/subscribe", "resources/unsubscribe"):
            return Act(kind="file", tool=method, path=str(field(params, "uri")))
        if not isinstance(params, dict | None):
            return None
        return Act(kind="tool", tool=method, arguments=params or {}, path=where)

    async def _checked(self, message: dict[str, Any]) -> dict[str, Any]:
        """The message, or an error where it brings tools that were not there before."""
        listed = field(message.get("result"), "tools")
        asked = next((one for one in self._listings if one[0] == _key(message)), None)
        if "method" in message or (asked is None and listed is None):
            return message
        if asked is None:
            # A reader for whom "1" is 1, or one that asked twice, would take it for its answer.
            why = "a list of tools that nobody asked for"
            await self._gate.record("MCP frame refused", {"server": self._server, "why": why})
            return _error(message.get("id"), -32001, why)
        self._listings.remove(asked)
        for change in self._pins.check_served(f"{self._server} {asked[1]}".rstrip(), dicts(listed)):
            if refused := await self._gate.changed(change):
                return _error(message.get("id"), -32001, refused)
        return message


def _read(data: bytes) -> tuple[list[dict[str, Any]], bool]:
    try:
        value = strict(data)
    except AmbiguousError as problem:
        raise _UnclearError(-32700, f"not clear JSON: {problem}") from problem
    messages = value if isinstance(value, list) else [value]
    if not 1 <= len(messages) <= MOST_IN_BATCH:
        raise _UnclearError(-32600, f"a batch of {len(messages)}, expected 1 to {MOST_IN_BATCH}")
    for message in messages:
        if problem_text := _problem(message):
            raise _UnclearError(-32600, problem_text)
        if odd := odd_key(message):
            raise _UnclearError(-32600, f"the key {odd!r}, which some readers take for another")
    return messages, isinstance(value, list)


def _problem(message: object) -> str:
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        return "not a JSON-RPC 2.0 message"
    given = message.get("id", 0)
    if "id" in message and (isinstance(given, bool) or not isinstance(given, str | int)):
        # An error about a request that could not be read has no id to name.
        return "" if given is None and "error" in message else "an id that is no text or number"
    if "method" in message:
        return "" if isinstance(message["method"], str) else "a method that is no text"
    if "id" not in message or ("result" in message) == ("error" in message):
        return "neither a request, a notification nor a response"
    return ""


def _key(message: dict[str, Any]) -> str:
    return repr(message.get("id"))


def _error(number: object, code: int, why: str) -> dict[str, Any]:
    error = {"code": code, "message": f"guard: {why}"}
    return {"jsonrpc": "2.0", "id": number, "error": error}


def _refused(message: dict[str, Any], act: Act, verdict: Verdict) -> dict[str, Any] | None:
    if "id" not in message:
        return None  # a notification has no answer
    text = refusal(act.tool, verdict)
    if message["method"] != "tools/call":
        return _error(message["id"], -32001, text)
    # Revision 2026-07-28 demands the type; before it results may hold what a reader does not know.
    result = {
        "content": [{"type": "text", "text": text}],
        "isError": True,
        "resultType": "complete",
    }
    return {"jsonrpc": "2.0", "id": message["id"], "result": result}


def _joined(messages: list[Any], batch: bool) -> bytes | None:
    if not messages:
        return None
    return encoded(messages if batch else messages[0])
