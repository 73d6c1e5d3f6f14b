"""A scripted model provider on 127.0.0.1: OpenAI's two formats and Anthropic's, whole and streamed.

It plays its turns in order, whatever it is asked, and keeps what it was asked and with which key.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CREATED = 1_700_000_000


@dataclass(frozen=True)
class Turn:
    """What the model says and proposes; `calls` are (tool, arguments)."""

    text: str = ""
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    number: int = field(default_factory=itertools.count(1).__next__)
    """In every id of the answer: a provider gives none twice."""


@dataclass(frozen=True)
class Asked:
    path: str
    body: dict[str, Any]
    key: str


class Provider(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.turns: list[Turn] = []
        self.asked: list[Asked] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is none of this server's business."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def plays(self, *turns: Turn) -> None:
        self.turns, self.asked = list(turns), []


@contextlib.contextmanager
def provider() -> Iterator[Provider]:
    with Provider() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@contextlib.contextmanager
def kept_port() -> Iterator[int]:
    """A free port that nobody else is given meanwhile: only who asks for it by number gets it."""
    with socket.socket() as place:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind(("127.0.0.1", 0))
        yield place.getsockname()[1]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Provider

    def do_POST(self) -> None:  # the library's name
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = self.headers.get("x-api-key") or self.headers.get("Authorization", "")
        self.server.asked.append(Asked(self.path, body, key))
        turn = self.server.turns.pop(0)
        whole, events = FORMATS[self.path.partition("?")[0]]
        if body.get("stream"):
            data = b"".join(events(turn, body))
            self._answer(data, "text/event-stream")
        else:
            self._answer(json.dumps(whole(turn)).encode(), "application/json")

    def _answer(self, data: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        for start in range(0, len(data), 100):  # events torn anywhere
            self.wfile.write(data[start : start + 100])
            self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _event(data: Any, name: str = "") -> bytes:
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()


def _parts(text: str, size: int = 5) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


# --- chat completions -----------------------------------------------------------------------------

_USED = {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11}


def _tool_call(turn: Turn, i: int, name: str, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"id": f"call_{turn.number}_{i}", "type": "function", "function": function}


def chat(turn: Turn) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": turn.text or None, "refusal": None}
    if turn.calls:
        message["tool_calls"] = [
            _tool_call(turn, i, name, json.dumps(given))
            for i, (name, given) in enumerate(turn.calls)
        ]
    finish = "tool_calls" if turn.calls else "stop"
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    return {"id": f"chatcmpl-{turn.number}", "object": "chat.completion", "created": CREATED,
            "model": "scripted", "choices": [choice], "usage": _USED}  # fmt: skip


def chat_events(turn: Turn, asked: dict[str, Any]) -> Iterator[bytes]:
    head = {"id": f"chatcmpl-{turn.number}", "object": "chat.completion.chunk", "created": CREATED,
            "model": "scripted"}  # fmt: skip

    def chunk(delta: Any, finish: str | None = None) -> bytes:
        return _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    yield chunk({"role": "assistant", "content": ""})
    yield from (chunk({"content": part}) for part in _parts(turn.text))
    for i, (name, given) in enumerate(turn.calls):
        yield chunk({"tool_calls": [{"index": i, **_tool_call(turn, i, name, "")}]})
        for part in _parts(json.dumps(given)):
            yield chunk({"tool_calls": [{"index": i, "function": {"arguments": part}}]})
    yield chunk({}, "tool_calls" if turn.calls else "stop")
    if (asked.get("stream_options") or {}).get("include_usage"):
        yield _event({**head, "choices": [], "usage": _USED})
    yield _event("[DONE]")


# --- responses ------------------------------------------------------------------------------------


def _items(turn: Turn) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if turn.text:
        part = {"type": "output_text", "text": turn.text, "annotations": [], "logprobs": []}
        items.append({"id": f"msg_{turn.number}", "type": "message", "role": "assistant",
                      "status": "completed", "content": [part]})  # fmt: skip
    items += [
        {"id": f"fc_{turn.number}_{i}", "type": "function_call", "status": "completed",
         "call_id": f"call_{turn.number}_{i}", "name": name, "arguments": json.dumps(given)}
        for i, (name, given) in enumerate(turn.calls)
    ]  # fmt: skip
    return items


def response(turn: Turn) -> dict[str, Any]:
    details = {"cached_tokens": 0}
    usage = {"input_tokens": 5, "input_tokens_details": details, "output_tokens": 6,
             "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 11}  # fmt: skip
    return {"id": f"resp_{turn.number}", "object": "response", "created_at": CREATED,
            "status": "completed", "model": "scripted", "output": _items(turn),
            "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None,
            "incomplete_details": None, "instructions": None, "metadata": {},
            "usage": usage}  # fmt: skip


def response_events(turn: Turn, asked: dict[str, Any]) -> Iterator[bytes]:
    whole, number = response(turn), -1

    def told(kind: str, **fields: Any) -> bytes:
        nonlocal number
        number += 1
        return _event({"type": kind, "sequence_number": number, **fields}, kind)

    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    yield told("response.created", response=begun)
    yield told("response.in_progress", response=begun)
    for place, item in enumerate(whole["output"]):
        at = {"output_index": place, "item_id": item["id"]}
        empty = {"content": []} if item["type"] == "message" else {"arguments": ""}
        added = {**item, "status": "in_progress", **empty}
        yield told("response.output_item.added", output_index=place, item=added)
        if item["type"] == "message":
            part, at = item["content"][0], {**at, "content_index": 0}
            yield told("response.content_part.added", part={**part, "text": ""}, **at)
            for text in _parts(part["text"]):
                yield told("response.output_text.delta", delta=text, logprobs=[], **at)
            yield told("response.output_text.done", text=part["text"], logprobs=[], **at)
            yield told("response.content_part.done", part=part, **at)
        else:
            name, given = item["name"], item["arguments"]
            for text in _parts(given):
                yield told("response.function_call_arguments.delta", delta=text, **at)
            yield told("response.function_call_arguments.done", name=name, arguments=given, **at)
        yield told("response.output_item.done", output_index=place, item=item)
    yield told("response.completed", response=whole)


# --- messages -------------------------------------------------------------------------------------


def _blocks(turn: Turn) -> list[dict[str, Any]]:
    text = [{"type": "text", "text": turn.text, "citations": None}] if turn.text else []
    return text + [
        {"type": "tool_use", "id": f"toolu_{turn.number}_{i}", "name": name, "input": given}
        for i, (name, given) in enumerate(turn.calls)
    ]


def message(turn: Turn) -> dict[str, Any]:
    return {"id": f"msg_{turn.number}", "type": "message", "role": "assistant", "model": "scripted",
            "content": _blocks(turn), "stop_reason": "tool_use" if turn.calls else "end_turn",
            "stop_sequence": None, "usage": {"input_tokens": 5, "output_tokens": 6}}  # fmt: skip


def message_events(turn: Turn, asked: dict[str, Any]) -> Iterator[bytes]:
    whole = message(turn)

    def told(kind: str, **fields: Any) -> bytes:
        return _event({"type": kind, **fields}, kind)

    begun = {**whole, "content": [], "stop_reason": None}
    yield told("message_start", message=begun)
    yield told("ping")
    for index, block in enumerate(whole["content"]):
        is_text = block["type"] == "text"
        start = {**block, "text": ""} if is_text else {**block, "input": {}}
        yield told("content_block_start", index=index, content_block=start)
        for part in _parts(block["text"] if is_text else json.dumps(block["input"])):
            delta = {"type": "text_delta", "text": part} if is_text else {
                "type": "input_json_delta", "partial_json": part}  # fmt: skip
            yield told("content_block_delta", index=index, delta=delta)
        yield told("content_block_stop", index=index)
    end = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield told("message_delta", delta=end, usage={"output_tokens": 6})
    yield told("message_stop")


FORMATS: dict[str, Any] = {
    "/v1/chat/completions": (chat, chat_events),
    "/v1/responses": (response, response_events),
    "/v1/messages": (message, message_events),
}
