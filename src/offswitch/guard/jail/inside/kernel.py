"""System calls the standard library has no name for, through the C library."""

from __future__ import annotations

import ctypes
import os

__all__ = [
    "LIBC",
    "PR_SET_NO_NEW_PRIVS",
    "PR_SET_PDEATHSIG",
    "SIGKILL",
    "SIGPIPE",
    "SIGXFSZ",
    "call",
    "checked",
    "default_action",
    "end_after",
    "load_filter",
    "prctl",
]

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long

_NUMBERS = {
    "x86_64": {"clock_settime": 227, "keyctl": 250, "seccomp": 317},
    "aarch64": {"clock_settime": 112, "keyctl": 219, "seccomp": 277},
}
_EVERYWHERE = {
    "io_uring_setup": 425,
    "landlock_create_ruleset": 444,
    "landlock_add_rule": 445,
    "landlock_restrict_self": 446,
}

# The signal module takes half as long to load as the interpreter: it makes enumerations.
SIGKILL, SIGPIPE, SIGXFSZ = 9, 13, 25
PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38


def call(name: str, *arguments: object) -> int:
    """The result of a system call by its name.

    Raises:
        OSError: what the kernel answered.
    """
    number = _EVERYWHERE.get(name) or _NUMBERS[os.uname().machine][name]
    return checked(LIBC.syscall(number, *arguments))


def checked(result: int) -> int:
    """`result`, when it is no error.

    Raises:
        OSError: the C library returned -1.
    """
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def prctl(option: int, value: int) -> None:
    """Set one attribute of this process.

    Raises:
        OSError: what the kernel answered.
    """
    checked(LIBC.prctl(option, ctypes.c_ulong(value), 0, 0, 0))


def default_action(number: int) -> None:
    """A signal does again what it does to any program."""
    LIBC.signal(number, None)


def end_after(seconds: int) -> None:
    """The kernel ends this process then."""
    LIBC.alarm(seconds)


class _Instructions(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("program", ctypes.c_char_p))


_SECCOMP_SET_MODE_FILTER = 1


def load_filter(program: bytes) -> None:
    """From here on this process and its children live under the system-call filter `program`.

    Raises:
        OSError: what the kernel answered.
    """
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    filled = _Instructions(len(program) // 8, program)
    call("seccomp", _SECCOMP_SET_MODE_FILTER, 0, ctypes.byref(filled))
