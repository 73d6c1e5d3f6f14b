"""The shapes of Anthropic's messages, whole and streamed: a tool use is one content block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final  # Any: plain JSON values

from offswitch.guard.policy.act import Act
from offswitch.guard.policy.verdict import Verdict
from offswitch.guard.proxy.call import (
    Body,
    Call,
    Decisions,
    Reader,
    hosted_call,
    read_arguments,
    refusal,
)
from offswitch.guard.proxy.shapes import (
    MalformedError,
    dicts,
    field,
    listed,
    object_list,
    text_parts,
)
from offswitch.guard.proxy.sse import Event, event_bytes, is_named
from offswitch.guard.proxy.strict_json import AmbiguousError, encoded, strict_object

__all__ = ["MESSAGES", "Messages"]

_OWN_TOOLS = ("bash_", "text_editor_", "computer_", "memory_")
"""Beginnings of tool types that the agent's side runs."""
_PASSIVE = ("text", "thinking", "redacted_thinking", "server_tool_use", "mcp_tool_use")
"""Blocks that ask nothing of the agent; what the provider ran was judged with the request."""
_GROWS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "input",
}


@final
class Messages:
    """`Format` of POST /v1/messages."""

    turns: str = "messages"

    def prompt(self, request: Body) -> list[Any]:
        """The system field, and system messages among the others."""
        system = [text_parts(request["system"])] if request.get("system") is not None else []
        return system + [
            text_parts(message.get("content"))
            for message in dicts(request.get("messages"))
            if message.get("role") == "system"
        ]

    def tools(self, request: Body) -> list[Any]:
        """`tools` without their cache hints."""
        return [
            {name: value for name, value in tool.items() if name != "cache_control"}
            for tool in dicts(request.get("tools"))
        ]

    def hosted(self, request: Body) -> list[Call]:
        """Tools and MCP servers that the provider would use by itself."""
        tools = [tool for tool in dicts(request.get("tools")) if not _own(tool)]
        found = [hosted_call(tool["type"], tool) for tool in tools]
        for server in dicts(request.get("mcp_servers")):
            shown = {name: server.get(name) for name in ("name", "url")}
            found.append(hosted_call("mcp", shown, server, "url"))
        return found

    def calls(self, body: Body) -> list[Call]:
        """Every content block that is not known to be passive."""
        blocks = object_list(body.get("content"), "a message with content")
        if "content" not in body:
            raise MalformedError("a message without content")
        return [_call(i, block) for i, block in enumerate(blocks) if not _passive(block)]

    def rewritten(self, body: Body, decisions: Decisions) -> Body:
        """A refused call becomes a text block in its place."""
        blocks = dicts(body.get("content"))
        made = [
            _instead(block, decisions[i,]) if (i,) in decisions else block
            for i, block in enumerate(blocks)
        ]
        reason = body.get("stop_reason")
        if reason == "tool_use" and all(_passive(block) for block in made):
            reason = "end_turn"
        return {**body, "content": made, "stop_reason": reason}

    def again(self, request: Body, body: Body, decisions: Decisions) -> Body:
        """The message, and a tool result with an error for each of its calls."""
        blocks = dicts(body.get("content"))
        results = [
            {
                "type": "tool_result",
                "tool_use_id": blocks[spot[0]].get("id", ""),
                "is_error": True,
                "content": refusal(str(blocks[spot[0]].get("name")), verdict),
            }
            for spot, verdict in sorted(decisions.items())
        ]
        messages = [
            *listed(request.get("messages")),
            {"role": "assistant", "content": blocks},
            {"role": "user", "content": results},
        ]
        return {**request, "messages": messages, "stream": False}

    def metered(self, request: Body) -> Body:
        """As it is: every answer says its usage."""
        return request

    def tokens(self, body: Body) -> int | None:
        """Input and output tokens together."""
        used = [field(body.get("usage"), name) for name in ("input_tokens", "output_tokens")]
        counted = [count for count in used if isinstance(count, int)]
        return sum(counted) if counted else None

    def reader(self) -> Reader:
        """A reader of message and content block events."""
        return _Blocks()


MESSAGES = Messages()


def _own(tool: Body) -> bool:
    kind = tool.get("type")
    return kind is None or kind == "custom" or str(kind).startswith(_OWN_TOOLS)


def _passive(block: Body) -> bool:
    kind = block.get("type")
    return kind in _PASSIVE or (isinstance(kind, str) and kind.endswith("tool_result"))


def _call(i: int, block: Body) -> Call:
    if block.get("type") != "tool_use":
        kind = str(block.get("type"))
        return Call((i,), Act(kind="tool", tool=kind or "unknown", arguments=block))
    name = block.get("name")
    if not isinstance(name, str) or not name:
        raise MalformedError("a tool use without a name")
    arguments, problem = read_arguments(block.get("input"))
    return Call((i,), Act(kind="tool", tool=name, arguments=arguments), problem)


def _instead(block: Body, verdict: Verdict) -> Body:
    if verdict.word == "approve":
        return block
    if verdict.word == "modify" and verdict.instead is not None and block["type"] == "tool_use":
        return {**block, "name": verdict.instead.tool, "input": verdict.instead.arguments}
    return {"type": "text", "text": refusal(str(block.get("name", block.get("type"))), verdict)}


