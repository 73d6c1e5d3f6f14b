"""Choices taken from bytes, so that one harness serves both a fuzzer and hypothesis.

A fuzzer that only turns bits seldom gets past the first brace of a JSON text. Here the bytes say
instead what is done to a good input: which value is replaced, which event is dropped or doubled.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, TypeVar  # Any: plain JSON values

__all__ = ["Draws", "bent_bytes", "bent_list", "bent_tree"]

T = TypeVar("T")


class Draws:
    """Takes a byte per choice; after the last it takes zeros."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def below(self, count: int) -> int:
        """A number from 0 to `count` - 1, 0 where there is none."""
        drawn = self.byte() if count <= 256 else self.byte() << 8 | self.byte()
        return drawn % count if count else 0

    def pick(self, items: Sequence[T]) -> T:
        return items[self.below(len(items))]

    def rest(self) -> bytes:
        taken, self._at = self._data[self._at :], len(self._data)
        return taken

    @property
    def left(self) -> bool:
        return self._at < len(self._data)


def bent_bytes(data: bytes, draws: Draws, most: int = 8) -> bytes:
    """The bytes with some of them changed, cut out, doubled or moved."""
    for _ in range(most):
        if not draws.left or not data:
            break
        at, size = draws.below(len(data)), 1 + draws.below(64)
        piece = data[at : at + size]
        match draws.below(5):
            case 0:
                data = data[:at] + bytes([draws.byte()]) + data[at + 1 :]
            case 1:
                data = data[:at] + data[at + size :]
            case 2:
                data = data[:at] + piece + data[at:]
            case 3:
                to = draws.below(len(data))
                data = data[:to] + piece + data[to:]
            case _:
                data = data[:at]
    return data


def bent_tree(tree: Any, draws: Draws, keys: Sequence[str], values: Sequence[Any]) -> Any:
    """The JSON value with one of its values replaced, removed, doubled or given another key."""
    tree = copy.deepcopy(tree)
    holders = list(_holders(tree))
    if not holders:
        return draws.pick(values)
    holder = draws.pick(holders)
    value = copy.deepcopy(draws.pick(values))
    if isinstance(holder, list):
        at = draws.below(len(holder) + 1)
        match draws.below(3):
            case 0:
                holder[at : at + 1] = [value]
            case 1:
                del holder[at : at + 1]
            case _:
                holder[at:at] = copy.deepcopy(holder[at : at + 1]) or [value]
        return tree
    name = draws.pick([*holder, "new"])
    match draws.below(4):
        case 0:
            holder[name] = value
        case 1:
            holder.pop(name, None)
        case 2:
            holder[draws.pick(keys)] = holder.pop(name, value)
        case _:
            holder[draws.pick(keys)] = value
    return tree


def bent_list(items: list[T], draws: Draws) -> list[T]:
    """The list with one item dropped, doubled or moved."""
    at, to = draws.below(len(items)), draws.below(len(items) + 1)
    match draws.below(3):
        case 0:
            return items[:at] + items[at + 1 :]
        case 1:
            return items[:to] + items[at : at + 1] + items[to:]
        case _:
            rest = items[:at] + items[at + 1 :]
            return rest[:to] + items[at : at + 1] + rest[to:]


def _holders(tree: Any) -> list[Any]:
    """Every object and list in it, itself included."""
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    own = [tree] if isinstance(tree, dict | list) else []
    return own + [holder for one in inner for holder in _holders(one)]
