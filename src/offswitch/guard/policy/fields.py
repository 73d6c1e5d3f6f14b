"""Takes the fields of one mapping of a policy, noting every value that does not fit."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from offswitch.errors import nearest_name
from offswitch.guard.policy.quantities import bytes_of, seconds_of
from offswitch.guard.policy.yaml_nodes import Node, Problems

__all__ = ["Fields", "texts_of"]

_N = TypeVar("_N", int, float)
_T = TypeVar("_T")


class Fields:
    """The fields of a mapping. A field that is missing or does not fit has its default.

    Call `finish` when all have been taken: a name that nobody took is then a problem.
    """

    def __init__(self, node: Node | None, problems: Problems) -> None:
        self._problems, self._taken = problems, set[str]()
        self.node = node
        if node is not None and not isinstance(node.value, dict):
            problems.append(node.problem("a mapping of names to values"))
            self.node = None

    def take(self, name: str) -> Node | None:
        """The value of a field; None where it is not given, or given as nothing."""
        self._taken.add(name)
        found: Node | None = self.node.value.get(name) if self.node is not None else None
        return None if found is None or found.value is None else found

    def finish(self) -> None:
        """Note every name that is not known, with the nearest that is."""
        for name, one in (self.node.value if self.node is not None else {}).items():
            if name not in self._taken:
                hint = nearest_name(name, self._taken, kind="field", lister="docs/contain.md")
                self._problems.append(f"line {one.line}: {one.where}: {hint}")

    def text(self, name: str, default: _T, *, expected: str = "a text") -> str | _T:
        """A text that is not blank."""
        return self._checked(
            name, default, lambda v: isinstance(v, str) and v.strip() != "", expected
        )

    def inside(self, name: str, default: _T) -> str | _T:
        """A file's path below the workspace, in its plain form."""
        return self._checked(name, default, _is_inside, "a path below the workspace: state/last")

    def flag(self, name: str, default: bool) -> bool:
        """true or false."""
        return self._checked(name, default, lambda v: isinstance(v, bool), "true or false")

    def choice(self, name: str, choices: Sequence[_T], default: _T) -> _T:
        """One of some words."""
        return self._checked(
            name, default, lambda v: v in choices, "one of " + ", ".join(map(str, choices))
        )

    def number(self, name: str, default: _T, *, low: float, high: float = math.inf) -> float | _T:
        """A finite number from `low` to `high`."""
        upper = f" to {high:g}" if high < math.inf else " or more"
        return self._checked(
            name, default,
            lambda v: _is_number(v) and low <= v <= high and abs(v) <= sys.float_info.max,
            f"a number, {low:g}{upper}",
        )  # fmt: skip

    def integer(self, name: str, default: _T, *, low: int, high: int = 2**62) -> int | _T:
        """A whole number from `low` to `high`."""
        upper = f" to {high}" if high < 2**62 else " or more"
        return self._checked(
            name, default, lambda v: type(v) is int and low <= v <= high,
            f"a whole number, {low}{upper}",
        )  # fmt: skip

    def seconds(self, name: str, default: _T, *, low: float = 0.001) -> float | _T:
        """A duration, in seconds."""
        value = self._quantity(name, default, seconds_of)
        if isinstance(value, float) and value < low:
            self._note(name, f"a duration of at least {low:g}s")
            return default
        return value

    def size(self, name: str, default: _T, *, low: int = 1) -> int | _T:
        """A size, in bytes."""
        value = self._quantity(name, default, bytes_of)
        if isinstance(value, int) and value < low:
            self._note(name, f"a size of at least {low} bytes")
            return default
        return value

    def texts(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """One text or a list of them."""
        node = self.take(name)
        return default if node is None else texts_of(node, self._problems)

    def items(self, name: str) -> Sequence[Node]:
        """The items of a list."""
        node = self.take(name)
        if node is None:
            return ()
        if not isinstance(node.value, list):
            self._problems.append(node.problem("a list"))
            return ()
        return node.value

    def entries(self, name: str) -> Sequence[tuple[str, Node]]:
        """The names and values of a mapping."""
        fields = Fields(self.take(name), self._problems)
        return () if fields.node is None else [*fields.node.value.items()]

    def _quantity(self, name: str, default: _T, of: Callable[[str], _N]) -> _N | _T:
        node = self.take(name)
        if node is None:
            return default
        try:
            return of(node.value if isinstance(node.value, str) else str(node.plain))
        except ValueError as problem:
            self._problems.append(f"line {node.line}: {node.where}: {problem}")
            return default

    def _checked(  # Any: whatever the file holds
        self, name: str, default: _T, fits: Callable[[Any], bool], expected: str
    ) -> _T:
        node = self.take(name)
        if node is None:
            return default
        try:
            good = fits(node.value)
        except TypeError:  # a mapping or list that cannot be compared
            good = False
        if good:
            value: _T = node.value
            return value
        self._problems.append(node.problem(expected))
        return default

    def _note(self, name: str, expected: str) -> None:
        node = self.take(name)
        assert node is not None
        self._problems.append(node.problem(expected))


def texts_of(node: Node, problems: Problems) -> tuple[str, ...]:
    """One text, or a list of texts; numbers are read as they are written."""
    items = node.value if isinstance(node.value, list) else [node]
    for one in items:
        if not isinstance(one.value, str) or not one.value:
            problems.append(one.problem("a text, or a list of texts"))
    return tuple(one.value for one in items if isinstance(one.value, str) and one.value)


def _is_inside(value: object) -> bool:
    parts = value.split("/") if isinstance(value, str) else [""]
    return not {"", ".", ".."} & set(parts) and "\0" not in str(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
