"""Headers by which an MCP request says again what its body says, for whoever routes by them.

A gateway that goes by the header and a server that goes by the body would do two things: where
they differ, the request goes nowhere.

Source: Model Context Protocol, revision 2026-07-28, "Streamable HTTP", standard and custom headers.
"""

from __future__ import annotations

import base64
import collections
import re
from collections.abc import Iterator, Mapping
from typing import Any, final  # Any: plain JSON values

from multidict import CIMultiDict, MultiMapping

from offswitch.guard.proxy.shapes import field
from offswitch.guard.proxy.strict_json import AmbiguousError, encoded, strict

__all__ = ["MismatchError", "check_headers", "followed"]

MISMATCH = -32020
"""The revision's code for it; the answer's status is 400."""
_METHOD, _NAME, _VERSION, _PARAM = "mcp-method", "mcp-name", "mcp-protocol-version", "mcp-param-"
_ONE_EACH = (_METHOD, _NAME, _VERSION, "mcp-session-id")
_NAMED = {
    "tools/call": "name", "prompts/get": "name", "resources/read": "uri",
    "resources/subscribe": "uri", "resources/unsubscribe": "uri",
}  # fmt: skip
_OTHER_NAMES = ("name", "uri", "taskId")
_VERSION_FIELD = "io.modelcontextprotocol/protocolVersion"
_WRAPPED = re.compile(r"=\?base64\?(.*)\?=")


@final
class MismatchError(Exception):
    """A request whose headers name another act than its body, or that two readers read
    differently."""

    def answer(self, data: bytes) -> bytes:
        """The JSON-RPC error to the request that `data` holds."""
        number = field(_read(data), "id")
        number = number if type(number) in (str, int) else None
        error = {"code": MISMATCH, "message": f"guard: {self}"}
        return encoded({"jsonrpc": "2.0", "id": number, "error": error})


def check_headers(headers: MultiMapping[str], data: bytes) -> None:
    """Nothing, when what the headers repeat is what the body says. What is no JSON passes: it is
    refused where bodies are judged.

    Raises:
        MismatchError: which header, what it says, and what the body says; or one is given twice.
    """
    _check_single(headers)
    given = {name.lower(): value for name, value in headers.items()}
    params = {name: _plain(name, value) for name, value in given.items() if name[:10] == _PARAM}
    if not params and not any(name in given for name in (_METHOD, _NAME, _VERSION)):
        return
    body = _read(data)
    for message in body if isinstance(body, list) else [body]:
        if not isinstance(message, dict):
            return
        _check(given, message)
        said = {text for _, text in _scalars(_arguments(message))}
        for name, text in params.items():
            if text not in said:
                raise MismatchError(f"the header {name} is {text!r}, and no argument of the call")


def followed(headers: CIMultiDict[str], before: bytes, after: bytes) -> CIMultiDict[str]:
    """The headers of a request whose arguments a rule has changed, so that they repeat the new.

    Raises:
        MismatchError: which argument a header repeats cannot be told, and they have parted.
    """
    if before == after or not any(name.lower().startswith(_PARAM) for name in headers):
        return headers
    old = list(_scalars(_arguments(_read(before))))
    new = dict(_scalars(_arguments(_read(after))))
    made = headers.copy()
    for name in {name for name in headers if name.lower().startswith(_PARAM)}:
        places = [path for path, text in old if text == _plain(name, headers[name])]
        values = {new.get(path) for path in places}
        if len(values) != 1:
            raise MismatchError(f"a rule changed what the header {name} may or may not repeat")
        del made[name]
        if (value := values.pop()) is not None:
            made[name] = _wrapped(value)
    return made


def _check_single(headers: MultiMapping[str]) -> None:
    counts = collections.Counter(name.lower() for name, _ in headers.items())
    for name, count in counts.items():
        if count > 1 and (name in _ONE_EACH or name.startswith(_PARAM)):
            # Who takes the first and who takes the last would disagree.
            raise MismatchError(f"the header {name} is given {count} times, expected once")


def _check(given: Mapping[str, str], message: Mapping[str, Any]) -> None:
    method, params = message.get("method"), message.get("params")
    if _METHOD in given and given[_METHOD] != method:
        raise _differs(_METHOD, given[_METHOD], method)
    if _NAME in given:
        name = _plain(_NAME, given[_NAME])
        keys = (_NAMED[method],) if isinstance(method, str) and method in _NAMED else _OTHER_NAMES
        if name not in (said := [field(params, key) for key in keys]):
            raise _differs(_NAME, name, said[0])
    version = field(field(params, "_meta"), _VERSION_FIELD)
    if _VERSION in given and version is not None and version != given[_VERSION]:
        raise _differs(_VERSION, given[_VERSION], version)


def _differs(name: str, header: str, body: object) -> MismatchError:
    return MismatchError(f"the header {name} is {header!r}, and the body says {str(body)[:200]!r}")


def _plain(name: str, value: str) -> str:
    """A header's text; what a header cannot carry is wrapped in it as base64."""
    if (found := _WRAPPED.fullmatch(value)) is None:
        return value
    try:
        return base64.b64decode(found[1], validate=True).decode()
    except ValueError as problem:
        raise MismatchError(f"the header {name} is no base64 of a text") from problem


def _wrapped(text: str) -> str:
    if text.isascii() and text.isprintable() and text == text.strip() and text[:2] != "=?":
        return text
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


def _arguments(message: object) -> object:
    return field(field(message, "params"), "arguments")


def _scalars(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every text, number and truth value below, with its place, as a header repeats it."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _scalars(one, (*path, name))
    elif isinstance(value, bool):
        yield path, "true" if value else "false"
    elif isinstance(value, str | int | float):
        yield path, str(value)


def _read(data: bytes) -> Any:
    try:
        return strict(data)
    except AmbiguousError:
        return None
