"""A self-test's own folder: gone when it ends, and what a killed one left goes with the next."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["scratch_folder"]

_PREFIX = "offswitch-selftest-"


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new folder among the temporary files that every user may enter, removed with all in it.

    Those that this user's killed self-tests left are removed first. A living one holds a lock on
    its own, which the kernel gives back whatever ends it.
    """
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        _remove_stale(left)
    folder, lock = _locked()
    try:
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _locked() -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        # Another's clearing up may come between the two, and take it for one that was left.
        with contextlib.suppress(FileNotFoundError):
            lock = _opened(folder)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.exists():
                return folder, lock
            os.close(lock)


def _remove_stale(folder: Path) -> None:
    """Remove it if it is this user's and nobody's lock is on it."""
    with contextlib.suppress(OSError):  # gone, a link, or closed to this user
        lock = _opened(folder)
        try:
            if os.fstat(lock).st_uid == os.geteuid():
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)


def _opened(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
