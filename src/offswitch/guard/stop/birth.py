"""A fork that is born in a control group.

Whoever moves into a group of version 2 by its `cgroup.procs` waits for a grace period of the
kernel's, some 8 ms in which nothing runs; whoever is born in it does not.

Source: clone3(2), `CLONE_INTO_CGROUP`, from Linux 5.7 on; Linux, kernel/cgroup/cgroup.c,
`cgroup_attach_lock`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct

__all__ = ["fork_into"]

_CLONE3 = 435
"""The same number on every architecture."""
_CLONE_INTO_CGROUP = 1 << 33
_ARGUMENTS = struct.Struct("=11Q")
"""flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
set_tid_size, cgroup"""
# Keeps the interpreter's lock during the call, so that the child is born holding it.
_libc = ctypes.PyDLL(None)


def fork_into(folder: str) -> int | None:
    """As `os.fork`, with the child in the version 2 group `folder` from its first instruction.

    None where this kernel, or a filter that this process is under, does not do it: nothing was
    started then. Call it from a process with one thread; Python's own `os.register_at_fork` is not
    run.
    """
    try:
        group = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    asked = _ARGUMENTS.pack(_CLONE_INTO_CGROUP, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, group)
    pid = int(_libc.syscall(_CLONE3, asked, len(asked)))
    os.close(group)
    return None if pid < 0 else pid
