"""Whether a file was written since a moment, and not merely touched.

Times and modes say nothing: `touch` and `chmod` move them, and their owner may set them back. What
counts is that other bytes are there, that another file is in its place, or that the kernel saw a
write to the very file that was there; a write of the bytes that it held before is one.

CAVEAT: of more than 512 KiB only eight parts, spread evenly, are compared, and a write through a
memory map is seen by its bytes alone. A file that was there before, moved into its place, counts as
written: nobody sees when its bytes were.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import select
import stat
from typing import NamedTuple, final

__all__ = ["WriteWatch"]

_PARTS, _PART = 8, 64 * 1024
_MODIFY = 0x2  # IN_MODIFY: written to, or cut; that a file is gone is told unasked


class _Look(NamedTuple):
    file: tuple[int, int]
    """Device and inode."""
    size: int
    modified_ns: int
    sample: bytes | None
    """A digest of its bytes; None where this user may not read them."""


@final
class WriteWatch:
    """What stood under a name, and a watch on it since; no link is followed.

    Where nothing was marked, nothing stood there. A look reads at most 512 KiB. One descriptor is
    held, and none of the file itself: what the agent removes is removed.
    """

    def __init__(self) -> None:
        self._stood: _Look | None = None
        self._events = self._watch = -1

    def mark(self, folder: int, name: str) -> None:
        """Watch what stands under that name of an open folder, from now on."""
        self._forget()
        if (file := _opened(folder, name)) is not None:
            try:
                self._watch = self._watched(file)
                self._stood = _look(file)
            finally:
                os.close(file)

    def written(self, folder: int, name: str) -> bool | None:
        """Whether a plain file with something in it stands there, written since the watch began.

        None where that cannot be told from a touch: this user could not watch the file.
        """
        if (file := _opened(folder, name)) is None:
            return False
        try:
            now = _look(file)
        finally:
            os.close(file)
        if now is None or now.size == 0:
            return False
        stood = self._stood
        if stood is None or (now.file, now.size) != (stood.file, stood.size):
            return True
        if None not in (now.sample, stood.sample) and now.sample != stood.sample:
            return True
        if self._watch >= 0:
            return self._has_event()
        return None if now.modified_ns != stood.modified_ns else False

    def _has_event(self) -> bool:
        """Whether the file was written to, or is gone and another has its number."""
        poll = select.poll()
        poll.register(self._events, select.POLLIN)
        return bool(poll.poll(0))

    def _watched(self, file: int) -> int:
        """The number of a watch on writes to the file; -1 where there can be none."""
        libc = ctypes.CDLL(None)
        if self._events < 0:
            self._events = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        path = f"/proc/self/fd/{file}".encode()
        number: int = libc.inotify_add_watch(self._events, path, _MODIFY)
        return number

    def _forget(self) -> None:
        if self._watch >= 0:
            ctypes.CDLL(None).inotify_rm_watch(self._events, self._watch)
            with contextlib.suppress(BlockingIOError):
                while os.read(self._events, 4096):
                    pass
        self._stood, self._watch = None, -1

    def close(self) -> None:
        """Watch no more; that takes the kernel milliseconds, and is not done for each mark."""
        self._forget()
        if self._events >= 0:
            os.close(self._events)
        self._events = -1


def _opened(folder: int, name: str) -> int | None:
    """What stands there and not what it leads to, opened for nothing; None where nothing does."""
    try:
        return os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return None


def _look(file: int) -> _Look | None:
    """How it stands; None where it is no plain file."""
    seen = os.fstat(file)
    if not stat.S_ISREG(seen.st_mode):
        return None
    sample = _sample(file, seen.st_size)
    return _Look((seen.st_dev, seen.st_ino), seen.st_size, seen.st_mtime_ns, sample)


def _sample(file: int, size: int) -> bytes | None:
    spread = [i * (size - _PART) // (_PARTS - 1) for i in range(_PARTS)]  # both ends among them
    digest = hashlib.sha256()
    try:
        # Not waiting: its owner may hold a lease on it, and give that up late.
        fd = os.open(f"/proc/self/fd/{file}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        for at in range(0, size, _PART) if size <= _PARTS * _PART else spread:
            digest.update(os.pread(fd, _PART, at))
    except OSError:
        return None
    finally:
        os.close(fd)
    return digest.digest()
