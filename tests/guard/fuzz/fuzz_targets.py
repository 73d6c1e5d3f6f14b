"""What is fuzzed, and what must hold whatever the bytes: only declared errors, no way in.

A target is a function of bytes that returns nothing; it raises AssertionError where something was
let through that no rule allows, and anything else where the code itself breaks. The first byte
says whether the others are the input itself or choices that bend a good one.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any  # plain JSON values
from urllib.parse import unquote

import msgspec
import yaml

sys.path.append(str(Path(__file__).parents[1] / "proxy"))

import shapes_of
from fuzz_draws import Draws, bent_bytes, bent_list, bent_tree
from fuzz_readers import (
    Found,
    chat_calls,
    chat_stream,
    message_calls,
    message_stream,
    readings,
    response_calls,
    response_stream,
)

from offswitch.errors import LedgerError, PolicyError
from offswitch.guard.ledger.anchor import open_anchor, read_anchor
from offswitch.guard.ledger.chain import decoded, payload_of, sealed
from offswitch.guard.ledger.reading import ledger_trace, read_records
from offswitch.guard.ledger.verify import verify_ledger
from offswitch.guard.ledger.writer import LedgerWriter
from offswitch.guard.policy.act import Act
from offswitch.guard.policy.judging import Judge
from offswitch.guard.policy.policy import ArgumentPattern, GoalPolicy, Pattern, Rule
from offswitch.guard.policy.read import parse_policy
from offswitch.guard.policy.verdict import WORDS
from offswitch.guard.proxy.addresses import plain_host
from offswitch.guard.proxy.anthropic import MESSAGES
from offswitch.guard.proxy.call import Format
from offswitch.guard.proxy.client_hello import NotTlsError, server_name
from offswitch.guard.proxy.forwarding import RequestError, read_head
from offswitch.guard.proxy.gate import ClosedError, Gate
from offswitch.guard.proxy.mcp import Frames
from offswitch.guard.proxy.openai_chat import CHAT
from offswitch.guard.proxy.openai_responses import RESPONSES
from offswitch.guard.proxy.pinned import Pins
from offswitch.guard.proxy.settling import Asked
from offswitch.guard.proxy.streaming import _Turn
from offswitch.guard.proxy.strict_json import AmbiguousError, encoded, fast_object

__all__ = ["SEEDS", "TARGETS"]

RULES = (
    Rule(
        name="read",
        verdict="approve",
        pattern=Pattern(tool=("read_*",), arguments=(("path", ArgumentPattern(glob=("ok*",))),)),
    ),
    Rule(name="cap", verdict="modify", pattern=Pattern(tool=("spend",)), set=(("amount", 1),)),
    Rule(name="ask", verdict="escalate", pattern=Pattern(tool=("deploy",))),
)
GOOD, CAPPED = ("read_file", {"path": "ok"}), ("spend", {"amount": 9})
BAD = ("shell", {"command": "rm -rf /"})
ENDS = ("\u2028", "\u2029", "\x85")
"""Where `str.splitlines` ends a line and the standard of server-sent events does not."""
KEYS = [
    "type", "name", "input", "arguments", "index", "id", "content", "tool_calls", "function",
    "function_call", "choices", "delta", "message", "output", "item", "output_index", "response",
    "content_block", "partial_json", "finish_reason", "custom", "jsonrpc", "method", "params",
    "result", "error", "role", "tools", "mcp_servers", "system", "messages", "usage", "path",
]  # fmt: skip
VALUES: list[Any] = [
    None, True, 0, 1, -1, 7, 1.5, 10**30, "", "shell", "read_file", "tool_use", "text", "function",
    "function_call", "custom", "message", "tools/call", "resources/read", "2.0", "ok",
    *ENDS,
    '{"path": "ok", "path": "/etc/shadow"}', '{"command": "rm -rf /"}', "{", [], {},
    ["shell"], {"path": "/etc/shadow"}, {"path": "ok"},
    {"name": "shell", "arguments": '{"command": "rm"}'},
    {"index": 0, "id": "c", "type": "function",
     "function": {"name": "shell", "arguments": '{"command": "rm"}'}},
    {"type": "tool_use", "id": "t", "name": "shell", "input": {"command": "rm"}},
    {"type": "function_call", "name": "shell", "call_id": "c", "arguments": '{"command": "rm"}'},
    {"type": "input_json_delta", "partial_json": '{"path": "/etc/shadow"}'},
]  # fmt: skip


def policy_file(data: bytes) -> None:
    """A policy is read or refused; what it does not name is rejected."""
    draws = Draws(data)
    text = draws.rest().decode("utf-8", "replace") if draws.below(2) else _policy(draws)
    try:
        policy = parse_policy(text, folder=Path("/home/x"))
    except PolicyError:
        return
    allowing = {rule.name for rule in policy.rules if rule.verdict in ("approve", "modify")}
    judge = Judge(policy.rules)
    for act in ACTS:
        verdict = judge.judge(act)
        assert verdict.word in WORDS
        assert verdict.word not in ("approve", "modify") or verdict.rule in allowing
    assert parse_policy(text, folder=Path("/home/x")) == policy


ACTS = [
    Act(kind="tool", tool="shell", arguments={"command": "rm", "a": [1, {"b": None}], "x": 1e308}),
    Act(kind="http", host="pypi.org", method="GET", path="/simple"),
    Act(kind="file", tool="resources/read", path="file:///etc/shadow"),
    Act(kind="tool", tool="a" * 300, arguments={"a.b": "\udfff"}),
]
POLICY = """
version: 1
name: a
jail: {tier: 2, workspace: ., read: [/usr], limits: {memory: 2GiB, cpu: 1h}, waive: [memfd]}
watchdog: {heartbeat: 20ms, timeout: 1s, lease: 2d}
rules:
  - {name: r, tool: "read_*", arguments: {path: {glob: "a*", at_most: 3}}, verdict: approve}
  - {name: m, tool: spend, set: {amount: 1}, verdict: modify}
  - {name: s, sequence: [{tool: read_secret}, {host: "*"}], within: 5, verdict: terminate}
