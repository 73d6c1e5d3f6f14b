"""Headers that repeat an MCP request's body say the same as it, or the request goes nowhere."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from multidict import CIMultiDict
from proxied import run, world

from offswitch.guard.policy.policy import McpServer
from offswitch.guard.proxy.mcp_headers import MismatchError, check_headers, followed

TOOLS = McpServer(name="tools", url="/mcp")
VERSION = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}


def asked(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}


def wrapped(text: str) -> str:
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


CALL = asked("tools/call", name="read_file", arguments={"at": {"n": 3}, "b": True}, _meta=VERSION)
READ = asked("resources/read", uri="file:///ä")
SAME = {
    "none at all": ({}, CALL),
    "method and name": ({"Mcp-Method": "tools/call", "mcp-name": "read_file"}, CALL),
    "the version": ({"MCP-Protocol-Version": "2026-07-28"}, CALL),
    "a version the body does not give": ({"MCP-Protocol-Version": "2025-06-18"}, READ),
    "a wrapped address": ({"Mcp-Name": wrapped("file:///ä")}, READ),
    "arguments": ({"Mcp-Param-N": "3", "Mcp-Param-B": wrapped("true")}, CALL),
    "each of a batch": ({"Mcp-Method": "tools/call"}, [CALL, CALL]),
    "a task": ({"Mcp-Name": "t1"}, asked("tasks/get", taskId="t1")),
}
OTHER = {
    "another method": ({"Mcp-Method": "tools/list"}, CALL),
    "another case": ({"Mcp-Method": "Tools/Call"}, CALL),
    "another tool": ({"Mcp-Name": "shell"}, CALL),
    "the name in another field": ({"Mcp-Name": "x"}, asked("resources/read", uri="y", name="x")),
    "a name of what has none": ({"Mcp-Name": "read_file"}, asked("ping")),
    "another version": ({"MCP-Protocol-Version": "2025-06-18"}, CALL),
    "another argument": ({"Mcp-Param-N": "4"}, CALL),
    "no base64": ({"Mcp-Name": "=?base64?%%?="}, CALL),
    "no base64, and the body has the same": (
        {"Mcp-Name": "=?base64?%%?="},
        asked("tools/call", name="=?base64?%%?="),
    ),
    "base64 with other signs in it": ({"Mcp-Name": "=?base64?cmVh!ZF9maWxl?="}, CALL),
    "base64 with more behind it": ({"Mcp-Name": wrapped("read_file") + "x"}, CALL),
    "an argument of what has none": ({"Mcp-Param-N": "3"}, asked("ping")),
    "a call's name in another field": ({"Mcp-Name": "x"}, asked("tools/call", name="y", uri="x")),
    "a prompt's": ({"Mcp-Name": "x"}, asked("prompts/get", name="y", uri="x")),
    "a subscription's": ({"Mcp-Name": "x"}, asked("resources/subscribe", uri="y", name="x")),
    "one that ends's": ({"Mcp-Name": "x"}, asked("resources/unsubscribe", uri="y", name="x")),
    "one of a batch": ({"Mcp-Method": "tools/call"}, [CALL, READ]),
    "an answer": ({"Mcp-Method": "ping"}, {"jsonrpc": "2.0", "id": 1, "result": {}}),
    "a method that is none": ({"Mcp-Name": "a"}, {"method": [], "params": []}),
}


@pytest.mark.parametrize("case", SAME)
def test_headers_that_say_what_the_body_says_pass(case: str) -> None:
    headers, body = SAME[case]
    check_headers(CIMultiDict(headers), json.dumps(body).encode())


@pytest.mark.parametrize("case", OTHER)
def test_headers_that_say_something_else_are_refused(case: str) -> None:
    headers, body = OTHER[case]
    with pytest.raises(MismatchError, match=f"the header {next(iter(headers)).lower()} is"):
        check_headers(CIMultiDict(headers), json.dumps(body).encode())


@pytest.mark.parametrize("name", [
    "Mcp-Method", "Mcp-Session-Id", "Mcp-Param-N", "Mcp-Name", "MCP-Protocol-Version",
])  # fmt: skip
def test_a_header_that_routes_is_given_once(name: str) -> None:
    twice = CIMultiDict([(name, "3"), (name.upper(), "3")])
    with pytest.raises(MismatchError, match="given 2 times"):
        check_headers(twice, b"")


def test_headers_follow_what_a_rule_has_changed() -> None:
    before = json.dumps(asked("tools/call", arguments={"a": 9, "b": "x", "c": "y"})).encode()
    after = json.dumps(asked("tools/call", arguments={"a": 1, "b": "ü", "c": "y"})).encode()
    headers = CIMultiDict({"Mcp-Param-A": "9", "mcp-param-b": "x", "Accept": "x"})
    made = followed(headers, before, after)
    assert {**made} == {"Accept": "x", "Mcp-Param-A": "1", "mcp-param-b": wrapped("ü")}
    check_headers(made, after)
    left_out = json.dumps(asked("tools/call", arguments={"b": "x", "c": "y"})).encode()
    assert "mcp-param-a" not in followed(headers, before, left_out)


@pytest.mark.parametrize("text", ["a\r\nX-Mine: 1", " a", "a\t", "=?base64?eA==?=", "\u2028", "é"])
def test_what_a_header_cannot_carry_is_wrapped(text: str) -> None:
    before = json.dumps(asked("tools/call", arguments={"a": "x"})).encode()
    after = json.dumps(asked("tools/call", arguments={"a": text})).encode()
    made = followed(CIMultiDict({"Mcp-Param-A": "x"}), before, after)
    assert made["Mcp-Param-A"] == wrapped(text)
    check_headers(made, after)


def test_a_header_that_repeats_no_argument_stops_a_changed_call() -> None:
    before = json.dumps(asked("tools/call", arguments={"a": 9})).encode()
    after = json.dumps(asked("tools/call", arguments={"a": 1})).encode()
    with pytest.raises(MismatchError, match="Mcp-Param-X"):
        followed(CIMultiDict({"Mcp-Param-X": "8"}), before, after)


def test_a_header_whose_argument_cannot_be_told_stops_a_changed_call() -> None:
    before = json.dumps(asked("tools/call", arguments={"a": 9, "b": 9})).encode()
    after = json.dumps(asked("tools/call", arguments={"a": 1, "b": 9})).encode()
    with pytest.raises(MismatchError, match="Mcp-Param-X"):
        followed(CIMultiDict({"Mcp-Param-X": "9"}), before, after)


def test_a_call_under_another_name_reaches_no_server_and_stands_in_the_ledger(monkeypatch: Any):
    async def scenario() -> None:
        async with world(monkeypatch, mcp=(TOOLS,)) as w:
            status, data = await w.post("/mcp/tools", CALL, **{"Mcp-Name": "list_files"})
            answer = json.loads(data)
            assert (status, answer["id"], answer["error"]["code"]) == (400, 7, -32020)
            assert "'list_files', and the body says 'read_file'" in answer["error"]["message"]
            assert w.model.asked == []
            assert w.supervisor.acts() == []
            (note,) = [one for one in w.supervisor.reports if one["type"] == "note"]
            assert note["what"] == "MCP frame refused"
            w.model.answers({"jsonrpc": "2.0", "id": 7, "result": {}})
            status, _ = await w.post("/mcp/tools", CALL, **{"Mcp-Name": "read_file"})
            assert (status, w.model.headers[0]["mcp-name"]) == (200, "read_file")

    run(scenario())


def test_a_changed_call_goes_out_with_headers_of_the_change(monkeypatch: Any):
    async def scenario() -> None:
        async with world(monkeypatch, mcp=(TOOLS,)) as w:
            w.model.answers({"jsonrpc": "2.0", "id": 7, "result": {}})
            spend = asked("tools/call", name="spend", arguments={"amount": 900})
            assert (await w.post("/mcp/tools", spend, **{"Mcp-Param-Amount": "900"}))[0] == 200
            assert w.model.asked[0]["params"]["arguments"] == {"amount": 1}
            assert w.model.headers[0]["mcp-param-amount"] == "1"

    run(scenario())
