"""What a notice asks of the agent, and what came of it: its word in one file, its work in another.

Both lie in the workspace, which is hostile ground: no link is followed on the way to them, and
nothing but a plain file is opened. What is not written after the notice is no answer to it: a file
that is touched stays what it was, and one that is written anew with the bytes that it held before
is written, for a program that has nothing new to save has done as it was told.

CAVEAT: that a checkpoint was written is seen, and neither that it holds anything new nor whether
anything can be restored from it. See `sensors.written` for what a write is.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import final

from offswitch.guard.jail.bubblewrap import WORK
from offswitch.guard.policy.policy import ShutdownPolicy
from offswitch.guard.sensors.workspace import read_plain
from offswitch.guard.sensors.written import WriteWatch

__all__ = ["Answers", "asked_paths"]

_WORDS = {b"yes": True, b"no": False}
_LONGEST = 4096
"""Bytes of a file that can be one word, with whatever blanks around it: a longer one is none."""


def asked_paths(policy: ShutdownPolicy) -> dict[str, str]:
    """What the notice names: where the agent's word goes, and its checkpoint where there is one.

    >>> asked_paths(ShutdownPolicy(checkpoint="state/last"))
    {'report': '/work/.stopped', 'checkpoint': '/work/state/last'}
    """
    return {name: f"{WORK}/{path}" for name, path in _asked(policy).items()}


@final
class Answers:
    """What was answered to the notice that stands. A look reads at most 512 KiB of each file."""

    def __init__(self, workspace: str, policy: ShutdownPolicy) -> None:
        self._workspace, self._asked = workspace, _asked(policy)
        self._watches = {what: WriteWatch() for what in self._asked}

    def mark(self) -> None:
        """Watch the files from now on: what is written after this is an answer."""
        for what, watch in self._watches.items():
            with contextlib.suppress(OSError), self._folder(what) as (folder, name):
                watch.mark(folder, name)

    def close(self) -> None:
        """Watch no more."""
        for watch in self._watches.values():
            watch.close()

    def claimed(self) -> bool | None:
        """Whether it wrote that nothing of it goes on; None where it wrote no clear word."""
        if not self._written("report"):
            return None
        try:
            with self._folder("report") as (folder, name):
                content = read_plain(name, _LONGEST + 1, folder) or b""
        except OSError:  # its folder was taken away since: the agent's doing, and no failure here
            return None
        return None if len(content) > _LONGEST else _WORDS.get(content.strip().lower())

    def saved(self) -> bool | None:
        """Whether it wrote its checkpoint; None where the policy names none, or nobody can tell."""
        return self._written("checkpoint") if "checkpoint" in self._asked else None

    def _written(self, what: str) -> bool | None:
        """Whether its file is there, not empty, and written since the mark; None: nobody knows."""
        try:
            with self._folder(what) as (folder, name):
                return self._watches[what].written(folder, name)
        except OSError:
            return False

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
