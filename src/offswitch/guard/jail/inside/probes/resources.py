"""More memory, files, processes and descriptors than allowed; nothing is really filled."""

from __future__ import annotations

import errno
import posix as os

from ..kernel import bounds, reserve, set_bounds
from ..outcome import allowed, blocked, not_applicable, refused

__all__ = [
    "PROBES",
    "core_dump",
    "exceed_processes",
    "fill_shm",
    "fill_tmp",
    "hoard_memory",
    "large_file",
    "leaked_descriptor",
    "open_files",
    "processor_time",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..outcome import Outcome
    from .bait import Bait

_PAGE = 4096


def hoard_memory(bait: Bait) -> Outcome:
    """More private memory than the limit can be had (reserved, never touched)."""
    try:
        reserve(bait["memory"] + _PAGE)
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
    return _filled("fill-tmp", "/tmp", bait)


def fill_shm(bait: Bait) -> Outcome:
    """More than the limit fits into /dev/shm; without mounts, anything at all."""
    return _filled("fill-shm", "/dev/shm", bait)


def _filled(name: str, folder: str, bait: Bait) -> Outcome:
    wanted = bait["tmp"] + _PAGE
    try:
        file = _temporary(folder)
        try:
            room = os.fstatvfs(file)
            if wanted > bait["file"]:  # no single file may be so large: ask for the room instead
                size = room.f_blocks * room.f_frsize
                found = blocked if size <= wanted else allowed
                return found(name, f"{size} bytes in all")
            os.posix_fallocate(file, 0, wanted)
        finally:
            os.close(file)
    except OSError as problem:
        return refused(name, problem)
    return allowed(name, f"{wanted} bytes")


def exceed_processes(bait: Bait) -> Outcome:
    """The bound on processes is not there, or does not bind this user.

    The kernel does not hold root's own id to it; the soft bound is lowered to 1 for one fork.
    """
    soft, hard = bounds("NPROC")
    if hard > bait["processes"]:
        return allowed("exceed-processes", f"the bound is {hard}, expected {bait['processes']}")
    set_bounds("NPROC", 1, hard)
    try:
        child = os.fork()
    except OSError as problem:
        return refused("exceed-processes", problem)
    finally:
        set_bounds("NPROC", soft, hard)
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    if bait["group_counts_processes"]:
        return not_applicable("exceed-processes", "the control group holds the bound")
    return allowed("exceed-processes", "a bound of 1 did not stop a fork")


def open_files(bait: Bait) -> Outcome:
    """A descriptor can be opened past the limit, with the limit raised first where that goes."""
    most = bait["open_files"]
    _raised("NOFILE", most + 1)
    try:
        os.close(os.dup2(0, most))
    except OSError as problem:
        return refused("open-files", problem)
    return allowed("open-files", f"descriptor {most} opened")


def processor_time(bait: Bait) -> Outcome:
    """More seconds of a processor than the limit can be had (asked for, never used)."""
    if _raised("CPU", bait["cpu"] + 1):
        return allowed("processor-time", f"{bait['cpu'] + 1} s granted")
    return blocked("processor-time", f"{bounds('CPU')[1]} s at most")


def core_dump(_bait: Bait) -> Outcome:
    """A process that crashes can leave its memory in a file, or start the program of the host's
    that core_pattern names: at 0 bytes too, but not at 1 (asked for; nothing crashes)."""
    for bound in (_PAGE, 0):
        _raised("CORE", bound)
        most = bounds("CORE")[0]
        if most not in (0, 1):
            return allowed("core-dump", f"{most} bytes granted")
    if most == 0 and (program := _core_program()):
        return allowed("core-dump", f"0 bytes, and {program} is started")
    return blocked("core-dump", f"{most} bytes at most")


def _core_program() -> str:
    file = os.open("/proc/sys/kernel/core_pattern", os.O_RDONLY)
    pattern = os.read(file, 256).decode("utf-8", "replace").strip()
    os.close(file)
    return pattern[1:] if pattern[:1] == "|" else ""


def _raised(resource: str, bound: int) -> bool:
    try:
        set_bounds(resource, bound, bound)
    except OSError:
        return False
    return True


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


PROBES = (
    hoard_memory,
    large_file,
    fill_tmp,
    fill_shm,
    exceed_processes,
    open_files,
    processor_time,
    core_dump,
    leaked_descriptor,
)


def _temporary(folder: str) -> int:
    """A new file in `folder`, its name gone at once."""
    path = f"{folder}/offswitch-probe-{os.getpid()}"
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    os.unlink(path)
    return file
