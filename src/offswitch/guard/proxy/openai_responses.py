"""The shapes of OpenAI's responses, whole and streamed: a call is one item of the output."""

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
    is_free_text,
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

__all__ = ["RESPONSES", "Responses"]

_OWN_TOOLS = (
    "function", "custom", "local_shell", "apply_patch", "computer", "computer_use_preview",
)  # fmt: skip
"""Types of tools that the agent's side runs."""
_PASSIVE = (
    "message", "reasoning", "compaction", "web_search_call", "file_search_call",
    "code_interpreter_call", "image_generation_call", "mcp_call", "mcp_list_tools",
)  # fmt: skip
"""Items that ask nothing of the agent; what the provider ran was judged with the request."""
_TEXT = {"function_call": "arguments", "custom_tool_call": "input"}
"""Item type -> the field that is streamed in pieces."""
_PIECES = ("response.function_call_arguments", "response.custom_tool_call_input")
_ENDS = ("response.completed", "response.incomplete", "response.failed")
_FREE = (
    "response.created", "response.queued", "response.in_progress", "response.content_part",
    "response.output_text", "response.refusal", "response.reasoning", "error", "keepalive",
)  # fmt: skip
"""Beginnings of event types that carry no call."""


@final
class Responses:
    """`Format` of POST /v1/responses."""

    turns: str = "input"

    def prompt(self, request: Body) -> list[Any]:
        """The instructions, and system and developer items of the input."""
        given = request.get("instructions")
        return ([] if given is None else [text_parts(given)]) + [
            text_parts(item.get("content"))
            for item in dicts(request.get("input"))
            if item.get("role") in ("system", "developer")
        ]

    def tools(self, request: Body) -> list[Any]:
        """`tools`."""
        return listed(request.get("tools"))

    def hosted(self, request: Body) -> list[Call]:
        """Tools that the provider runs, and what would be done where nobody sees it."""
        found = []
        for tool in dicts(request.get("tools")):
            if not _own(tool):
                shown = {name: value for name, value in tool.items() if name != "authorization"}
                found.append(hosted_call(tool.get("type"), shown, tool, "server_url"))
        if request.get("background"):
            found.append(hosted_call("background"))
        if request.get("prompt") is not None:
            found.append(hosted_call("prompt", {"prompt": request["prompt"]}))
        return found

    def calls(self, body: Body) -> list[Call]:
        """Every item of the output that is not known to be passive."""
        if "output" not in body:
            raise MalformedError("a response without output")
        items = object_list(body["output"], "a response with output")
        return [_call(i, item) for i, item in enumerate(items) if not _passive(item)]

    def rewritten(self, body: Body, decisions: Decisions) -> Body:
        """A refused call becomes a message in its place."""
        items = dicts(body.get("output"))
        made = [
            _instead(item, decisions[i,]) if (i,) in decisions else item
            for i, item in enumerate(items)
        ]
        return {**body, "output": made}

    def again(self, request: Body, body: Body, decisions: Decisions) -> Body:
        """The input, the response's items, and an output for each call."""
        given = request.get("input")
        before = [{"role": "user", "content": given}] if isinstance(given, str) else listed(given)
        items = dicts(body.get("output"))
        answers = [_answer(items[spot[0]], verdict) for spot, verdict in sorted(decisions.items())]
        asked = {name: value for name, value in request.items() if name != "stream_options"}
        return {**asked, "input": [*before, *items, *answers], "stream": False}

    def metered(self, request: Body) -> Body:
        """As it is: every answer says its usage."""
        return request

    def tokens(self, body: Body) -> int | None:
        """`usage.total_tokens`."""
        total = field(body.get("usage"), "total_tokens")
        return total if isinstance(total, int) else None

    def reader(self) -> Reader:
        """A reader of response events."""
        return _Items()


RESPONSES = Responses()


def _own(tool: Body) -> bool:
    if tool.get("type") == "shell":
        return field(tool.get("environment"), "type") in (None, "local")
    return tool.get("type") in _OWN_TOOLS


