"""Answers as the providers send them, whole and streamed, with any calls in them."""

from __future__ import annotations

import json
from typing import Any

Calls = tuple[tuple[str, Any], ...]


def args(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def event(data: Any, name: str = "") -> bytes:
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()


# --- chat completions -----------------------------------------------------------------------------


def chat(text: str | None, *calls: tuple[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
    if calls:
        message["tool_calls"] = [
            {"id": f"call_{i}", "type": "function", "function": {"name": n, "arguments": args(a)}}
            for i, (n, a) in enumerate(calls)
        ]
    finish = "tool_calls" if calls else "stop"
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    usage = {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11}
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [choice], "usage": usage}  # fmt: skip


def chat_events(text: str, *calls: tuple[str, Any]) -> list[bytes]:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}

    def chunk(delta: Any, finish: str | None = None) -> bytes:
        return event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    made = [chunk({"role": "assistant", "content": ""})]
    made += [chunk({"content": part}) for part in text.split("|") if part]
    for i, (name, given) in enumerate(calls):
        function = {"name": name, "arguments": ""}
        first = {"index": i, "id": f"call_{i}", "type": "function", "function": function}
        made.append(chunk({"tool_calls": [first]}))
        text_of = args(given)
        for part in (text_of[: len(text_of) // 2], text_of[len(text_of) // 2 :]):
            made.append(chunk({"tool_calls": [{"index": i, "function": {"arguments": part}}]}))
    made.append(chunk({}, "tool_calls" if calls else "stop"))
    return [*made, event("[DONE]")]


def chat_read(stream: bytes) -> tuple[str, list[tuple[str, Any]], str | None]:
    """Text, calls and finish reason, as an agent puts a stream together."""
    text, calls, finish = "", {}, None
    for data in datas(stream):
        if data == "[DONE]":
            continue
        for choice in json.loads(data)["choices"]:
            delta = choice["delta"]
            text += delta.get("content") or ""
            for call in delta.get("tool_calls") or []:
                kept = calls.setdefault(call["index"], ["", ""])
                kept[0] += call["function"].get("name") or ""
                kept[1] += call["function"].get("arguments") or ""
            finish = choice["finish_reason"] or finish
    return text, [(n, json.loads(a or "{}")) for n, a in calls.values()], finish


# --- messages -------------------------------------------------------------------------------------


def message(text: str | None, *calls: tuple[str, Any]) -> dict[str, Any]:
    content: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
    content += [
        {"type": "tool_use", "id": f"toolu_{i}", "name": name, "input": given}
        for i, (name, given) in enumerate(calls)
    ]
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
            "content": content, "stop_reason": "tool_use" if calls else "end_turn",
            "stop_sequence": None, "usage": {"input_tokens": 5, "output_tokens": 6}}  # fmt: skip


def message_events(text: str, *calls: tuple[str, Any]) -> list[bytes]:
    def named(kind: str, **fields: Any) -> bytes:
        return event({"type": kind, **fields}, kind)

    start = {**message(None), "stop_reason": None, "usage": {"input_tokens": 5, "output_tokens": 1}}
    made = [named("message_start", message=start), named("ping")]
    made.append(named("content_block_start", index=0, content_block={"type": "text", "text": ""}))
    for part in text.split("|"):
        delta = {"type": "text_delta", "text": part}
        made.append(named("content_block_delta", index=0, delta=delta))
    made.append(named("content_block_stop", index=0))
    for i, (name, given) in enumerate(calls, start=1):
        block = {"type": "tool_use", "id": f"toolu_{i}", "name": name, "input": {}}
        made.append(named("content_block_start", index=i, content_block=block))
        whole = args(given)
        for part in ("", whole[: len(whole) // 2], whole[len(whole) // 2 :]):
            delta = {"type": "input_json_delta", "partial_json": part}
            made.append(named("content_block_delta", index=i, delta=delta))
        made.append(named("content_block_stop", index=i))
    delta = {"stop_reason": "tool_use" if calls else "end_turn", "stop_sequence": None}
    made.append(named("message_delta", delta=delta, usage={"output_tokens": 9}))
    return [*made, named("message_stop")]


def message_read(stream: bytes) -> tuple[str, list[tuple[str, Any]], str | None]:
    """As an agent puts a stream together; block indices must be in order."""
    blocks: list[dict[str, Any]] = []
    stop = None
    for data in datas(stream):
        fields = json.loads(data)
        match fields["type"]:
            case "content_block_start":
                assert fields["index"] == len(blocks)
                blocks.append({**fields["content_block"], "json": ""})
            case "content_block_delta":
                delta = fields["delta"]
                block = blocks[fields["index"]]
                block["json"] += delta.get("partial_json", "")
                if "text" in delta:
                    block["text"] += delta["text"]
            case "message_delta":
                stop = fields["delta"]["stop_reason"]
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    uses = [block for block in blocks if block["type"] == "tool_use"]
    return text, [(block["name"], json.loads(block["json"] or "{}")) for block in uses], stop


# --- responses ------------------------------------------------------------------------------------


def _items(text: str | None, calls: tuple[tuple[str, Any], ...]) -> list[dict[str, Any]]:
    part = {"type": "output_text", "text": text, "annotations": []}
    made: list[dict[str, Any]] = (
        [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
          "content": [part]}] if text else []
    )  # fmt: skip
    return made + [
        {"type": "function_call", "id": f"fc_{i}", "call_id": f"call_{i}", "name": name,
         "arguments": args(given), "status": "completed"}
        for i, (name, given) in enumerate(calls)
    ]  # fmt: skip


def response(text: str | None, *calls: tuple[str, Any]) -> dict[str, Any]:
    return {"id": "resp_1", "object": "response", "status": "completed", "model": "m",
            "output": _items(text, calls), "usage": {"total_tokens": 11}}  # fmt: skip


def response_events(text: str, *calls: tuple[str, Any]) -> list[bytes]:
    number = iter(range(1000))
    made: list[bytes] = []

    def add(kind: str, **fields: Any) -> None:
        made.append(event({"type": kind, "sequence_number": next(number), **fields}, kind))

    whole = response(text.replace("|", ""), *calls)
    add("response.created", response={**whole, "status": "in_progress", "output": []})
    for i, item in enumerate(whole["output"]):
        at = {"output_index": i, "item_id": item["id"]}
        if item["type"] == "message":
            add("response.output_item.added", output_index=i, item={**item, "content": []})
            part = {"type": "output_text", "text": "", "annotations": []}
            add("response.content_part.added", **at, content_index=0, part=part)
            for piece in text.split("|"):
                add("response.output_text.delta", **at, content_index=0, delta=piece)
            add("response.output_text.done", **at, content_index=0, text=text.replace("|", ""))
        else:
            given = item["arguments"]
            add("response.output_item.added", output_index=i, item={**item, "arguments": ""})
            for piece in (given[: len(given) // 2], given[len(given) // 2 :]):
                add("response.function_call_arguments.delta", **at, delta=piece)
            add("response.function_call_arguments.done", **at, arguments=given)
        add("response.output_item.done", output_index=i, item=item)
    add("response.completed", response=whole)
    return made


def response_read(stream: bytes) -> tuple[str, list[tuple[str, Any]], str | None]:
    """As an agent reads it, by its items; pieces, items and the end must say the same."""
    items: list[dict[str, Any]] = []
    pieces, stop, numbers, text = {}, None, [], ""
    for data in datas(stream):
        fields = json.loads(data)
        numbers.append(fields["sequence_number"])
        match fields["type"]:
            case "response.output_item.added":
                assert fields["output_index"] == len(items)
                items.append(fields["item"])
            case "response.function_call_arguments.delta":
                at = fields["output_index"]
                pieces[at] = pieces.get(at, "") + fields["delta"]
            case "response.output_text.delta":
                text += fields["delta"]
            case "response.output_item.done":
                at = fields["output_index"]
                items[at] = fields["item"]
                assert items[at].get("arguments", "") == pieces.get(at, "")
            case "response.completed":
                stop = "completed"
                assert fields["response"]["output"] == items
    assert numbers == sorted(set(numbers))
    uses = [item for item in items if item["type"] == "function_call"]
    return text, [(item["name"], json.loads(item["arguments"])) for item in uses], stop


def datas(stream: bytes) -> list[str]:
    blocks = stream.decode().replace("\r\n", "\n").split("\n\n")
    lines = [line for block in blocks for line in block.split("\n")]
    return [line[5:].lstrip() for line in lines if line.startswith("data:")]
