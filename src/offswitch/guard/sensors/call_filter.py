"""The system calls that the sensor process may make, as a filter program for the kernel.

A list of what is allowed, unlike the agent's: this program is known. It reads, thinks, writes to
what is open already, waits and ends. Everything else does not exist for it (ENOSYS).
"""

from __future__ import annotations

import errno
import fcntl
import functools
import os

from offswitch.guard.jail.seccomp import exported, seccomp_library

__all__ = ["call_filter"]

_ALLOWED = (
    # read: files by open descriptors, folders, links, attributes
    "read", "pread64", "lseek", "close", "dup", "fstat", "stat", "lstat", "newfstatat",
    "statx", "getdents64", "getcwd", "readlink", "readlinkat", "listxattr", "llistxattr",
    "getxattr", "lgetxattr",
    # tell
    "write",
    # memory
    "brk", "mmap", "mprotect", "mremap", "munmap", "madvise",
    # wait, clocks, the locks of one thread
    "select", "pselect6", "poll", "ppoll", "clock_gettime", "gettimeofday", "futex", "getrandom",
    # signals that come, and the end
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall", "exit",
    "exit_group",
)  # fmt: skip
_OPEN = {"open": 1, "openat": 2}
"""Call -> which of its arguments says what for."""
_COPY = (fcntl.F_DUPFD, fcntl.F_DUPFD_CLOEXEC, fcntl.F_GETFD, fcntl.F_SETFD, fcntl.F_GETFL)
"""What fcntl may do: with F_SETOWN and F_SETSIG a pipe of its own would signal whom it likes."""
_TO_WRITE = os.O_ACCMODE | os.O_CREAT | os.O_TRUNC


@functools.cache
def call_filter() -> bytes:
    """The filter's instructions for this machine.

    Raises:
        GuardError: pyseccomp or the library below it is not installed.
    """
    seccomp = seccomp_library()
    made = seccomp.SyscallFilter(seccomp.ERRNO(errno.ENOSYS))
    to_read = {name: seccomp.Arg(at, seccomp.MASKED_EQ, _TO_WRITE, 0) for name, at in _OPEN.items()}
    for name in (*_ALLOWED, *_OPEN):
        if (number := seccomp.resolve_syscall(seccomp.Arch.NATIVE, name)) >= 0:  # else not here
            made.add_rule(seccomp.ALLOW, number, *([to_read[name]] if name in to_read else []))
    for command in _COPY:
        made.add_rule(
            seccomp.ALLOW, seccomp.resolve_syscall(seccomp.Arch.NATIVE, "fcntl"),
            seccomp.Arg(1, seccomp.EQ, command),
        )  # fmt: skip
    return exported(made)
