"""The shapes of OpenAI's chat completions, whole and streamed.

A streamed call is not marked as whole: it is when its choice has a finish reason, so all calls of
a choice are held back together.
"""

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
from offswitch.guard.proxy.sse import Event, event_bytes
from offswitch.guard.proxy.strict_json import AmbiguousError, encoded, strict_object

__all__ = ["CHAT", "Chat"]

_LEGACY = -1
"""Place of a call in the older field `function_call`, which holds one."""
_OWN_TOOLS = ("function", "custom")
MOST_CHOICES = 128


@final
class Chat:
    """`Format` of POST /v1/chat/completions."""

    turns: str = "messages"

    def prompt(self, request: Body) -> list[Any]:
        """Texts of all system and developer messages."""
        return [
            text_parts(message.get("content"))
            for message in dicts(request.get("messages"))
            if message.get("role") in ("system", "developer")
        ]

    def tools(self, request: Body) -> list[Any]:
        """`tools`, and the older `functions`."""
        return [*listed(request.get("tools")), *listed(request.get("functions"))]

    def hosted(self, request: Body) -> list[Call]:
        """Tools that the provider runs: a web search, in this format."""
        found = [
            hosted_call(tool.get("type"), tool)
            for tool in dicts(request.get("tools"))
            if tool.get("type") not in _OWN_TOOLS
        ]
        if request.get("web_search_options") is not None:
            found.append(hosted_call("web_search"))
        return found

    def calls(self, body: Body) -> list[Call]:
        """Every `tool_calls` entry and `function_call` of every choice."""
        found: list[Call] = []
        for place, message in enumerate(_messages(body)):
            calls = object_list(message.get("tool_calls"), "a message with tool calls")
            found += [_call((place, i), call) for i, call in enumerate(calls)]
            if message.get("function_call") is not None:
                found.append(_call((place, _LEGACY), {"function": message["function_call"]}))
        return found

    def rewritten(self, body: Body, decisions: Decisions) -> Body:
        """Refusals end the message's text; without a call left it was finished by itself."""
        choices = [
            _choice(place, choice, decisions)
            for place, choice in enumerate(dicts(body.get("choices")))
        ]
        return {**body, "choices": choices}

    def again(self, request: Body, body: Body, decisions: Decisions) -> Body:
        """The first choice's message, and a tool message per call of it."""
        message = {"role": "assistant", **_messages(body)[0]}
        answers = [
            {"role": "tool", "tool_call_id": call.get("id", ""), "content": _said(i, decisions)}
            for i, call in enumerate(dicts(message.get("tool_calls")))
        ]
        if message.get("function_call") is not None:
            name = field(message["function_call"], "name")
            answers += [{"role": "function", "name": name, "content": _said(_LEGACY, decisions)}]
        messages = [*listed(request.get("messages")), message, *answers]
        asked = {name: value for name, value in request.items() if name != "stream_options"}
        return {**asked, "messages": messages, "stream": False}

    def metered(self, request: Body) -> Body:
        """A stream says its usage only where `stream_options.include_usage` asks for it."""
        if not request.get("stream"):
            return request
        options = request.get("stream_options")
        options = options if isinstance(options, dict) else {}
        return {**request, "stream_options": {**options, "include_usage": True}}

    def tokens(self, body: Body) -> int | None:
        """`usage.total_tokens`."""
        total = field(body.get("usage"), "total_tokens")
        return total if isinstance(total, int) else None

    def reader(self) -> Reader:
        """A reader of `chat.completion.chunk` events."""
        return _Chunks()


CHAT = Chat()


def _messages(body: Body) -> list[Body]:
    choices = body.get("choices")
    if not isinstance(choices, list) or not all(isinstance(one, dict) for one in choices):
        raise MalformedError("a chat completion without a list of choices")
    messages = [choice.get("message") for choice in choices]
    if not all(isinstance(message, dict) for message in messages):
        raise MalformedError("a choice without a message")
    return [message for message in messages if isinstance(message, dict)]


def _call(spot: tuple[int, int], call: object) -> Call:
    kind = field(call, "type") or "function"
    inner = field(call, kind) if isinstance(kind, str) else None
    name = field(inner, "name")
    if not isinstance(inner, dict) or not isinstance(name, str) or not name:
        raise MalformedError(f"a tool call without a name, of type {kind!r:.40}")
    others = set(_OWN_TOOLS) - {kind}
    if ("input" in inner and "arguments" in inner) or any(field(call, one) for one in others):
        raise MalformedError("a tool call of two kinds, which may be read as either")
    if "input" in inner:
        arguments, problem = {"input": inner["input"]}, ""
    else:
        arguments, problem = read_arguments(inner.get("arguments"))
    return Call(spot, Act(kind="tool", tool=name, arguments=arguments), problem)


