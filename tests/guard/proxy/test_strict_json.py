"""What two readers may read differently is refused, whichever of them reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from offswitch.guard.proxy.strict_json import (
    MOST_DIGITS,
    AmbiguousError,
    encoded,
    fast_object,
    strict,
    strict_object,
)


@pytest.mark.parametrize(
    "text",
    ['{"a": 1, "a": 1}', '[{"b": {"a": 1, "a": 2}}]', "NaN", "[Infinity]", '{"a": -Infinity}',
     "1e999", "[-1e400]", r'"\ud800"', r'{"\udc00": 1}', '"\ud800"', "1" * 401, "-" + "1" * 400,
     "[" * 9000, '{"a":' * 9000, "", " ", "{", "1 2", "{'a': 1}", "[1,]", "\ufeff{}"],
)  # fmt: skip
def test_what_is_not_clear_is_refused(text: str) -> None:
    with pytest.raises(AmbiguousError):
        strict(text)


@pytest.mark.parametrize("code", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_bytes_in_another_code_than_that_of_the_wire_are_refused(code: str) -> None:
    with pytest.raises(AmbiguousError):
        strict('{"method": "ping"}'.encode(code))


@pytest.mark.parametrize(
    "value", [None, True, 0, -1.5, 10**399, "é\u2028", [], {"a": {"b": [1, "a"]}, "b": 1e308}]
)
def test_what_is_clear_is_what_it_spells(value: Any) -> None:
    assert strict(json.dumps(value)) == value
    assert strict(json.dumps(value).encode()) == value
    assert len(str(10**399)) == MOST_DIGITS


@pytest.mark.parametrize("data", [b"[]", b"1", b"null", b'"a"', b"{", b"", b"[" * 100_000, b"\xff"])
def test_a_body_is_an_object_or_refused(data: bytes) -> None:
    for read in (fast_object, strict_object):
        with pytest.raises(AmbiguousError):
            read(data)
        assert read(b'{"a": [1]}') == {"a": [1]}


def test_what_cannot_be_written_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (object(), "\ud800", {(1, 2): 3}, deep):
        with pytest.raises(AmbiguousError):
            encoded(value)
