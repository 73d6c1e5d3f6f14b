"""Whatever the bytes, only declared errors, and nothing is let through that no rule allows.

The same targets run longer, led by coverage, in `benchmarks/guard_fuzz.py`.
"""

from __future__ import annotations

import pytest
from fuzz_targets import SEEDS, TARGETS
from hypothesis import given, settings
from hypothesis import strategies as st

COSTLY = {"policy file": 40, "event stream": 150}
"""Examples for targets that take milliseconds; the others take 200."""


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_no_bytes_break_it_and_none_get_through(name: str) -> None:
    target = TARGETS[name]
    for seed in SEEDS[name]:
        target(seed)

    @settings(max_examples=COSTLY.get(name, 200), deadline=None, derandomize=True, database=None)
    @given(st.binary(min_size=2, max_size=48))
    def any_bytes(data: bytes) -> None:
        target(data)

    any_bytes()


FOUND = {
    "a call of two kinds is judged by one and read by the other": (
        "response body",
        b'\0\1{"choices": [{"message": {"tool_calls": [{"type": "function", "function": {"name": '
        b'"spend", "arguments": "{\\"amount\\": 9}", "input": "x"}}]}}]}',
    ),
    "a changed text that its tool cannot be given": (
        "response body",
        b'\0\1{"choices": [{"message": {"tool_calls": [{"type": "custom", "custom": {"name": '
        b'"spend", "input": "{\\"amount\\": 9}"}}]}}]}',
    ),
    "the same, as an item of a response": (
        "response body",
        b'\1\1{"output": [{"type": "custom_tool_call", "name": "spend", "input": "9"}]}',
    ),
    "an item without a type": ("response body", b'\1\1{"output": [{"type": {"a": 1}}]}'),
    "a refusal beside content that is no text": (
        "response body",
        b'\0\1{"choices": [{"message": {"content": 5, "tool_calls": [{"function": {"name": '
        b'"shell", "arguments": "{}"}}]}}]}',
    ),
    "a call that begins under another name": (
        "event stream",
        b'\1\0data: {"type": "response.output_item.added", "output_index": 0, "item": {"type": '
        b'"function_call", "name": "shell", "arguments": ""}}\n\ndata: {"type": '
        b'"response.function_call_arguments.delta", "output_index": 0, "delta": '
        b'"{\\"path\\": \\"ok\\"}"}\n\ndata: {"type": "response.output_item.done", '
        b'"output_index": 0, "item": {"type": "function_call", "name": "read_file", "arguments": '
        b'"{\\"path\\": \\"ok\\"}"}}\n\n',
    ),
    "a call of which only some pieces are numbered": (
        "event stream",
        b'\0\0data: {"choices": [{"delta": {"tool_calls": [{"function": {"name": "read_file", '
        b'"arguments": ""}}]}}]}\n\ndata: {"choices": [{"delta": {"tool_calls": [{"index": 0, '
        b'"function": {"arguments": "{\\"path\\": \\"ok\\"}"}}]}}]}\n\ndata: {"choices": '
        b'[{"delta": {}, "finish_reason": "tool_calls"}]}\n\n',
    ),
    "pieces of arguments that do not fit together": (
        "event stream",
        b'\0\0data: {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"name": "a", '
        b'"arguments": {}}}]}}]}\n\ndata: {"choices": [{"delta": {"tool_calls": [{"index": 0, '
        b'"function": {"arguments": "x"}}]}}]}\n\n',
    ),
    "a whole number that no float holds": (
        "policy file",
        b"\1version: 1\nrules: []\nresources: {t: {need: 1%s, soft: 2}}" % (b"0" * 400),
    ),
    "a line that some readers end elsewhere": (
        "event stream",
        b'\0\0data: {"choices": []}\n\x0bdata: {"choices": [{"delta": {"tool_calls": [{"function": '
        b'{"name": "shell", "arguments": "{}"}}]}}]}\n\n',
    ),
    "a line of data that is a call by itself": (
        "event stream",
        b'\0\0data: {"x":\ndata: {"choices": [{"delta": {"tool_calls": [{"function": '
        b'{"name": "shell", "arguments": "{}"}}]}}]}\ndata: }\n\n',
    ),
    "a comment that is a call to who cuts off its beginning": (
        "event stream",
        b'\0\0: {"choices": [{"delta": {"tool_calls": [{"function": {"name": "shell", "arguments": '
        b'"{}"}}]}}]}\n\n',
    ),
    "two keys of which some readers take the first": (
        "event stream",
        b'\0\0data: {"choices": [{"delta": {"tool_calls": [{"function": {"name": "shell", '
        b'"arguments": "{}"}}]}}], "choices": []}\n\n',
    ),
    "a path with a NUL": (
        "policy file",
        b'\1version: 1\nrules: []\njail: {workspace: "\\0"}\nledger: {anchor: ../heads}',
    ),
    "an address with half a bracket": (
        "request body",
        b'\2\1{"model": "m", "mcp_servers": [{"url": "https://].test", "name": "b"}]}',
    ),
    "an end of a message that is no object": (
        "event stream", b'\2\0data: {"type": "message_delta", "delta": 5}\n\n',
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "data"), FOUND.values(), ids=FOUND)
def test_what_the_fuzzer_once_found_stays_closed(name: str, data: bytes) -> None:
    TARGETS[name](data)
