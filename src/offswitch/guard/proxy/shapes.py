"""Parts of JSON bodies whose shape nobody has checked."""

from __future__ import annotations

from typing import Any  # plain JSON values

__all__ = ["MalformedError", "dicts", "field", "listed", "object_list", "text_parts"]


class MalformedError(ValueError):
    """A response that does not have its format's shape; none of it goes on to the agent."""


def field(value: object, name: str) -> Any:
    """A field of an object; None where it has none or is no object."""
    return value.get(name) if isinstance(value, dict) else None


def listed(value: object) -> list[Any]:
    """The items of a list; none where it is no list."""
    return value if isinstance(value, list) else []


def dicts(value: object) -> list[dict[str, Any]]:
    """The objects among the items of a list."""
    return [one for one in listed(value) if isinstance(one, dict)]


def object_list(value: object, what: str) -> list[dict[str, Any]]:
    """A list of objects; nothing is an empty one.

    Raises:
        MalformedError: it is neither, so that a reader might see in it what was not judged.
    """
    if value is None:
        return []
    if isinstance(value, list) and all(isinstance(one, dict) for one in value):
        return value
    raise MalformedError(f"{what} that is no list of objects")


def text_parts(content: object) -> Any:
    """A message's content with nothing but its texts: marks such as cache hints left out."""
    if isinstance(content, list):
        return [one["text"] if isinstance(field(one, "text"), str) else one for one in content]
    return content