models: [{name: main, kind: anthropic, upstream: "https://a.test/", key_variable: KEY}]
resources: {tokens: {need: 1, soft: 2, hard: 3}}
goal: {files: goal.md, canary: false}
ladder: {hoarding: throttle}
shutdown: {notice: 1s, grace: 2s, deadline: 4s}
ledger: {sign_every: 50, sync: each, anchor: ../heads}
"""
POLICY_VALUES: list[Any] = [
    None, True, 0, -1, 3, 1e309, float("nan"), "", "*", "[", "(a+", "approve", "1s", "9" * 40 + "s",
    "2GiB", "-1", "nan", [], {}, ["a", 1], {"regex": "("}, {"a": {"b": 1}}, "\x00", 10**400,
]  # fmt: skip
POLICY_KEYS = [
    "version", "name", "jail", "rules", "tool", "verdict", "limits", "sequence", "arguments", "set",
    "regex", "glob", "equals", "at_most", "absent", "within", "host", "memory", "models", "ladder",
]  # fmt: skip


def _policy(draws: Draws) -> str:
    tree = yaml.safe_load(POLICY)
    while draws.left:
        tree = bent_tree(tree, draws, POLICY_KEYS, POLICY_VALUES)
    return str(yaml.safe_dump(tree))


def ledger_bytes(data: bytes) -> None:
    """Whatever a ledger was turned into, the records proven of it are those that were written."""
    original, heads = _ledger()
    draws = Draws(data)
    content = draws.rest() if draws.below(4) == 0 else _rewritten(original, draws)
    with _as_file(content) as path:
        for call in (read_records, ledger_trace, read_anchor):
            with contextlib.suppress(LedgerError):
                call(path)
        for known in ({"heads": heads}, {"public_key": heads[0].public_key}, {}):
            with contextlib.suppress(LedgerError):
                proven = verify_ledger(path, **known).proven  # type: ignore[arg-type]
                assert proven == 0 if not known else True
                kept = content.split(b"\n")[:proven]
                same = original.split(b"\n")[:proven]
                if "public_key" in known and kept:  # the time in a signature's record is not signed
                    assert _untimed(kept.pop()) == _untimed(same.pop())
                assert kept == same, "a forged record counts as proven"
                assert "heads" not in known or proven >= heads[-1].count


def _untimed(line: bytes) -> Any:
    record = decoded(payload_of(line) or b"")
    assert record is not None
    return msgspec.structs.replace(record, seconds=0.0)


@functools.cache
def _ledger() -> tuple[bytes, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        anchor = open_anchor(folder / "heads")
        writer = LedgerWriter(
            folder / "ledger", {"program": "a"}, anchor=anchor, sign_every=5, sync="never",
            clock=lambda: 0.0,
        )  # fmt: skip
        for number in range(9):
            writer.append("note", {"what": number})
        writer.close("done")
        anchor.close()
        return (folder / "ledger").read_bytes(), read_anchor(folder / "heads")


def _rewritten(content: bytes, draws: Draws) -> bytes:
    """Bent bytes or lines; at times by one who also makes the chain fit again."""
    how = draws.below(3)
    if how == 0:
        return bent_bytes(content, draws)
    lines = content.split(b"\n")
    while draws.left:
        if draws.below(2):
            lines = bent_list(lines, draws) or [b""]
        else:
            at = draws.below(len(lines))
            lines[at] = bent_bytes(lines[at], draws, most=1)
    return b"\n".join(lines) if how == 1 else b"".join(_chained(lines)) or b"\n"


def _chained(lines: list[bytes]) -> Iterator[bytes]:
    previous, number = "0" * 64, 0
    for line in lines:
        record = decoded(payload_of(line) or b"")
        if record is not None:
            with contextlib.suppress(LedgerError):
                made = msgspec.structs.replace(record, number=number)
                sealed_line, previous = sealed(previous, made)
                yield sealed_line
                number += 1


@contextlib.contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    file = os.memfd_create("fuzz")
    try:
        os.write(file, content)
        yield f"/proc/self/fd/{file}"
    finally:
        os.close(file)


class _Supervisor:
    """Writes down whatever it is told; no operator is there to allow anything."""

    async def report(self, fields: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        json.dumps(fields, allow_nan=False).encode()
        return {"type": "written", "number": 1}

    async def operator(self, number: int, timeout_s: float) -> bool:
        return False

    def tell(self, fields: dict[str, Any]) -> None:
        json.dumps(fields, allow_nan=False).encode()


def _gate() -> Gate:
    return Gate(Judge(RULES), _Supervisor())


def _at_once(work: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that waits for nothing outside itself."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits for something")


def _allowed(found: Found) -> bool:
    name, arguments = found
    if not isinstance(arguments, dict):
        return False
    path = arguments.get("path")
    text = path if isinstance(path, str) else json.dumps(path, sort_keys=True)
    return (name.startswith("read_") and "path" in arguments and text.startswith("ok")) or (
        name == "spend" and arguments.get("amount") == 1
    )


def _check(calls: Iterator[Found], where: bytes) -> None:
    for found in calls:
        assert _allowed(found), f"an agent may read {found!r:.200} in {where!r:.2000}"


def request_body(data: bytes) -> None:
    """A request is read or refused; what goes out reads as what was judged."""
    draws = Draws(data)
    wire = draws.pick([CHAT, RESPONSES, MESSAGES])
    text = draws.rest() if draws.below(2) else _bent_json(REQUEST, draws)
    try:
        body = fast_object(text)
        sent = encoded(body)
    except AmbiguousError:
        return
    assert json.loads(sent) == fast_object(sent) == body
    pins = Pins(GoalPolicy(), ())
    assert pins.check(wire.prompt(body), wire.tools(body)) == []
    for call in wire.hosted(body):
        verdict = _at_once(_gate().decide(call.act, "proposed", problem=call.problem))
        assert verdict.word == "reject", "what a provider runs by itself is nowhere allowed"


REQUEST = {
    "model": "m", "stream": True, "system": [{"type": "text", "text": "a"}], "instructions": "a",
    "messages": [{"role": "system", "content": "a"}, {"role": "user", "content": [{"text": "b"}]}],
    "input": [{"role": "developer", "content": "a"}],
    "tools": [{"type": "function", "function": {"name": "read_file"}},
              {"type": "web_search_20250305", "name": "web_search"},
              {"type": "mcp", "server_url": "https://a.test/x"}],
    "functions": [{"name": "old"}], "mcp_servers": [{"url": "https://b.test", "name": "b"}],
    "web_search_options": {}, "prompt": {"id": "p"}, "background": True,
}  # fmt: skip


def response_body(data: bytes) -> None:
    """A whole answer holds no call that was refused, by any reading."""
    draws = Draws(data)
    wire, made, calls = draws.pick(WHOLE)
    text = draws.rest() if draws.below(2) else _bent_json(made, draws)
    gate = _gate()
    asked = _asked(wire, gate)
    try:
        out, _ = _at_once(asked.settled(text, 0))
    except (ValueError, ClosedError):  # MalformedError is one
        assert gate.closed == "", gate.closed
        return
    _check(calls(json.loads(out)), out)


WHOLE: list[tuple[Format, dict[str, Any], Callable[[Any], Iterator[Found]]]] = [
    (CHAT, shapes_of.chat("text", GOOD, BAD, CAPPED), chat_calls),
    (RESPONSES, shapes_of.response("text", GOOD, BAD, CAPPED), response_calls),
    (MESSAGES, shapes_of.message("text", GOOD, BAD, CAPPED), message_calls),
]


def event_stream(data: bytes) -> None:
    """What goes to the agent of a stream holds no call that was refused, wherever it ends."""
    draws = Draws(data)
    wire, made, calls = draws.pick(STREAMED)
    stream = draws.rest() if draws.below(4) == 0 else _bent_stream(made, draws)
    gate = _gate()
    turn = _Turn(_asked(wire, gate))
    size, out = 1 + draws.below(200), b""
    try:
        for at in range(0, len(stream), size):
            for event in turn.events.feed(stream[at : at + size]):
                out += _at_once(turn.settled(turn.add(event)))
        assert turn.whole() is not None
    except (ValueError, ClosedError):
        assert gate.closed == "", gate.closed
    _check(calls(out), out)


STREAMED: list[tuple[Format, list[bytes], Callable[[bytes], Iterator[Found]]]] = [
    (CHAT, shapes_of.chat_events("a|b", GOOD, BAD, CAPPED), chat_stream),
    (RESPONSES, shapes_of.response_events("a|b", GOOD, BAD, CAPPED), response_stream),
    (MESSAGES, shapes_of.message_events("a|b", GOOD, BAD, CAPPED), message_stream),
]


def mcp_frame(data: bytes) -> None:
    """A frame goes on only where every call in it, by any reading, is one that a rule allows."""
    draws = Draws(data)
    text = draws.rest() if draws.below(2) else _bent_json(FRAMES, draws)
    gate = _gate()
    frames = Frames("files", gate, Pins(GoalPolicy(), ()))
    passed = _at_once(frames.from_agent(text))
    assert gate.closed == "", gate.closed
    for value in readings(passed.on) if passed.on is not None else ():
        for message in value if isinstance(value, list) else [value]:
            _check_frame(message)
    if passed.back is not None:
        json.loads(passed.back)
    answer = _at_once(frames.from_server(text))
    assert answer is None or len(readings(answer)) == 1, "two readings of a server's frame"


def _check_frame(message: dict[str, Any]) -> None:
    method = message.get("method")
    if method is None or method in PASSIVE or method.startswith("notifications/"):
        return
    assert method == "tools/call", method
    params = message["params"]
    assert _allowed((params["name"], params.get("arguments"))), params


PASSIVE = {
    "initialize", "ping", "tools/list", "resources/list", "resources/templates/list",
    "prompts/list", "logging/setLevel",
}  # fmt: skip
FRAMES = [
    {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
     "params": {"name": "read_file", "arguments": {"path": "ok"}}},
    {"jsonrpc": "2.0", "id": 2, "method": "tools/call",
     "params": {"name": "shell", "arguments": {"command": "rm"}}},
    {"jsonrpc": "2.0", "id": 3, "method": "tools/list", "params": {"cursor": "a"}},
    {"jsonrpc": "2.0", "id": 3, "result": {"tools": [{"name": "shell"}]}},
    {"jsonrpc": "2.0", "id": 4, "method": "resources/read", "params": {"uri": "file:///etc/x"}},
    {"jsonrpc": "2.0", "method": "notifications/cancelled"},
]  # fmt: skip


def egress_head(data: bytes) -> None:
    """A request's head and a tunnel's first message are read, waited for or refused; what is sent
    on is what was judged."""
    draws = Draws(data)
    given = draws.rest() if draws.below(2) else _bent_head(draws)
    with contextlib.suppress(RequestError):
        asking = read_head(given + b"\r\n\r\n")
        host = f"[{asking.host}]" if ":" in asking.host else asking.host
        assert plain_host(host) == asking.host
        assert not {"..", "."} & {*unquote(asking.path).split("/")}
        if not asking.tunnel:
            first, second, *_ = asking.head.decode("latin-1").split("\r\n")
            assert first.split(" ")[::2] == [asking.method, "HTTP/1.1"]
            assert first.split(" ")[1].partition("?")[::2] == (asking.path, asking.query)
            assert second == f"Host: {host}" + (f":{asking.port}" if asking.port != 80 else "")
        assert asking.head.count(b"\r\n\r\n") == (not asking.tunnel)
    with contextlib.suppress(NotTlsError):
        assert isinstance(server_name(given), str | None)


def _bent_head(draws: Draws) -> bytes:
    head = draws.pick(HEADS)
    for _ in range(draws.below(4)):
        at = draws.below(len(head))
        head = head[:at] + draws.pick(PIECES) + head[at:]
    return bent_bytes(head, draws, most=2)


PIECES = [
    b"/", b"/..", b"%2e%2E", b"//", b"\\", b";", b"%2F", b"%5c", b"%25", b"%00", b"%41", b"?", b"#",
    b"@", b":", b".", b"[", b"]", b"0x7f.1", b" ", b"\t", b"\r\n", b"\n", b"\r\nHost: b.test",
    b"\r\nTransfer_Encoding: chunked", b"\r\nContent-Length: 4", b"\r\n X: y", b"\xff",
]  # fmt: skip
HEADS = [
    b"GET http://a.test/b?c HTTP/1.1\r\nContent-Length: 3\r\nHost: a.test\r\nX-Rewrite-Url: /d",
    b"POST http://[2606:4700::1]:8080/%61/b%20c HTTP/1.0\r\nExpect: 100-continue\r\nA_b: c",
    b"CONNECT a.test:443 HTTP/1.1",
    b"\x16\x03\x01\x00\x40\x01\x00\x00\x3c\x03\x03" + bytes(32) + b"\0\0\x02\x13\x01\x01\0"
    b"\x00\x11\x00\x00\x00\x0d\x00\x0b\x00\x00\x08a.b.test",
]  # fmt: skip


def _bent_json(tree: Any, draws: Draws) -> bytes:
    while draws.left and draws.below(8):
        tree = bent_tree(tree, draws, KEYS, VALUES)
    text = json.dumps(tree, ensure_ascii=False).encode(errors="surrogatepass")
    return bent_bytes(text, draws, most=2) if draws.left else text


def _bent_stream(events: list[bytes], draws: Draws) -> bytes:
    while draws.left:
        match draws.below(4):
            case 0:
                events = bent_list(events, draws) or [b"\n\n"]
            case 1:
                at = draws.below(len(events))
                events = [*events[:at], bent_bytes(events[at], draws, most=1), *events[at + 1 :]]
            case _:
                at = draws.below(len(events))
                events = [*events[:at], _bent_event(events[at], draws), *events[at + 1 :]]
    return b"".join(events)


def _bent_event(event: bytes, draws: Draws) -> bytes:
    head, _, data = event.partition(b"data: ")
    found = readings(data)
    if not found:
        return event
    tree = bent_tree(found[0], draws, KEYS, VALUES)
    return b"%sdata: %s\n\n" % (
        head,
        json.dumps(tree, ensure_ascii=False).encode("utf-8", "replace"),
    )


def _asked(wire: Format, gate: Gate) -> Asked:
    return Asked(
        wire=wire, gate=gate, session=None, route="m", url="", headers=None, request={}, key="",  # type: ignore[arg-type]
        again=0,
    )  # fmt: skip


TARGETS: dict[str, Callable[[bytes], None]] = {
    "policy file": policy_file,
    "ledger bytes": ledger_bytes,
    "request body": request_body,
    "response body": response_body,
    "event stream": event_stream,
    "MCP frame": mcp_frame,
    "egress head": egress_head,
}
SEEDS: dict[str, list[bytes]] = {
    "policy file": [b"\1" + POLICY.encode(), b"\0"],
    "ledger bytes": [b"\1", b"\0" + _ledger()[0]],
    "request body": [bytes([i, 1]) + json.dumps(REQUEST).encode() for i in range(3)],
    "response body": [
        bytes([i, 1]) + json.dumps(made).encode() for i, (_, made, _) in enumerate(WHOLE)
    ],
    "event stream": [bytes([i, 0]) + b"".join(made) for i, (_, made, _) in enumerate(STREAMED)],
    "MCP frame": [b"\1" + json.dumps(FRAMES).encode()],
    "egress head": [b"\1" + head for head in HEADS],
}  # fmt: skip