def _said(i: int, decisions: Decisions) -> str:
    verdict = decisions[0, i]
    return refusal("this tool", verdict)


def _choice(place: int, choice: Body, decisions: Decisions) -> Body:
    message = dict(choice.get("message") or {})
    kept: list[Any] = []
    refused: list[str] = []
    for i, call in enumerate(listed(message.pop("tool_calls", None))):
        _sort(call, decisions[place, i], kept, refused)
    legacy: list[Any] = []
    if message.get("function_call") is not None:
        wrapped = {"function": message.pop("function_call")}
        _sort(wrapped, decisions[place, _LEGACY], legacy, refused)
    if refused:
        said = message.get("content")
        message["content"] = "\n\n".join([*([said] if isinstance(said, str) else []), *refused])
        message["content"] = message["content"].lstrip("\n")
    if kept:
        message["tool_calls"] = kept
    if legacy:
        message["function_call"] = legacy[0]["function"]
    finish = choice.get("finish_reason")
    ended = "stop" if refused and not kept and not legacy else finish
    return {**choice, "message": message, "finish_reason": ended}


def _sort(call: Any, verdict: Verdict, kept: list[Any], refused: list[str]) -> None:
    kind = call.get("type") or "function"
    if verdict.word == "approve":
        kept.append(call)
    elif (
        verdict.word == "modify" and verdict.instead is not None
        and ("input" not in call[kind] or is_free_text(verdict.instead))
    ):  # fmt: skip
        kept.append({**call, kind: _instead(call[kind], verdict.instead)})
    else:
        refused.append(refusal(call[kind]["name"], verdict))


def _instead(inner: Body, act: Act) -> Body:
    if "input" in inner:
        return {**inner, "name": act.tool, "input": act.arguments.get("input")}
    return {**inner, "name": act.tool, "arguments": encoded(act.arguments).decode()}


