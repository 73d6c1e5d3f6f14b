"""Who opens, changes or removes a decoy, told by the kernel: inotify on the decoys alone.

A watch is on the file itself, so it sees the agent through the jail's own mount of the folder.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, final

from offswitch.errors import GuardError
from offswitch.guard.sensors.decoys import Decoy, Touch

__all__ = ["DecoyWatch"]

_READ = 0x1 | 0x20  # IN_ACCESS, IN_OPEN
_CHANGED = 0x2 | 0x4 | 0x8 | 0x400 | 0x800  # MODIFY, ATTRIB, CLOSE_WRITE, DELETE_SELF, MOVE_SELF
_OVERFLOW = 0x4000
_EVENT = struct.Struct("iIII")
_BUFFER = 64 * 1024


@final
class DecoyWatch:
    """An open watch on decoys that are laid.

    Raises:
        GuardError: a decoy is not there, or this user may watch no more files.
    """

    def __init__(self, workspace: str | os.PathLike[str], decoys: Iterable[Decoy]) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise GuardError(_refused("inotify", ctypes.get_errno()))
        self._paths: dict[int, str] = {}
        for decoy in decoys:
            path = os.fsencode(Path(workspace, decoy.path))
            number = libc.inotify_add_watch(self._fd, path, _READ | _CHANGED)
            if number < 0:
                problem = _refused(decoy.path, ctypes.get_errno())
                self.close()
                raise GuardError(problem)
            self._paths[number] = decoy.path

    def touches(self) -> tuple[Touch, ...]:
        """What was done since the last call; never waits. Cheap enough for every heartbeat."""
        try:
            data = os.read(self._fd, _BUFFER)
        except BlockingIOError:
            return ()
        found: dict[Touch, None] = {}
        at = 0
        while at < len(data):
            number, mask, _, length = _EVENT.unpack_from(data, at)
            at += _EVENT.size + length
            if mask & _OVERFLOW:  # so many touches that some were lost: all count as changed
                found |= {Touch(path, "changed"): None for path in self._paths.values()}
            elif number in self._paths and mask & (_READ | _CHANGED):
                word: Literal["read", "changed"] = "changed" if mask & _CHANGED else "read"
                found[Touch(self._paths[number], word)] = None
        return tuple(found)

    def close(self) -> None:
        """Watch no more."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _refused(what: str, number: int) -> str:
    return (
        f"cannot watch {what}: {os.strerror(number)}. Lay the decoys first; when the limit on "
        "watches is reached, raise fs.inotify.max_user_watches or max_user_instances."
    )
