"""The operator's terminal, put back as it was when the agent that had it is gone."""

from __future__ import annotations

import contextlib
import os
import signal
import termios
import threading
from collections.abc import Iterable, Iterator

__all__ = ["kept_terminal"]


@contextlib.contextmanager
def kept_terminal(descriptors: Iterable[int]) -> Iterator[None]:
    """Put the settings of every terminal among these back when the block ends, and let it write.

    A program that was given a terminal may switch off its echo and its Ctrl-C, or stop its output;
    whoever writes to it then waits for ever.
    """
    before = {fd: _settings(fd) for fd in descriptors}
    try:
        yield
    finally:
        for fd, settings in before.items():
            if settings is not None:
                _put_back(fd, settings)


def _settings(fd: int) -> list[int | list[bytes | int]] | None:
    try:
        return termios.tcgetattr(fd) if os.isatty(fd) else None
    except (OSError, termios.error):
        return None


def _put_back(fd: int, settings: list[int | list[bytes | int]]) -> None:
    main = threading.current_thread() is threading.main_thread()
    # Without the foreground the change itself would put this process to sleep.
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN) if main else None
    try:
        with contextlib.suppress(OSError, termios.error):  # the terminal may be gone
            termios.tcflow(fd, termios.TCOON)
            termios.tcsetattr(fd, termios.TCSANOW, settings)
    finally:
        if main:
            signal.signal(signal.SIGTTOU, before)
