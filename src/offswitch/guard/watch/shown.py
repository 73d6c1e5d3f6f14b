"""Words that came from an agent, made safe to look at.

A file name can hold characters that move the cursor, turn the reading direction or show nothing
at all; an operator who decides by what is written must see what is written.
"""

from __future__ import annotations

import unicodedata
from typing import Any  # Any: plain JSON values

import msgspec

__all__ = ["LONGEST", "json_shown", "shown"]

LONGEST = 600
"""Characters of one text that are shown."""

_HIDDEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Unicode categories that a reader cannot see, or that change how the rest is read."""


def shown(text: str, longest: int = LONGEST) -> str:
    r"""The text with every character that cannot be seen spelled out, cut to `longest`.

    >>> shown("a\u202eb\nc")
    'a\\u202eb\\nc'
    """
    cut = text[:longest]
    if not (cut.isascii() and cut.isprintable()):
        cut = "".join(_spelled(character) for character in cut)
    left = len(text) - longest
    return f"{cut}... ({left} more)" if left > 0 else cut


def json_shown(value: Any, longest: int = LONGEST) -> str:
    """A JSON value as one visible line."""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return shown(text, longest)


def _spelled(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN:
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
