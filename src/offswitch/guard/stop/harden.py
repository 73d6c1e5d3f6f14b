"""Make this process hard to reach, to swap out and to starve; say what was not allowed."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
from collections.abc import Iterator

__all__ = [
    "ahead",
    "die_with_parent",
    "forbid_new_rights",
    "harden",
    "limit_core",
    "set_dumpable",
    "set_oom_score",
]

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38
MCL_CURRENT_AND_FUTURE = 3
SIGKILL = 9
_libc = ctypes.CDLL(None, use_errno=True)


def harden() -> dict[str, bool]:
    """Mechanism -> whether it holds, for the process of the watchdog.

    session: out of reach of a terminal's signals. oom: the last to be killed when memory is
    short. dumpable: no process of the same user reads its memory. locked: never swapped out.
    realtime: before ordinary processes; not inherited. subreaper: orphans of the run come here.
    """
    return {
        "session": os.getsid(0) == os.getpid(),
        "oom": set_oom_score(-1000),
        "dumpable": set_dumpable(False),
        "locked": _lock_memory(),
        "realtime": _realtime(),
        "subreaper": _prctl(PR_SET_CHILD_SUBREAPER, 1),
    }


@contextlib.contextmanager
def ahead() -> Iterator[bool]:
    """Put this thread before ordinary ones while the block runs; gives whether that is allowed.

    A supervisor without a time slice has no pulse, and its watchdog kills the run. What the thread
    starts meanwhile, threads and processes, does not inherit it.
    """
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    allowed = _realtime()
    try:
        yield allowed
    finally:
        if allowed:
            with contextlib.suppress(OSError):  # who may rise need not have the right to go back
                os.sched_setscheduler(0, *before)


def die_with_parent(parent: int) -> bool:
    """Whether the kernel will kill this process when its parent's thread ends; False if it has.

    The parent is asked for again afterwards: it may have died before the request.
    """
    return _prctl(PR_SET_PDEATHSIG, SIGKILL) and os.getppid() == parent


def forbid_new_rights() -> bool:
    """Whether it worked: no program that this process executes gains a right by its file's mode."""
    return _prctl(PR_SET_NO_NEW_PRIVS, 1)


def limit_core() -> bool:
    """Whether it worked: a crash from here on leaves no file and starts no program of the host's.

    A limit of 0 stops the file alone. Where `core_pattern` names a program, the kernel starts it,
    as root and outside every namespace, at any limit but 1 (Linux, fs/coredump.c).
    """
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
    except (OSError, ValueError):  # the hard limit is 0 and this user may not raise it
        return False
    return True


def set_dumpable(dumpable: bool) -> bool:
    """Whether it worked. A process that is not dumpable hides its memory from its own user."""
    return _prctl(PR_SET_DUMPABLE, int(dumpable))


def set_oom_score(score: int) -> bool:
    """Whether it worked: -1000 is never chosen when memory runs out, 1000 is chosen first."""
    with contextlib.suppress(OSError):
        fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
        try:
            return os.write(fd, str(score).encode()) > 0
        finally:
            os.close(fd)
    return False


def _lock_memory() -> bool:
    # With a finite limit the call may succeed and a later allocation then fail: worse than a swap.
    if os.geteuid() != 0 and resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] != -1:
        return False
    return bool(_libc.mlockall(MCL_CURRENT_AND_FUTURE) == 0)


def _realtime() -> bool:
    with contextlib.suppress(OSError):
        policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(0, policy, os.sched_param(1))
        return True
    return False


def _prctl(option: int, value: int) -> bool:
    return bool(_libc.prctl(option, value, 0, 0, 0) == 0)