@final
class _Chunks:
    """`Reader` of one streamed chat completion."""

    def __init__(self) -> None:
        self.open = self.ended = self._done = False
        self._head: Body = {}
        self._usage: Body | None = None
        self._texts: dict[int, str] = {}
        self._calls: dict[int, dict[int, Body]] = {}
        self._numbered: dict[int, bool] = {}  # by choice; the choices themselves under _LEGACY
        self._finish: dict[int, str] = {}
        self._judged: set[tuple[int, int]] = set()
        self._sent_text: dict[int, int] = {}
        self._sent_calls: dict[int, int] = {}

    def take(self, event: Event) -> Sequence[Call]:
        """See `Reader`."""
        if not event.data:
            return ()
        if event.data == b"[DONE]":
            self._done = True
            return self._completed()
        try:
            chunk = strict_object(event.data)
        except AmbiguousError as problem:
            raise MalformedError(f"an event that {problem}") from problem
        self._usage = chunk.get("usage") or self._usage
        self._head = self._head or {
            name: value for name, value in chunk.items() if name not in ("choices", "usage")
        }
        for choice in object_list(chunk.get("choices"), "a chunk with choices"):
            self._add(choice)
        if not self._calls:
            return ()
        waiting = {place for place, i in self._unjudged() if place not in self._finish}
        self.open = bool(waiting)
        return () if waiting else self._completed()

    def sent(self) -> None:
        """See `Reader`."""
        self._sent_text = {place: len(text) for place, text in self._texts.items()}
        self._sent_calls = {place: len(calls) for place, calls in self._calls.items()}

    def whole(self) -> Body:
        """See `Reader`."""
        places = range(1 + max(self._texts, default=-1))
        choices = [
            {
                "index": place,
                "message": self._message(place),
                "finish_reason": self._finish.get(place),
            }
            for place in places
        ]
        return {**self._head, "object": "chat.completion", "choices": choices,
                "usage": self._usage}  # fmt: skip

    def tail(self, body: Body, *, fresh: bool) -> bytes:
        """See `Reader`."""
        made = b""
        for place, choice in enumerate(dicts(body.get("choices"))):
            message = choice["message"]
            text, calls = message.get("content") or "", listed(message.get("tool_calls"))
            if not fresh:
                text = text[self._sent_text.get(place, 0) :]
                calls = calls[self._sent_calls.get(place, 0) :]
            index = choice.get("index", place)
            before = self._sent_calls.get(place, 0)
            numbered = [{**call, "index": before + i} for i, call in enumerate(calls)]
            deltas: list[Body] = [{"content": text}] if text else []
            deltas += [{"tool_calls": [call]} for call in numbered]
            if "function_call" in message:
                deltas.append({"function_call": message["function_call"]})
            made += b"".join(self._chunk(index, delta, None) for delta in deltas)
            made += self._chunk(index, {}, choice.get("finish_reason") or "stop")
        return made + (event_bytes(b"[DONE]") if self._done else b"")

    def _chunk(self, index: int, delta: Body, finish: str | None) -> bytes:
        choice = {"index": index, "delta": delta, "finish_reason": finish}
        return event_bytes(encoded({**self._head, "choices": [choice]}))

    def _add(self, choice: Body) -> None:
        self._number(_LEGACY, choice)
        place, delta = choice.get("index", 0), choice.get("delta") or {}
        if not isinstance(place, int) or not 0 <= place < MOST_CHOICES:
            raise MalformedError(f"a choice numbered {place!r:.20}")
        if not isinstance(delta, dict):
            raise MalformedError("a choice whose delta is no object")
        self._texts.setdefault(place, "")
        if isinstance(delta.get("content"), str):
            self._texts[place] += delta["content"]
        for call in object_list(delta.get("tool_calls"), "a chunk with tool calls"):
            self._number(place, call)
            self._grow(place, call.get("index", 0), call)
        if delta.get("function_call") is not None:
            self._grow(place, _LEGACY, {"type": "function", "function": delta["function_call"]})
        if choice.get("finish_reason"):
            self._finish[place] = choice["finish_reason"]

    def _number(self, place: int, piece: Body) -> None:
        """Some providers number nothing; what is numbered at times would be two to some readers."""
        if self._numbered.setdefault(place, "index" in piece) != ("index" in piece):
            raise MalformedError("choices or tool calls of which only some are numbered")

    def _grow(self, place: int, i: int, piece: Body) -> None:
        calls = self._calls.setdefault(place, {})
        if not isinstance(i, int) or (i != _LEGACY and not 0 <= i <= len(calls)):
            raise MalformedError(f"a tool call numbered {i!r:.20} after {len(calls)} calls")
        if (place, i) in self._judged:
            raise MalformedError("a tool call that goes on after it was whole")
        call = calls.setdefault(i, {})
        for name, value in piece.items():
            if isinstance(value, dict) and name != "index":
                inner = call.setdefault(name, {})
                if not isinstance(inner, dict):
                    raise MalformedError("a tool call whose pieces do not fit together")
                for key, part in value.items():
                    _grow_part(inner, key, part)
            elif value is not None and name != "index":
                call[name] = value

    def _message(self, place: int) -> Body:
        calls = self._calls.get(place, {})
        message: Body = {"role": "assistant", "content": self._texts.get(place) or None}
        if listing := [calls[i] for i in sorted(calls) if i != _LEGACY]:
            message["tool_calls"] = listing
        if _LEGACY in calls:
            message["function_call"] = calls[_LEGACY]["function"]
        return message

    def _unjudged(self) -> list[tuple[int, int]]:
        every = [(place, i) for place, calls in self._calls.items() for i in calls]
        return [spot for spot in sorted(every) if spot not in self._judged]

    def _completed(self) -> list[Call]:
        self.open = False
        fresh = self._unjudged()
        self._judged.update(fresh)
        self.ended = self.ended or bool(fresh)
        return [_call(spot, self._calls[spot[0]][spot[1]]) for spot in fresh]


def _grow_part(inner: Body, key: str, part: Any) -> None:  # Any: a plain JSON value
    """Arguments come in pieces; a name comes once, whatever a reader does with a second."""
    if key in ("arguments", "input") and isinstance(part, str):
        if not isinstance(before := inner.get(key, ""), str):
            raise MalformedError("arguments whose pieces do not fit together")
        inner[key] = before + part
    elif key == "name" and inner.get(key) and part not in ("", None, inner[key]):
        raise MalformedError("a tool call with two names")
    elif part is not None and not (key == "name" and part == ""):
        inner[key] = part
