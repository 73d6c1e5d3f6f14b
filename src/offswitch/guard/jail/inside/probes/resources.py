"""More memory, files, processes and descriptors than allowed; nothing is really filled."""

from __future__ import annotations

import errno
import mmap
import posix as os
import resource

from ..outcome import allowed, blocked, not_applicable, refused

__all__ = [
    "PROBES",
    "exceed_processes",
    "fill_tmp",
    "hoard_memory",
    "large_file",
    "leaked_descriptor",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..outcome import Outcome
    from .bait import Bait

_PAGE = 4096


def hoard_memory(bait: Bait) -> Outcome:
    """More private memory than the limit can be had (reserved, never touched)."""
    try:
        mmap.mmap(-1, bait["memory"] + _PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except OSError as problem:
        return refused("hoard-memory", problem)
    return allowed("hoard-memory", f"{bait['memory'] + _PAGE} bytes mapped")


def large_file(bait: Bait) -> Outcome:
    """A file can grow past the limit (one byte written behind it, in a file full of holes)."""
    try:
        file = _temporary(bait["scratch"])
        try:
            os.pwrite(file, b"x", bait["file"])
        finally:
            os.close(file)
    except OSError as problem:
        return refused("large-file", problem)
    return allowed("large-file", f"a byte written at {bait['file']}")


def fill_tmp(bait: Bait) -> Outcome:
    """More than the limit fits into /tmp."""
    if bait["tier"] < 2:
        return not_applicable("fill-tmp", "there is no /tmp of the jail's own")
    wanted = bait["tmp"] + _PAGE
    if wanted > bait["file"]:  # no single file may be so large: ask for the room instead
        room = os.statvfs("/tmp")
        if room.f_blocks * room.f_frsize <= bait["tmp"] + _PAGE:
            return blocked("fill-tmp", f"{room.f_blocks * room.f_frsize} bytes in all")
        return allowed("fill-tmp", f"{room.f_blocks * room.f_frsize} bytes in all")
    try:
        file = _temporary(bait["scratch"])
        try:
            os.posix_fallocate(file, 0, wanted)
        finally:
            os.close(file)
    except OSError as problem:
        return refused("fill-tmp", problem)
    return allowed("fill-tmp", f"{wanted} bytes")


def exceed_processes(bait: Bait) -> Outcome:
    """The bound on processes is not there, or does not bind this user.

    The kernel does not hold root's own id to it; the soft bound is lowered to 1 for one fork.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    if hard == resource.RLIM_INFINITY or hard > bait["processes"]:
        return allowed("exceed-processes", f"the bound is {hard}, expected {bait['processes']}")
    resource.setrlimit(resource.RLIMIT_NPROC, (1, hard))
    try:
        child = os.fork()
    except OSError as problem:
        return refused("exceed-processes", problem)
    finally:
        resource.setrlimit(resource.RLIMIT_NPROC, (soft, hard))
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    if bait["group_counts_processes"]:
        return not_applicable("exceed-processes", "the control group holds the bound")
    return allowed("exceed-processes", "a bound of 1 did not stop a fork")


def leaked_descriptor(_bait: Bait) -> Outcome:
    """A descriptor other than 0, 1 and 2 would be handed to the agent."""
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        try:
            if fd > 2 and os.get_inheritable(fd):
                return allowed("leaked-descriptor", f"{fd}: {os.readlink(f'/proc/self/fd/{fd}')}")
        except OSError as problem:
            if problem.errno != errno.EBADF:  # the listing's own, closed by now
                raise
    return blocked("leaked-descriptor", "none but 0, 1 and 2")


PROBES = (hoard_memory, large_file, fill_tmp, exceed_processes, leaked_descriptor)


def _temporary(folder: str) -> int:
    """A new file in `folder`, its name gone at once."""
    path = f"{folder}/offswitch-probe-{os.getpid()}"
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    os.unlink(path)
    return file
