"""Reach the terminal that the guard was started from."""

from __future__ import annotations

import errno
import posix as os

from ..kernel import LIBC, checked
from ..outcome import allowed, blocked, error_name, refused

__all__ = ["PROBES", "controlling_terminal", "type_into_terminal"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..outcome import Outcome
    from .bait import Bait

_TIOCSTI = 0x5412
_NO_FILE = -1


def controlling_terminal(bait: Bait) -> Outcome:
    """The agent is in a session from outside the jail, whose terminal it can read and write.

    The session is asked for too: whether a guard has a terminal differs from start to start.
    """
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC))
    except OSError as problem:
        said = error_name(problem.errno or 0)
    else:
        return allowed("controlling-terminal", "/dev/tty opened for reading and writing")
    session = os.getsid(0)
    if session == 0:  # led by a process of another process namespace
        return allowed("controlling-terminal", "in a session that a process outside leads")
    if bait["tier"] < 2 and session == bait["session"]:
        return allowed("controlling-terminal", f"in the supervisor's session {session}")
    return blocked("controlling-terminal", f"{said}, in a session of its own")


def type_into_terminal(_bait: Bait) -> Outcome:
    """The call that types into a terminal reaches the kernel (without a terminal)."""
    try:
        checked(LIBC.ioctl(_NO_FILE, _TIOCSTI, None))
    except OSError as problem:
        if problem.errno == errno.EBADF:
            return allowed("type-into-terminal", "reached the kernel (EBADF)")
        return refused("type-into-terminal", problem)
    return allowed("type-into-terminal", "done")


PROBES = (controlling_terminal, type_into_terminal)
