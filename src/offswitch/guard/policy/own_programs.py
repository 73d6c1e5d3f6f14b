"""The `own_programs:` part of a policy file: what an agent's own code may start unproposed.

A name alone fits only programs of the system, which no agent can write: a program of its own must
not pass for one by its name. A whole path fits wherever it leads.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from offswitch.guard.policy.fields import Fields, texts_of
from offswitch.guard.policy.yaml_nodes import Problems

__all__ = ["own_pattern", "own_programs"]

_SYSTEM = ("/usr/", "/bin/", "/sbin/")


def own_programs(fields: Fields, problems: Problems) -> tuple[str, ...]:
    """The list `own_programs` of a mapping."""
    node = fields.take("own_programs")
    if node is None:
        return ()
    found = texts_of(node, problems)
    whys = filter(None, map(_problem, found))
    problems += [f"line {node.line}: {node.where}: {why}" for why in whys]
    return found


def _problem(pattern: str) -> str:
    """What is wrong with a pattern; empty where nothing is."""
    if not pattern.strip("*?/"):
        return f"{pattern!r} would take every program for the agent's own; name those it needs"
    if "/" in pattern and pattern[0] not in "/*":
        return f"got {pattern!r}, expected a name such as git, or a whole path: /usr/bin/git"
    return ""


def own_pattern(path: str, patterns: Sequence[str]) -> str | None:
    """The first pattern that the program at this path fits; None where it fits none.

    >>> own_pattern("/usr/bin/git", ("git",)), own_pattern("/work/git", ("git",))
    ('git', None)
    """
    name = path.rpartition("/")[2] if path.startswith(_SYSTEM) else None
    for pattern in patterns:
        text = path if "/" in pattern else name
        if text is not None and fnmatch.fnmatchcase(text, pattern):
            return pattern
    return None
