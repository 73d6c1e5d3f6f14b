"""Keys that readers which know no case take for others."""

from __future__ import annotations

import json
from typing import Any

import pytest
import shapes_of

from offswitch.guard.proxy.mcp import _read, _UnclearError
from offswitch.guard.proxy.spelling import odd_key
from offswitch.guard.proxy.strict_json import AmbiguousError, fast_object, strict, strict_object

CALL = {"name": "shell", "arguments": {}}


@pytest.mark.parametrize(
    "value",
    [
        {"jsonrpc": "2.0", "id": 1, "Method": "tools/call", "params": CALL},
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "PARAMS": CALL},
        {"choices": [{"message": {"Tool_Calls": [{"function": CALL}]}}]},
        {"Choices": []},
        {"choices": [{"delta": {"tool_call\u017f": []}}]},
        {"output": [{"type": "message", "Name": "shell"}]},
        {"content": [{"type": "text", "TYPE": "tool_use"}]},
        {"Tools": []},
    ],
)
def test_a_key_that_some_readers_take_for_a_name_of_the_wire_is_refused(value: Any) -> None:
    assert odd_key(value)
    for read in (fast_object, strict_object):
        with pytest.raises(AmbiguousError, match=r"take for another|are one key to"):
            read(json.dumps(value).encode())


def test_a_call_that_only_a_reader_without_case_finds_in_a_frame_goes_nowhere() -> None:
    hidden = {"jsonrpc": "2.0", "id": 1, "result": {}, "Method": "tools/call", "Params": CALL}
    with pytest.raises(_UnclearError, match="'Method', which some readers take for another"):
        _read(json.dumps(hidden).encode())


def test_the_depth_of_what_is_looked_through_is_no_matter() -> None:
    deep: Any = {"Method": 1}
    for _ in range(100_000):
        deep = [deep]
    assert odd_key(deep) == "Method"


@pytest.mark.parametrize("made", [shapes_of.chat, shapes_of.response, shapes_of.message])
def test_what_tools_and_people_name_is_their_own(made: Any) -> None:
    body = made("text", ("save", {"Name": "a", "Content": "b", "Type": 1, "Index": {"ID": 2}}))
    body["metadata"] = {"Model": "mine"}
    schema = {"type": "object", "properties": {"Name": {"type": "string"}}}
    body["tools"] = [{"type": "function", "function": {"name": "save", "parameters": schema}}]
    assert odd_key(body) == ""
    assert strict_object(json.dumps(body).encode()) == body
    asked = {"jsonrpc": "2.0", "id": 1, "result": {"action": "accept", "content": {"Name": "x"}}}
    assert odd_key(asked) == ""


@pytest.mark.parametrize(
    "text", ['{"path": "ok", "Path": "/etc"}', '[{"a": {"k": 1, "\u212a": 2}}]']
)
def test_two_keys_that_are_one_to_readers_without_case_are_refused(text: str) -> None:
    with pytest.raises(AmbiguousError, match="are one key to some"):
        strict(text)