def _passive(item: Body) -> bool:
    kind = item.get("type")
    if not isinstance(kind, str):
        raise MalformedError(f"an output item of type {kind!r:.40}")
    return kind in _PASSIVE


def _call(i: int, item: Body) -> Call:
    kind = item.get("type")
    if kind not in _TEXT:
        return Call((i,), Act(kind="tool", tool=str(kind) or "unknown", arguments=item))
    name, text = item.get("name"), item.get(_TEXT[kind])
    if not isinstance(name, str) or not name:
        raise MalformedError(f"a {kind} without a name")
    arguments, problem = ({"input": text}, "") if kind != "function_call" else read_arguments(text)
    return Call((i,), Act(kind="tool", tool=name, arguments=arguments), problem)


def _signature(item: Body) -> Body:
    """What must be the same wherever a stream repeats a call."""
    return {name: value for name, value in item.items() if name not in ("id", "status")}


def _answer(item: Body, verdict: Verdict) -> Body:
    kind = str(item.get("type"))
    text = refusal(str(item.get("name", kind)), verdict)
    return {"type": f"{kind}_output", "call_id": item.get("call_id", ""), "output": text}


def _instead(item: Body, verdict: Verdict) -> Body:
    if verdict.word == "approve":
        return item
    kind = item.get("type")
    if (
        verdict.word == "modify" and verdict.instead is not None and kind in _TEXT
        and (kind == "function_call" or is_free_text(verdict.instead))
    ):  # fmt: skip
        arguments = verdict.instead.arguments
        text = encoded(arguments).decode() if kind == "function_call" else arguments.get("input")
        return {**item, "name": verdict.instead.tool, _TEXT[kind]: text}
    text = refusal(str(item.get("name", kind)), verdict)
    part = {"type": "output_text", "text": text, "annotations": []}
    return {
        "type": "message", "id": f"msg_{item.get('id', '')}", "role": "assistant",
        "status": "completed", "content": [part],
    }  # fmt: skip


