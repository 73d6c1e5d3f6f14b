"""Ctrl-C once to stop with what there is, twice to leave at once."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType

__all__ = ["INTERRUPTED", "stop_once"]

INTERRUPTED = 130
"""128 + SIGINT, as a shell reports it."""
SHOW_CURSOR = "\x1b[?25h"


@contextlib.contextmanager
def stop_once() -> Iterator[None]:
    """Inside, the first SIGINT raises KeyboardInterrupt and a second one ends the process.

    The second does not wait for threads or files: whoever presses twice wants to be out.
    """

    def leave(_number: int, _frame: FrameType | None) -> None:
        if sys.stderr.isatty():
            os.write(sys.stderr.fileno(), SHOW_CURSOR.encode())  # a progress bar hides it
        os._exit(INTERRUPTED)

    def stop(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, leave)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