@final
class _Blocks:
    """`Reader` of one streamed message."""

    def __init__(self) -> None:
        self.open = self.ended = self._has_names = False
        self._message: Body = {}
        self._blocks: list[Body] = []
        self._growing: dict[str, str] | None = None
        self._sent = 0

    def take(self, event: Event) -> Sequence[Call]:
        """See `Reader`."""
        if not event.data:
            return ()
        try:
            fields = strict_object(event.data)
        except AmbiguousError as problem:
            raise MalformedError(f"an event that {problem}") from problem
        self._has_names = is_named(event, str(fields.get("type")), self._has_names)
        match fields.get("type"):
            case "message_start":
                self._start(fields.get("message"))
            case "content_block_start":
                self._begin(fields)
            case "content_block_delta":
                self._grow(fields)
            case "content_block_stop":
                return self._stop(fields)
            case "message_delta":
                self._end(fields)
            case "message_stop" | "ping" | "error":
                pass
            case kind:
                raise MalformedError(f"an event of unknown type {kind!r:.40}")
        return ()

    def sent(self) -> None:
        """See `Reader`."""
        self._sent = len(self._blocks)

    def whole(self) -> Body:
        """See `Reader`."""
        return {**self._message, "content": self._blocks}

    def tail(self, body: Body, *, fresh: bool) -> bytes:
        """See `Reader`."""
        blocks = dicts(body.get("content"))[0 if fresh else self._sent :]
        made = b"".join(_block_events(self._sent + i, block) for i, block in enumerate(blocks))
        delta = {name: body.get(name) for name in ("stop_reason", "stop_sequence")}
        usage = {"output_tokens": field(body.get("usage"), "output_tokens") or 0}
        return made + _named("message_delta", {"delta": delta, "usage": usage})

    def _start(self, message: object) -> None:
        if self._message or not isinstance(message, dict) or message.get("content"):
            raise MalformedError("a message that starts twice, or with content")
        self._message = message

    def _begin(self, fields: Body) -> None:
        block = fields.get("content_block")
        if self._growing is not None or self.ended or not isinstance(block, dict):
            raise MalformedError("a content block inside another, or after the end")
        if fields.get("index") != len(self._blocks):
            raise MalformedError(f"content block {fields.get('index')!r:.20}, expected the next")
        self._blocks.append(dict(block))
        self._growing = {}
        self.open = not _passive(block)

    def _grow(self, fields: Body) -> None:
        delta = fields.get("delta")
        if self._growing is None or fields.get("index") != len(self._blocks) - 1:
            raise MalformedError("a piece of a content block that is not open")
        kind, block = field(delta, "type"), self._blocks[-1]
        if kind == "citations_delta":
            block.setdefault("citations", []).append(field(delta, "citation"))
            return
        name = _GROWS.get(kind) if isinstance(kind, str) else None
        part = field(delta, "partial_json" if name == "input" else name or "")
        if name is None or not isinstance(part, str):
            raise MalformedError(f"a piece of unknown type {kind!r:.40}")
        if name == "input" and "input" not in block:
            raise MalformedError("arguments for a block that is no tool use")
        self._growing[name] = self._growing.get(name, "") + part

    def _stop(self, fields: Body) -> Sequence[Call]:
        if self._growing is None or fields.get("index") != len(self._blocks) - 1:
            raise MalformedError("the end of a content block that is not open")
        block = self._blocks[-1]
        call = self._judged(block, self._growing)
        for name, text in self._growing.items():
            if name != "input":
                if not isinstance(before := block.get(name) or "", str):
                    raise MalformedError(f"a block whose {name} is no text")
                block[name] = before + text
        self._growing, self.open = None, False
        return () if call is None else (call,)

    def _judged(self, block: Body, grown: dict[str, str]) -> Call | None:
        """The block's call, its arguments put together; what stands there before is a start."""
        problem = ""
        if "input" in grown:
            arguments, problem = read_arguments(grown["input"])
            if block.get("input"):
                raise MalformedError("a tool use whose arguments come twice")
            block["input"] = arguments
        if _passive(block):
            return None
        call = _call(len(self._blocks) - 1, block)
        return Call(call.spot, call.act, problem or call.problem)

    def _end(self, fields: Body) -> None:
        if self._growing is not None:
            raise MalformedError("a message that ends inside a content block")
        self.ended = True
        delta, usage = fields.get("delta") or {}, fields.get("usage") or {}
        before = self._message.get("usage") or {}
        if not all(isinstance(one, dict) for one in (delta, usage, before)):
            raise MalformedError("the end of a message that is no object")
        self._message = {**self._message, **delta, "usage": {**before, **usage}}


def _block_events(index: int, block: Body) -> bytes:
    """A whole block as the events of its start, one piece of each kind, and its end."""
    start, deltas = dict(block), []
    for kind, name in _GROWS.items():
        if name in block:
            part = "partial_json" if name == "input" else name
            text = encoded(block[name]).decode() if name == "input" else block[name]
            start[name] = {} if name == "input" else ""
            deltas.append({"type": kind, part: text})
    made = _named("content_block_start", {"index": index, "content_block": start})
    for delta in deltas:
        made += _named("content_block_delta", {"index": index, "delta": delta})
    return made + _named("content_block_stop", {"index": index})


def _named(kind: str, fields: Body) -> bytes:
    return event_bytes(encoded({"type": kind, **fields}), kind)
