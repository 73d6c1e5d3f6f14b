"""Whether an act fits a pattern.

Globs match whole texts, and case counts, but for hosts and methods.
"""

from __future__ import annotations

import fnmatch
import functools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeAlias

from offswitch.guard.policy.act import Act
from offswitch.guard.policy.policy import ArgumentPattern, Pattern

__all__ = ["Matcher", "is_nested", "matcher_of", "odd_argument"]

Matcher: TypeAlias = Callable[[Act], bool]

_ABSENT = object()


def matcher_of(pattern: Pattern) -> Matcher:
    """A function that says whether an act fits; the globs and expressions are compiled once."""
    tests: list[Matcher] = []
    if pattern.kind is not None:
        tests.append(lambda act, kind=pattern.kind: act.kind == kind)  # type: ignore[misc]
    if pattern.tool:
        tests.append(_glob_test(pattern.tool, attrgetter("tool")))
    if pattern.host:
        lowered = tuple(glob.lower() for glob in pattern.host)
        tests.append(_glob_test(lowered, lambda act: act.host.lower().rstrip(".")))
    if pattern.method:
        raised = tuple(glob.upper() for glob in pattern.method)
        tests.append(_glob_test(raised, lambda act: act.method.upper()))
    if pattern.path:
        tests.append(_glob_test(pattern.path, attrgetter("path")))
    tests += [_argument_test(name, one) for name, one in pattern.arguments]
    return tests[0] if len(tests) == 1 else _all_of(tests)


def _all_of(tests: Sequence[Matcher]) -> Matcher:
    """A plain loop: half the cost of `all` over a generator, for every rule of every act."""

    def fits(act: Act) -> bool:
        for test in tests:  # noqa: SIM110 - see above
            if not test(act):
                return False
        return True

    return fits


def _glob_test(globs: tuple[str, ...], text_of: Callable[[Act], str]) -> Matcher:
    """Fits where the act has the text at all and any glob matches the whole of it."""
    matched = _globs(globs)

    def test(act: Act) -> bool:
        text = text_of(act)
        return bool(text) and matched(text) is not None

    return test


def _globs(globs: tuple[str, ...]) -> Callable[[str], re.Match[str] | None]:
    return re.compile("|".join(f"(?:{fnmatch.translate(glob)})" for glob in globs)).match


def _argument_test(name: str, wanted: ArgumentPattern) -> Matcher:
    parts: list[Callable[[Any], bool]] = []  # Any: a plain JSON value
    if wanted.glob:
        matched = _globs(wanted.glob)
        parts.append(lambda value: matched(_text(value)) is not None)
    if wanted.regex is not None:
        searched = re.compile(wanted.regex).search
        parts.append(lambda value: searched(_text(value)) is not None)
    if wanted.equals is not None:
        parts.append(lambda value: type(value) is type(wanted.equals) and value == wanted.equals)
    if wanted.at_most is not None:
        parts.append(lambda value: _number(value) and value <= wanted.at_most)

    def test(act: Act) -> bool:
        value = _looked_up(act.arguments, name)
        if wanted.absent:
            return value is _ABSENT
        return value is not _ABSENT and all(part(value) for part in parts)

    return test


def _looked_up(arguments: Mapping[str, Any], name: str) -> Any:  # Any: a plain JSON value
    """The argument of that very name, or the one that the dots lead to."""
    return arguments[name] if name in arguments else _nested(arguments, name)


def is_nested(arguments: Mapping[str, Any], name: str) -> bool:  # Any: plain JSON values
    """Whether the dots of a name lead to an argument."""
    return _nested(arguments, name) is not _ABSENT


def _nested(arguments: Mapping[str, Any], name: str) -> Any:  # Any: a plain JSON value
    value: Any = arguments
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return _ABSENT
        value = value[part]
    return value


def odd_argument(arguments: Mapping[str, Any], names: frozenset[str]) -> str:
    """An argument that is one of `names` to readers that know no case (Go's); empty where none is.

    A rule would not see it, and the tool would.
    """
    firsts, folded = _firsts(names)
    for key, value in arguments.items():
        if key not in firsts and key.casefold() in folded:
            return key
        if isinstance(value, Mapping) and key in firsts:
            inner = frozenset(name[len(key) + 1 :] for name in names if name.startswith(f"{key}."))
            if odd := odd_argument(value, inner):
                return f"{key}.{odd}"
    return ""


@functools.lru_cache(maxsize=256)
def _firsts(names: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    """The names and what stands before their dots, as they are and without case."""
    firsts = names | {name.partition(".")[0] for name in names}
    return firsts, frozenset(name.casefold() for name in firsts)


def _text(value: Any) -> str:  # Any: a plain JSON value
    """A string as it is, anything else as JSON with sorted keys."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _number(value: Any) -> bool:  # Any: a plain JSON value
    return isinstance(value, int | float) and not isinstance(value, bool)
