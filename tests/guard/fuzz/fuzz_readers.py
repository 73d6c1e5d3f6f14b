"""The calls an agent may read in bytes, by every reading known: each of them may be run.

Readers differ. Some take the first of two equal keys and some the last; some end a line at U+2028;
some believe the pieces of a stream, some its end. A call in any reading counts.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any  # plain JSON values

__all__ = ["Found", "chat_calls", "chat_stream", "message_calls", "message_stream", "readings",
           "response_calls", "response_stream"]  # fmt: skip

Found = tuple[str, Any]
"""A call's name and its arguments: an object, or what stands there instead."""
PASSIVE_ITEMS = (
    "message", "reasoning", "compaction", "web_search_call", "file_search_call",
    "code_interpreter_call", "image_generation_call", "mcp_call", "mcp_list_tools",
)  # fmt: skip
PASSIVE_BLOCKS = ("text", "thinking", "redacted_thinking", "server_tool_use", "mcp_tool_use")


def readings(text: bytes | str) -> list[Any]:
    """What lenient JSON readers make of a text; nothing where none can read it."""
    found: list[Any] = []
    with contextlib.suppress(ValueError, RecursionError):
        found.append(json.loads(text))
        first = json.loads(text, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
        found += [first] if first != found[0] else []
    return found


def chat_calls(body: Any) -> Iterator[Found]:
    for choice in _dicts(_get(body, "choices")):
        for message in (choice.get("message"), choice.get("delta")):
            for call in _dicts(_get(message, "tool_calls")):
                yield from _function(call)
            if _get(message, "function_call") is not None:
                yield from _function({"function": _get(message, "function_call")})


def message_calls(body: Any) -> Iterator[Found]:
    for block in _dicts(_get(body, "content")):
        kind = block.get("type")
        if kind == "tool_use":
            yield str(block.get("name")), block.get("input")
        elif kind not in PASSIVE_BLOCKS and not str(kind).endswith("tool_result"):
            yield str(kind), block


def response_calls(body: Any) -> Iterator[Found]:
    for item in _dicts(_get(body, "output")):
        kind = item.get("type")
        if kind == "function_call":
            yield from _written(str(item.get("name")), item.get("arguments"))
        elif kind == "custom_tool_call":
            yield str(item.get("name")), {"input": item.get("input")}
        elif kind not in PASSIVE_ITEMS:
            yield str(kind), item


def chat_stream(stream: bytes) -> Iterator[Found]:
    for events in _events(stream):
        calls: dict[tuple[Any, Any], dict[str, str]] = {}
        for choice in (one for event in events for one in _dicts(_get(event, "choices"))):
            delta = choice.get("delta")
            pieces = _dicts(_get(delta, "tool_calls"))
            if isinstance(old := _get(delta, "function_call"), dict):
                pieces = [*pieces, {"index": "old", "function": old}]
            for piece in pieces:
                kept = calls.setdefault((choice.get("index"), piece.get("index")), {})
                inner = piece.get(str(piece.get("type"))) or piece.get("function")
                inner = inner or piece.get("custom")
                for name, part in inner.items() if isinstance(inner, dict) else ():
                    kept[name] = kept.get(name, "") + part if isinstance(part, str) else part
        for call in calls.values():
            yield from _function({"function": call})


def message_stream(stream: bytes) -> Iterator[Found]:
    for events in _events(stream):
        blocks: dict[Any, dict[str, Any]] = {}
        for event in events:
            yield from message_calls(_get(event, "message"))
            index, delta = _get(event, "index"), _get(event, "delta")
            block = _get(event, "content_block")
            if isinstance(block, dict) and event.get("type") == "content_block_start":
                blocks[str(index)] = {**block, "pieces": ""}
            if isinstance(part := _get(delta, "partial_json"), str) and str(index) in blocks:
                blocks[str(index)]["pieces"] += part
        for block in blocks.values():
            pieces = block.pop("pieces")
            if block.get("input") or not pieces:
                yield from message_calls({"content": [block]})
            if pieces and block.get("type") == "tool_use":
                yield from _written(str(block.get("name")), pieces)


def response_stream(stream: bytes) -> Iterator[Found]:
    for events in _events(stream):
        names: dict[str, str] = {}
        pieces: dict[str, str] = {}
        for event in events:
            yield from response_calls(_get(event, "response"))
            kind, at = str(_get(event, "type")), str(_get(event, "output_index"))
            item = _get(event, "item")
            if kind == "response.output_item.added" and _get(item, "name"):
                names[at] = str(item.get("name"))
            if kind == "response.output_item.done":
                yield from response_calls({"output": [item]})
            if kind == "response.function_call_arguments.delta":
                pieces[at] = pieces.get(at, "") + str(event.get("delta"))
            if kind == "response.function_call_arguments.done" and at in names:
                text = event.get("arguments")
                yield from _written(names[at], text) if isinstance(text, str) else ()
        for at, text in pieces.items():
            if at in names:
                yield from _written(names[at], text)


def _function(call: dict[str, Any]) -> Iterator[Found]:
    for kind in {str(call.get("type")), "function", "custom"}:
        inner = call.get(kind)
        if isinstance(inner, dict) and isinstance(inner.get("name"), str):
            if "input" in inner:
                yield inner["name"], {"input": inner["input"]}
            else:
                yield from _written(inner["name"], inner.get("arguments"))


def _written(name: str, text: Any) -> Iterator[Found]:
    if not isinstance(text, str | bytes):
        yield name, text
        return
    for value in readings(text) if text.strip() else [{}]:
        yield name, value


def _events(stream: bytes) -> Iterator[list[Any]]:
    """The events' JSON, as the standard cuts lines, as `str.splitlines` does, as one reads who
    strips each line, who takes each line of data for itself, who looks for a colon or `data:`
    anywhere, and who cuts off each line's beginning, whatever it is."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    stripped = [line.strip() for line in text.splitlines()]
    texts = [[*_datas(cut)] for cut in (lines, text.splitlines(), stripped)]
    texts.append([line[5:] for line in stripped if line.startswith("data:")])
    texts.append([line.partition(":")[2] for line in stripped] + text.split("data:"))
    begun = re.compile("[dat: ]*")
    texts.append([line[6:] for line in stripped] + [begun.sub("", line, 1) for line in stripped])
    before: list[Any] | None = None
    for one in texts:
        found = [value for data in one for value in readings(data)]
        if found != before:
            yield found
        before = found


def _datas(lines: list[str]) -> Iterator[str]:
    data: list[str] = []
    for line in [*lines, ""]:
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif line == "data":
            data.append("")
        elif not line and data:
            yield "\n".join(data)
            data = []


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _dicts(value: Any) -> list[dict[str, Any]]:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [one for one in items if isinstance(one, dict)]
