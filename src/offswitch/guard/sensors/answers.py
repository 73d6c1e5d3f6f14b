"""What a notice asks of the agent, and what came of it: its word in one file, its work in another.

Both lie in the workspace, which is hostile ground: no link is followed on the way to them, and
nothing but a plain file is opened. What is not written after the notice is no answer to it.

CAVEAT: that a checkpoint was written, or touched, is seen, and not whether anything can be restored
from it.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from typing import TypeAlias, final

from offswitch.guard.jail.bubblewrap import WORK
from offswitch.guard.policy.policy import ShutdownPolicy
from offswitch.guard.sensors.workspace import read_plain

__all__ = ["Answers", "asked_paths"]

_WORDS = {b"yes": True, b"no": False}
_LONGEST = 64
_State: TypeAlias = tuple[int, int, int]
"""Inode, size, and when it was last changed, which the agent cannot set."""


def asked_paths(policy: ShutdownPolicy) -> dict[str, str]:
    """What the notice names: where the agent's word goes, and its checkpoint where there is one.

    >>> asked_paths(ShutdownPolicy(checkpoint="state/last"))
    {'report': '/work/.stopped', 'checkpoint': '/work/state/last'}
    """
    return {name: f"{WORK}/{path}" for name, path in _asked(policy).items()}


@final
class Answers:
    """What was answered to the notice that stands. A look costs some system calls, no more."""

    def __init__(self, workspace: str, policy: ShutdownPolicy) -> None:
        self._workspace, self._asked = workspace, _asked(policy)
        self._before: dict[str, _State | None] = {}

    def mark(self) -> None:
        """Remember how the files stand: what is written from now on is an answer."""
        self._before = {name: self._state(name) for name in self._asked}

    def claimed(self) -> bool | None:
        """Whether it wrote that nothing of it goes on; None where it wrote no clear word."""
        if not self._written("report"):
            return None
        try:
            with self._folder("report") as (folder, name):
                content = read_plain(name, _LONGEST, folder) or b""
        except OSError:  # its folder was taken away since: the agent's doing, and no failure here
            return None
        return _WORDS.get(content.strip().lower())

    def saved(self) -> bool | None:
        """Whether it wrote its checkpoint; None where the policy names none."""
        return self._written("checkpoint") if "checkpoint" in self._asked else None

    def _written(self, what: str) -> bool:
        state = self._state(what)
        return state is not None and state[1] > 0 and state != self._before.get(what)

    def _state(self, what: str) -> _State | None:
        """How its file stands; None where there is no plain one."""
        try:
            with self._folder(what) as (folder, name):
                seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            return None
        plain = stat.S_ISREG(seen.st_mode)
        return (seen.st_ino, seen.st_size, seen.st_ctime_ns) if plain else None

    @contextlib.contextmanager
    def _folder(self, what: str) -> Iterator[tuple[int, str]]:
        """The open folder that its file lies in, and the file's name there. Raises: OSError."""
        *parents, name = self._asked[what].split("/")
        flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
        folder = os.open(self._workspace, flags)
        try:
            for parent in parents:
                inner = os.open(parent, flags | os.O_NOFOLLOW, dir_fd=folder)
                os.close(folder)
                folder = inner
            yield folder, name
        finally:
            os.close(folder)


def _asked(policy: ShutdownPolicy) -> Mapping[str, str]:
    given = {"report": policy.report, "checkpoint": policy.checkpoint}
    return {name: path for name, path in given.items() if path is not None}
