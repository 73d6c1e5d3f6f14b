"""YAML as a tree that knows the line of every value; every problem is collected.

No tags, no anchors, no key twice: a policy says what it says in one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec
import yaml  # type: ignore[import-untyped]

__all__ = ["Node", "Problems", "parsed"]

Problems: TypeAlias = list[str]

_MOST_BYTES = 2**20
_MOST_DEEP = 50
_PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str")}
_AS_TEXT = {f"tag:yaml.org,2002:{kind}" for kind in ("timestamp", "merge", "value")}


class Node(msgspec.Struct, frozen=True):
    """A value, where it stands, and how it is called."""

    value: Any  # Any: None, bool, int, float, str, list of nodes, or dict of nodes
    line: int
    """From 1."""
    where: str
    """'jail.limits.memory'; empty for the whole file."""

    @property
    def plain(self) -> Any:  # Any: plain JSON values
        """The value without its places."""
        if isinstance(self.value, dict):
            return {key: one.plain for key, one in self.value.items()}
        if isinstance(self.value, list):
            return [one.plain for one in self.value]
        return self.value

    @property
    def kind(self) -> str:
        """What it is, for messages."""
        if isinstance(self.value, dict):
            return "a mapping"
        if isinstance(self.value, list):
            return "a list"
        return "nothing" if self.value is None else repr(self.value)

    def problem(self, expected: str) -> str:
        """'line 3: jail.tier: got 'two', expected ...'."""
        where = f"{self.where}: " if self.where else ""
        return f"line {self.line}: {where}got {self.kind}, expected {expected}"


def parsed(text: str, problems: Problems) -> Node | None:
    """The tree of a YAML document; None where it has none, the reason being among the problems."""
    if len(text) > _MOST_BYTES:
        problems.append(f"holds {len(text)} characters, expected at most {_MOST_BYTES}")
        return None
    try:
        aliases = _aliases(text)
        root = None if aliases else yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as problem:
        line = problem.problem_mark.line + 1 if problem.problem_mark else 1
        problems.append(f"line {line}: is not YAML: {problem.problem or problem.context}")
        return None
    except (yaml.YAMLError, RecursionError, ValueError) as problem:
        problems.append(
            f"is not YAML: {str(problem).splitlines()[0] if str(problem) else problem!r}"
        )
        return None
    problems += [
        f"line {one.start_mark.line + 1}: got an alias *{one.anchor}, expected the value itself"
        for one in aliases
    ]
    if root is None:
        problems += [] if aliases else ["holds nothing, expected a policy"]
        return None
    return _tree(root, "", problems)


def _aliases(text: str) -> list[yaml.AliasEvent]:
    """Every alias in the text. Raises: YAMLError; reading what lies deep takes quadratic time."""
    found: list[yaml.AliasEvent] = []
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        found += [event] if isinstance(event, yaml.AliasEvent) else []
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MOST_DEEP:
            raise yaml.YAMLError(f"nested more than {_MOST_DEEP} levels deep")
    return found


def _tree(node: yaml.Node, where: str, problems: Problems) -> Node:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        return Node(_entries(node, where, problems), line, where)
    if isinstance(node, yaml.SequenceNode):
        items = [_tree(one, f"{where}[{i}]", problems) for i, one in enumerate(node.value)]
        return Node(items, line, where)
    value = _scalar(node, where, problems)
    if isinstance(value, str) and "\0" in value:
        problems.append(
            f"line {line}: {where}: got {value!r}, expected no NUL: no path and no argument has one"
        )
        value = value.replace("\0", "\ufffd")  # so that nothing else finds fault with it
    return Node(value, line, where)


def _entries(node: yaml.MappingNode, where: str, problems: Problems) -> Mapping[str, Node]:
    entries: dict[str, Node] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = key_node.value
        if not isinstance(key_node, yaml.ScalarNode) or not isinstance(key, str):
            problems.append(f"line {line}: got a key that is no text, expected a name")
            continue
        shown = key if key.isprintable() else repr(key)[1:-1]  # messages go to a terminal
        path = f"{where}.{shown}" if where else shown
        if key in entries:
            problems.append(f"line {line}: {path}: given a second time, after line "
                            f"{entries[key].line}; keep one")  # fmt: skip
            continue
        entries[key] = _tree(value_node, path, problems)
    return entries


def _scalar(node: yaml.Node, where: str, problems: Problems) -> Any:  # Any: as Node.value
    if node.tag not in _PLAIN:
        if node.tag not in _AS_TEXT:
            problems.append(
                f"line {node.start_mark.line + 1}: {where}: got the tag {node.tag}, expected none"
            )
        return node.value  # dates and the like are texts here
    if node.tag.endswith("int") and ":" in node.value:  # YAML 1.1 reads 1:30 as 90
        return node.value
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node, deep=True)
    except ValueError:
        problems.append(f"line {node.start_mark.line + 1}: {where}: cannot read {node.value!r}")
        return None
    finally:
        loader.dispose()
