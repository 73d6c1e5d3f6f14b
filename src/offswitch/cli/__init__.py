"""The command line. Each command is a file; they are imported only when they are run.

This file imports next to nothing, so that an interrupt is met while all else is being imported.
"""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

__all__ = ["main"]

_INTERRUPTED = 130
"""128 + SIGINT, as a shell reports it."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a user's mistake is a message and exit code 2, never a traceback.

    Without `arguments` this process's own are meant, and an interrupt leaves it at once until a
    command begins: nothing has been done by then.
    """
    owned = arguments is None and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    try:
        if owned:
            signal.signal(signal.SIGINT, _leave)
        from offswitch.cli import program

        if owned:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        program.main(arguments)
    except KeyboardInterrupt:  # between two lines, or once more while the first is being told
        _leave()


def _leave(_number: int = 0, _frame: FrameType | None = None) -> None:
    """End here: an exception would show where it struck, and be lost in what Python calls back."""
    try:
        os.write(2, b"Interrupted.\n")
    finally:
        os._exit(_INTERRUPTED)
