"""System calls through the C library: those the standard library has no name for, or a slow one.

By ctypes' own C module: ctypes around it takes longer to load than all probes take to run, and
nothing of it is needed. Structures the kernel reads are bytes here, see `words`.
"""

from __future__ import annotations

import _ctypes
import posix as os
import sys

__all__ = [
    "LIBC",
    "PR_GET_NO_NEW_PRIVS",
    "PR_SET_NO_NEW_PRIVS",
    "PR_SET_PDEATHSIG",
    "SIGKILL",
    "SIGPIPE",
    "SIGXFSZ",
    "bounds",
    "call",
    "checked",
    "default_action",
    "end_after",
    "load_filter",
    "prctl",
    "reserve",
    "set_bounds",
    "words",
]

_FLAGS = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO


class _Int(_ctypes._SimpleCData):  # type: ignore[type-arg] # the plain form has no parameter
    _type_ = "i"


class _Long(_ctypes._SimpleCData):  # type: ignore[type-arg] # as above
    _type_ = "l"


class _UnsignedLong(_ctypes._SimpleCData):  # type: ignore[type-arg] # as above
    _type_ = "L"


class _Pair(_ctypes.Array):  # type: ignore[type-arg] # as above
    _type_, _length_ = _UnsignedLong, 2


class _Text(_ctypes._SimpleCData):  # type: ignore[type-arg] # as above
    _type_ = "z"


class _Function(_ctypes.CFuncPtr):
    _flags_ = _FLAGS
    _restype_ = _Int


class _LongFunction(_ctypes.CFuncPtr):
    _flags_ = _FLAGS
    _restype_ = _Long


class _Library:
    """The C library of this process; an attribute is the function of that name."""

    _handle = _ctypes.dlopen(None, 0)  # type: ignore[arg-type] # None: what is loaded already

    def __getattr__(self, name: str) -> _Function:
        return _Function((name, self))  # type: ignore[arg-type] # all it needs is the handle


LIBC = _Library()
_SYSCALL = _LongFunction(("syscall", LIBC))  # type: ignore[arg-type] # as above
_MMAP = _LongFunction(("mmap", LIBC))  # type: ignore[arg-type] # as above

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

# The resource module is a shared library, which takes as long to load as ten probes to run.
_RESOURCES = {
    "CPU": 0, "FSIZE": 1, "DATA": 2, "CORE": 4, "NPROC": 6, "NOFILE": 7, "AS": 9, "NICE": 13,
    "RTPRIO": 14,
}  # fmt: skip

# The signal module takes half as long to load as the interpreter: it makes enumerations.
SIGKILL, SIGPIPE, SIGXFSZ = 9, 13, 25
PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
PR_GET_NO_NEW_PRIVS = 39


def call(name: str, *arguments: object) -> int:
    """The result of a system call by its name.

    Raises:
        OSError: what the kernel answered.
    """
    number = _EVERYWHERE.get(name) or _NUMBERS[os.uname().machine][name]
    return checked(_SYSCALL(number, *arguments))


def checked(result: int) -> int:
    """`result`, when it is no error.

    Raises:
        OSError: the C library returned -1.
    """
    if result == -1:
        number = _ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def prctl(option: int, value: int) -> None:
    """Set one attribute of this process.

    Raises:
        OSError: what the kernel answered.
    """
    checked(LIBC.prctl(option, value, 0, 0, 0))


def default_action(number: int) -> None:
    """A signal does again what it does to any program."""
    LIBC.signal(number, None)


def end_after(seconds: int) -> None:
    """The kernel ends this process then."""
    LIBC.alarm(seconds)


def bounds(resource: str) -> tuple[int, int]:
    """Soft and hard bound of a resource ('DATA', 'NPROC', ...).

    Raises:
        OSError: what the kernel answered.
    """
    found = _Pair()
    checked(LIBC.getrlimit(_RESOURCES[resource], found))
    return found[0], found[1]


def set_bounds(resource: str, soft: int, hard: int) -> None:
    """From here on this process and its children live within them.

    Raises:
        OSError: what the kernel answered.
    """
    checked(LIBC.setrlimit(_RESOURCES[resource], _Pair(soft, hard)))


_READ_AND_WRITE, _PRIVATE_AND_ANONYMOUS = 0x3, 0x22


def reserve(size: int) -> None:
    """Map `size` bytes of private memory, touch none and give them back.

    Raises:
        OSError: the kernel does not grant so many.
    """
    wanted = _Long(size)
    place = checked(_MMAP(None, wanted, _READ_AND_WRITE, _PRIVATE_AND_ANONYMOUS, -1, _Long(0)))
    checked(LIBC.munmap(_Long(place), wanted))


def words(*values: int, size: int = 8) -> bytes:
    """The numbers as they lie in memory, `size` bytes each."""
    return b"".join(value.to_bytes(size, sys.byteorder) for value in values)


_SECCOMP_SET_MODE_FILTER = 1


def load_filter(program: bytes) -> None:
    """From here on this process and its children live under the system-call filter `program`.

    Raises:
        OSError: what the kernel answered.
    """
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    pointer = _Text(program)  # it holds the bytes while the kernel reads them
    header = words(len(program) // 8) + bytes(memoryview(pointer))
    call("seccomp", _SECCOMP_SET_MODE_FILTER, 0, header)
