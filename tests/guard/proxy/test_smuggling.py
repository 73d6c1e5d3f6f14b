"""Streams that say one thing where they are judged and another where an agent may read."""

from __future__ import annotations

import json
from collections.abc import Callable

import aiohttp
import pytest
import shapes_of
from proxied import run, world

FINE, BAD = ("read_file", {"path": "a"}), ("shell", {"command": "rm -rf /"})
CHAT, RESPONSES, MESSAGES = (
    "/openai/v1/chat/completions", "/openai/v1/responses", "/anthropic/v1/messages",
)  # fmt: skip


def changed(events: list[bytes], holds: str, change: Callable[[dict], None]) -> list[bytes]:  # type: ignore[type-arg]
    """The events, the first whose data holds a text changed."""
    at = next(i for i, one in enumerate(events) if holds.encode() in one)
    fields = json.loads(shapes_of.datas(events[at])[0])
    change(fields)
    name = fields.get("type", "")
    return [*events[:at], shapes_of.event(fields, name), *events[at + 1 :]]


def chat(holds: str, change: Callable[[dict], None]) -> list[bytes]:  # type: ignore[type-arg]
    return changed(shapes_of.chat_events("x", FINE), holds, change)


def responses(holds: str, change: Callable[[dict], None]) -> list[bytes]:  # type: ignore[type-arg]
    return changed(shapes_of.response_events("x", FINE), holds, change)


def messages(holds: str, change: Callable[[dict], None]) -> list[bytes]:  # type: ignore[type-arg]
    return changed(shapes_of.message_events("x", FINE), holds, change)


BAD_TEXT = '{"command": "rm -rf /"}'
BAD_CALL = {"index": 0, "id": "c", "type": "function",
            "function": {"name": "shell", "arguments": BAD_TEXT}}  # fmt: skip
BAD_ITEM = shapes_of.response(None, BAD)["output"][0]


def delta(fields: dict) -> dict:  # type: ignore[type-arg]
    found: dict = fields["choices"][0]["delta"]  # type: ignore[type-arg]
    return found


PING = {"type": "ping", "content_block": shapes_of.message(None, BAD)["content"][0]}
FREE = {"type": "response.in_progress", "item": BAD_ITEM}
STREAMS = {
    "a block under an event's name": (
        MESSAGES, [shapes_of.event(PING, "content_block_start")],
    ),
    "a block under the last event's name": (
        MESSAGES, [*messages("x", lambda f: None)[:2], shapes_of.event(PING)],
    ),
    "an item under an event's name": (
        RESPONSES, [shapes_of.event(FREE, "response.output_item.done")],
    ),
    "an item under one of two names": (
        RESPONSES, [b"event: response.output_item.done\n" + shapes_of.event(FREE, FREE["type"])],
    ),
    "calls that are no list": (
        CHAT, chat("read_file", lambda f: delta(f).update(tool_calls=BAD_CALL)),
    ),
    "a call after a gap": (
        CHAT, chat("read_file", lambda f: delta(f).update(tool_calls=[{**BAD_CALL, "index": 7}])),
    ),
    "choices that are no list": (
        CHAT, chat("read_file", lambda f: f.update(choices={"0": BAD_CALL})),
    ),
    "a name given twice": (
        CHAT, [*shapes_of.chat_events("x", FINE)[:4],
               *chat("read_file", lambda f: delta(f).update(tool_calls=[BAD_CALL]))[2:]],
    ),
    "a call that goes on when it was whole": (
        CHAT, [*shapes_of.chat_events("x", FINE)[:-1],
               *chat("read_file", lambda f: delta(f).update(tool_calls=[BAD_CALL]))[2:]],
    ),
    "an end with another call": (
        RESPONSES, responses(
            "response.completed", lambda f: f["response"]["output"].append(BAD_ITEM)),
    ),
    "a beginning with a call": (
        RESPONSES, responses("response.created", lambda f: f["response"].update(output=[BAD_ITEM])),
    ),
    "a text that ends as a call": (
        RESPONSES, responses('output_item.done", "sequence', lambda f: f.update(item=BAD_ITEM)),
    ),
    "pieces unlike the whole": (
        RESPONSES, responses("arguments.delta", lambda f: f.update(delta=BAD_TEXT)),
    ),
    "pieces of a text that are arguments": (
        RESPONSES, responses("output_text.delta", lambda f: f.update(
            type="response.function_call_arguments.delta", delta='"rm -rf"')),
    ),
    "arguments before the pieces": (
        MESSAGES, messages("tool_use", lambda f: f["content_block"].update(input=BAD[1])),
    ),
    "a message that starts with content": (
        MESSAGES, messages("message_start", lambda f: f["message"].update(
            content=shapes_of.message(None, BAD)["content"])),
    ),
    "arguments inside a text": (
        MESSAGES, messages("text_delta", lambda f: f.update(
            delta={"type": "input_json_delta", "partial_json": BAD_TEXT})),
    ),
    "data behind a byte order mark": (
        CHAT, ["\ufeff".encode() + one if n == 0 else one
               for n, one in enumerate(shapes_of.chat_events("x", BAD))],
    ),
    "a block out of order": (
        MESSAGES, messages("tool_use", lambda f: f.update(index=5)),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("path", "events"), STREAMS.values(), ids=STREAMS)
def test_a_stream_that_contradicts_itself_is_broken_off(path, events, monkeypatch):
    async def scenario() -> None:
        async with world(monkeypatch) as w:
            w.model.streams(*events)
            got = b""
            async with w.client.post(path, json={"model": "m"}) as answer:
                with pytest.raises(aiohttp.ClientError):
                    async for chunk in answer.content.iter_any():
                        got += chunk
            assert b"rm -rf" not in got
            assert w.proxy.gate.closed == ""

    run(scenario())
