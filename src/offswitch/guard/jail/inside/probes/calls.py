"""Kernel interfaces that sandboxes have been left through."""

from __future__ import annotations

import errno
import posix as os

from ..kernel import LIBC, PR_SET_PDEATHSIG, call, checked, prctl, words
from ..outcome import allowed, error_name, refused

__all__ = [
    "PROBES",
    "clear_death_signal",
    "io_uring",
    "keyring",
    "memfd",
    "mount",
    "nested_users",
    "set_clock",
    "time_namespace",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..outcome import Outcome
    from .bait import Bait

_CLONE_NEWTIME, _CLONE_NEWUSER = 0x80, 0x10000000
_CLOCK_REALTIME = 0
_NO_NANOSECONDS = 2_000_000_000
_KEYCTL_JOIN_SESSION_KEYRING = 1


def mount(_bait: Bait) -> Outcome:
    """A file system can be mounted."""
    return _tried("mount", lambda: checked(LIBC.mount(b"none", b"/tmp", b"tmpfs", 0, None)))


def keyring(_bait: Bait) -> Outcome:
    """The kernel's keyrings answer."""
    return _tried("keyring", lambda: call("keyctl", _KEYCTL_JOIN_SESSION_KEYRING, None))


def set_clock(_bait: Bait) -> Outcome:
    """The call that sets the clock reaches the kernel (with a time no clock can be set to)."""
    never = words(0, _NO_NANOSECONDS)
    return _tried("set-clock", lambda: call("clock_settime", _CLOCK_REALTIME, never))


def memfd(_bait: Bait) -> Outcome:
    """A file can be made that is in no folder, to be executed unseen."""
    return _tried("memfd", lambda: os.close(os.memfd_create("probe")))


def io_uring(_bait: Bait) -> Outcome:
    """The call that makes an io_uring reaches the kernel (without parameters)."""
    return _tried("io-uring", lambda: call("io_uring_setup", 1, None))


def clear_death_signal(_bait: Bait) -> Outcome:
    """A process can switch off its own death signal, which is why nothing depends on it alone."""
    return _tried("clear-death-signal", lambda: prctl(PR_SET_PDEATHSIG, 0))


def nested_users(_bait: Bait) -> Outcome:
    """A user namespace can be made, in which the agent holds every capability."""
    return _tried("nested-users", lambda: checked(LIBC.unshare(_CLONE_NEWUSER)))


def time_namespace(_bait: Bait) -> Outcome:
    """A time namespace can be made, in which clocks tell another time.

    It takes a capability: the one just won with a user namespace, or won together with it.
    """
    if LIBC.unshare(_CLONE_NEWTIME) == 0:
        return allowed("time-namespace", "done")
    both = _CLONE_NEWUSER | _CLONE_NEWTIME
    return _tried("time-namespace", lambda: checked(LIBC.unshare(both)))


# The last two change this process for good where they succeed, and the second builds on the first.
PROBES = (
    mount,
    keyring,
    set_clock,
    memfd,
    io_uring,
    clear_death_signal,
    nested_users,
    time_namespace,
)


def _tried(name: str, act: Callable[[], object]) -> Outcome:
    try:
        act()
    except OSError as problem:
        if problem.errno in (errno.EINVAL, errno.EFAULT):
            return allowed(name, f"reached the kernel ({error_name(problem.errno)})")
        return refused(name, problem)
    return allowed(name, "done")