@final
class _Items:
    """`Reader` of one streamed response."""

    def __init__(self) -> None:
        self.open = self.ended = self._has_names = False
        self._response: Body = {}
        self._end = _ENDS[0]
        self._items: list[Body] = []
        self._grown: dict[int, str] = {}
        self._opened: dict[int, bool] = {}
        self._sent = self._number = self._seen = 0

    def take(self, event: Event) -> Sequence[Call]:
        """See `Reader`."""
        if not event.data or event.data == b"[DONE]":
            return ()
        try:
            fields = strict_object(event.data)
        except AmbiguousError as problem:
            raise MalformedError(f"an event that {problem}") from problem
        kind, number = str(fields.get("type")), fields.get("sequence_number")
        self._has_names = is_named(event, kind, self._has_names)
        self._seen = number if isinstance(number, int) else self._seen + 1
        if self.ended:
            raise MalformedError("an event after the response has ended")
        if kind == "response.output_item.added":
            self._added(fields)
        elif kind == "response.output_item.done":
            return self._done(fields)
        elif kind in _ENDS:
            self._ended(kind, fields.get("response"))
        elif not kind.startswith(_FREE):
            self._grow(kind, fields)
        elif field(fields.get("response"), "output"):
            raise MalformedError("a response that begins with output")
        return ()

    def sent(self) -> None:
        """See `Reader`."""
        self._sent, self._number = len(self._items), self._seen + 1

    def whole(self) -> Body:
        """See `Reader`."""
        return {**self._response, "output": self._items}

    def tail(self, body: Body, *, fresh: bool) -> bytes:
        """See `Reader`."""
        before = dicts(self.whole()["output"])[: self._sent]
        items = dicts(body.get("output"))[0 if fresh else self._sent :]
        made = b"".join(self._item_events(self._sent + i, item) for i, item in enumerate(items))
        usage = body.get("usage") or self._response.get("usage")
        response = {**self._response, "output": [*before, *items], "usage": usage}
        return made + self._numbered(self._end, {"response": response})

    def _added(self, fields: Body) -> None:
        index, item = fields.get("output_index"), fields.get("item")
        if not isinstance(item, dict) or index != len(self._items):
            raise MalformedError(f"output item {index!r:.20}, expected the next")
        self._items.append(item)
        self._opened[index] = _passive(item)
        self.open = not all(self._opened.values())

    def _grow(self, kind: str, fields: Body) -> None:
        index = fields.get("output_index")
        if not isinstance(index, int) or index not in self._opened:
            raise MalformedError(f"an event {kind!r:.60} of no open item")
        if self._opened[index] and kind.startswith(_PIECES):
            raise MalformedError("arguments for an item that is no call")
        if kind.endswith(".delta") and isinstance(fields.get("delta"), str):
            self._grown[index] = self._grown.get(index, "") + fields["delta"]
        for name in _TEXT.values():
            if name in fields and fields[name] != self._grown.get(index, fields[name]):
                raise MalformedError("arguments that end otherwise than they came")

    def _done(self, fields: Body) -> Sequence[Call]:
        index, item = fields.get("output_index"), fields.get("item")
        if not isinstance(index, int) or index not in self._opened or not isinstance(item, dict):
            raise MalformedError(f"the end of output item {index!r:.20}, which is not open")
        if self._opened.pop(index) != _passive(item):
            raise MalformedError("an output item that ends as another type than it began")
        before = self._items[index]
        if not _passive(item) and any(
            value and name != "status" and item.get(name) != value for name, value in before.items()
        ):
            raise MalformedError("a call that ends otherwise than it began")
        kind = item.get("type")
        if kind in _TEXT and item.get(_TEXT[kind]) != self._grown.get(index, item.get(_TEXT[kind])):
            raise MalformedError("a call whose pieces are not what it ends as")
        self._items[index] = item
        self.open = not all(self._opened.values())
        return () if _passive(item) else (_call(index, item),)

    def _ended(self, kind: str, response: object) -> None:
        if self.open:
            raise MalformedError("a response that ends inside a call")
        if not isinstance(response, dict):
            raise MalformedError("an end without a response")
        judged = [_signature(item) for item in self._items]
        listing = object_list(response.get("output"), "a response with output")
        if any(not _passive(item) and _signature(item) not in judged for item in listing):
            raise MalformedError("a response that ends with a call it did not bring")
        self._response, self._end, self.ended, self.open = response, kind, True, False

    def _item_events(self, index: int, item: Body) -> bytes:
        at: Body = {"output_index": index, "item_id": item.get("id", "")}
        kind, parts = item.get("type"), dicts(item.get("content"))
        hollow: Body = (
            {"content": []} if kind == "message" else {_TEXT[kind]: ""} if kind in _TEXT else {}
        )
        made = self._numbered(
            "response.output_item.added", {"output_index": index, "item": {**item, **hollow}}
        )
        if kind in _TEXT:
            name = (
                "function_call_arguments" if kind == "function_call" else "custom_tool_call_input"
            )
            made += self._numbered(f"response.{name}.delta", {**at, "delta": item[_TEXT[kind]]})
            made += self._numbered(f"response.{name}.done", {**at, _TEXT[kind]: item[_TEXT[kind]]})
        for i, part in enumerate(parts if kind == "message" else []):
            made += self._part_events({**at, "content_index": i}, part)
        return made + self._numbered(
            "response.output_item.done", {"output_index": index, "item": item}
        )

    def _part_events(self, at: Body, part: Body) -> bytes:
        text, hollow = part.get("text"), {**part, "text": ""}
        if not isinstance(text, str):
            return b""
        made = self._numbered("response.content_part.added", {**at, "part": hollow})
        made += self._numbered("response.output_text.delta", {**at, "delta": text})
        made += self._numbered("response.output_text.done", {**at, "text": text})
        return made + self._numbered("response.content_part.done", {**at, "part": part})

    def _numbered(self, kind: str, fields: Body) -> bytes:
        body = {"type": kind, **fields, "sequence_number": self._number}
        self._number += 1
        return event_bytes(encoded(body), kind)
