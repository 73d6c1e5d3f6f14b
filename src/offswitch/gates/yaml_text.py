"""YAML into plain values, with every key given twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own

__all__ = ["YAMLError", "parsed"]

YAMLError: type[Exception] = yaml.YAMLError


def parsed(text: str) -> tuple[object, list[str]]:
    """The value that a YAML (or JSON) text holds, and a line for every key that it gives twice.

    PyYAML keeps the last of two equal keys and says nothing: of two limits one would be lost.

    >>> parsed("upper: 0.01\\nupper: 0.5")
    ({'upper': 0.5}, ["line 2: key 'upper' is given twice"])

    Raises:
        YAMLError: the text is not YAML; the message has line and column.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        return yaml.safe_load(text), list(_repeated(node, set()))
    except (AttributeError, IndexError, TypeError, RecursionError) as error:
        # PyYAML lets these through for a tag that does not fit its value, and for deep nesting.
        raise YAMLError(f"not readable: {type(error).__name__}: {error}") from error


def _repeated(node: yaml.Node | None, seen: set[int]) -> Iterator[str]:
    if node is None or id(node) in seen:
        return
    seen.add(id(node))  # an alias is the same node again
    if isinstance(node, yaml.MappingNode):
        counts: Counter[str] = Counter()
        for key, value in node.value:
            counts[str(key.value)] += 1
            if counts[str(key.value)] == 2:
                yield f"line {key.start_mark.line + 1}: key {key.value!r} is given twice"
            yield from _repeated(value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for child in node.value:
            yield from _repeated(child, seen)
