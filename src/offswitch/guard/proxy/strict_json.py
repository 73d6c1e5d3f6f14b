"""JSON that every reader understands alike; what two readers could read differently is refused.

A key given twice, or in two cases, a number that is none, half a surrogate pair: one parser takes
the first, the next the last, and what was judged is not what is run.
"""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec

from offswitch.guard.proxy.spelling import odd_key

__all__ = ["AmbiguousError", "encoded", "fast_object", "strict", "strict_object"]

_ENCODER = msgspec.json.Encoder()
MOST_DIGITS = 400
"""Longest number, characters: longer ones cost quadratic time to read."""


class AmbiguousError(ValueError):
    """Bytes that are no JSON, or that two readers may read differently."""


def strict(text: bytes | str) -> Any:  # Any: plain JSON values
    """The value that the text spells; bytes are UTF-8, whatever else some readers would guess.

    Raises:
        AmbiguousError: it spells none, or not clearly; the message says what is wrong.
    """
    try:
        text = text if isinstance(text, str) else text.decode()
        text.encode()  # half a surrogate pair has no UTF-8: where it stands as it is,
        value = _STRICT.decode(text)
        if "\\u" in text:  # and where it is spelled out
            _WRITER.encode(value).encode()
    except RecursionError as problem:
        raise AmbiguousError("nested too deeply") from problem
    except ValueError as problem:  # JSON's and Unicode's errors are ValueErrors
        raise AmbiguousError(str(problem)) from problem
    return value


def strict_object(data: bytes) -> dict[str, Any]:
    """The object of a wire format that the bytes clearly spell.

    Raises:
        AmbiguousError: they spell none, or not clearly.
    """
    try:
        value = strict(data)
    except AmbiguousError as problem:
        raise AmbiguousError(f"is not clear JSON: {problem}") from problem
    return _object(value)


def fast_object(data: bytes) -> dict[str, Any]:
    """The object that the bytes spell, for what is sent on newly written.

    Raises:
        AmbiguousError: they spell none.
    """
    try:
        value = msgspec.json.decode(data)
    except (ValueError, RecursionError) as problem:
        raise AmbiguousError(f"is not JSON: {problem}") from problem
    return _object(value)


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise AmbiguousError(
            f"is JSON of another kind ({type(value).__name__}), expected an object"
        )
    if odd := odd_key(value):
        raise AmbiguousError(f"has the key {odd!r}, which some readers take for another")
    return value


def encoded(value: object) -> bytes:
    """The value's JSON, without spaces.

    Raises:
        AmbiguousError: it has none.
    """
    try:
        return _ENCODER.encode(value)
    except (TypeError, ValueError, RecursionError) as problem:
        raise AmbiguousError(f"cannot be written as JSON: {problem}") from problem


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: dict[str, str] = {}
    for name, _ in pairs:
        folded = name.casefold()
        if (first := seen.get(folded)) is not None:
            same = f"the key {name!r} is given twice"
            raise ValueError(
                same if first == name else f"{first!r} and {name!r} are one key to some"
            )
        seen[folded] = name
    return dict(pairs)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:20]} is too large")
    return value


def _integer(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


_STRICT = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_constant=_refuse, parse_float=_finite, parse_int=_integer
)
_WRITER = json.JSONEncoder(ensure_ascii=False)
