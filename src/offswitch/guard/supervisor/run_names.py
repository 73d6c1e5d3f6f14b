"""What a run may be called, and what is answered to a name that no run or more than one has."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from offswitch.errors import GuardError

__all__ = ["ambiguous_name", "checked_name", "unknown_name"]

MOST_NAMED = 5
"""How many runs an answer names; there may be thousands."""
_LIKE = 0.5
_LISTER = "`offswitch guard status` shows all."


def checked_name(name: str) -> str:
    """The name, where a run may have it. Raises: GuardError."""
    shown = name.isprintable() and name == name.strip() and name not in {"", ".", ".."}
    if not shown or "/" in name or name[0] == "-":
        raise GuardError(
            f"run name {name!r} is not a file name that can be typed and seen; give one or more "
            "characters without slashes, what cannot be seen, blanks at its ends, and a hyphen at "
            "its beginning. Without --name a run is called by date and time."
        )
    return name


def unknown_name(name: str, known: Iterable[str]) -> str:
    """The message for a name that no run has: the nearest ones, and how many more there are.

    >>> unknown_name("alpah", ["alpha", "beta"])
    "unknown run 'alpah'. Did you mean 'alpha'? Others: 1. `offswitch guard status` shows all."
    >>> unknown_name("x", ["alpha", "beta"])
    "unknown run 'x'. There are alpha, beta. `offswitch guard status` shows all."
    """
    names = sorted(known)
    if not names:
        return f"unknown run {name!r}. There are no runs yet: offswitch guard run --help"
    like = difflib.get_close_matches(name, names, MOST_NAMED, _LIKE)
    if like:
        left = len(names) - len(like)
        hint = f"Did you mean {' or '.join(map(repr, like))}?"
        hint += f" Others: {left}." if left else ""
    else:
        nearest = difflib.get_close_matches(name, names, MOST_NAMED, 0.0)
        hint = f"There are {_some(sorted(nearest), len(names))}."
    return f"unknown run {name!r}. {hint} {_LISTER}"


def ambiguous_name(name: str, begun: Sequence[str]) -> str:
    """The message for a name with which more than one run begins."""
    listed = _some(sorted(begun)[:MOST_NAMED], len(begun))
    more = f". {_LISTER}" if len(begun) > MOST_NAMED else ""
    return f"{name!r} begins {len(begun)} runs: {listed}{more}"


def _some(names: Sequence[str], of: int) -> str:
    left = of - len(names)
    return ", ".join(names) + (f" and {left} more" if left else "")
