"""Which files of a run's command are the agent itself, so that a copy of one is a self-copy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from offswitch.guard.jail.bubblewrap import WORK

__all__ = ["own_files"]

_MATERIAL = frozenset((".csv", ".json", ".jsonl", ".md", ".tsv", ".txt", ".xml", ".yaml", ".yml"))


def own_files(workspace: str, command: Sequence[str]) -> tuple[str, ...]:
    """The agent's own program, as far as its command names files: by path on the host.

    The first file that it names is the program; of the others those that by their suffix are
    documents or data are what it works on, and quoting them is no copy of itself.

    >>> own_files("/nowhere", ["python", "agent.py", "x" * 5000])
    ()
    """
    inside = (Path(workspace, word.removeprefix(f"{WORK}/")) for word in command)
    named = [path for path in inside if _is_file(path) and ".." not in path.parts]
    return tuple(str(path) for path in named if path == named[0] or path.suffix not in _MATERIAL)


def _is_file(path: Path) -> bool:
    """Whether it names a file; a word that can be no name, such as a long script, names none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
