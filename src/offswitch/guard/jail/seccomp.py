"""The system calls the agent may not make, as a filter program for the kernel.

A list of what is refused, not of what is allowed: an agent is any program. Calls newer than this
list do not exist for the agent (ENOSYS), so a new kernel opens nothing by itself.
"""

from __future__ import annotations

import errno
import functools
import os
import struct
from types import ModuleType

from offswitch.errors import GuardError

__all__ = ["LIFTED_BY_WAIVER", "exported", "filter_program", "seccomp_library"]

_REFUSED = (
    # reach into another process
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "process_mrelease",
    "pidfd_getfd",
    "kcmp",
    "move_pages",
    "migrate_pages",
    # enter or make namespaces and mounts
    "setns",
    "mount",
    "umount2",
    "mount_setattr",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "pivot_root",
    "chroot",
    "open_by_handle_at",
    "name_to_handle_at",
    "sethostname",
    "setdomainname",
    # large kernel interfaces that sandboxes have been left through
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "add_key",
    "request_key",
    "keyctl",
    "fanotify_init",
    "modify_ldt",
    "lookup_dcookie",
    # memory that can be executed without a file, or hidden from the guard
    "memfd_create",
    "memfd_secret",
    # the machine itself
    "clock_settime",
    "settimeofday",
    "clock_adjtime",
    "adjtimex",
    "kexec_load",
    "kexec_file_load",
    "init_module",
    "finit_module",
    "delete_module",
    "create_module",
    "query_module",
    "get_kernel_syms",
    "reboot",
    "swapon",
    "swapoff",
    "acct",
    "quotactl",
    "quotactl_fd",
    "syslog",
    "iopl",
    "ioperm",
    "vhangup",
    "nfsservctl",
    "uselib",
    "sysfs",
    "_sysctl",
    "ustat",
)

_NEWER = {"listns": 470, "open_tree_attr": 467}
"""Calls refused by number where the installed libseccomp does not know their name."""
_LAST_KNOWN = 470
"""From the next number on a call is newer than this list."""

LIFTED_BY_WAIVER = {
    "memfd": ("memfd_create",),
    "io-uring": ("io_uring_setup", "io_uring_enter", "io_uring_register"),
    "keyring": ("add_key", "request_key", "keyctl"),
}
"""Probe -> the calls that waiving it allows."""

_SHARED_MEMORY = (
    "shmget", "shmat", "shmctl", "semget", "semop", "semtimedop", "semctl",
    "msgget", "msgsnd", "msgrcv", "msgctl", "mq_open",
)  # fmt: skip
"""Reach other processes of the same user where there is no IPC namespace, at tier 1: what is there
is found by its number, too, without a call that makes it."""

_CLONE_NEW = (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
_CLONE_NEWTIME = 0x80
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_SOCK_STREAM, _SOCK_DGRAM, _SOCK_RAW = 1, 2, 3
_SOCK_MASK = 0xF
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_RLIMIT_CORE = 4
_INT = 0xFFFFFFFF
_PERSONALITY_QUERY = 0xFFFFFFFF


@functools.cache
def filter_program(tier: int, waived: frozenset[str] = frozenset()) -> bytes:
    """The filter's instructions for this machine, as the kernel and bubblewrap read them.

    Tier 1 has no network and IPC namespace, so its filter refuses unix, datagram and raw sockets
    and System V memory too. From tier 2 on, the namespaces and mounts decide which socket reaches
    whom.

    Raises:
        GuardError: pyseccomp or the library below it is not installed.
    """
    seccomp = seccomp_library()
    made = seccomp.SyscallFilter(seccomp.ALLOW)
    lifted = {name for probe in waived for name in LIFTED_BY_WAIVER.get(probe, ())}
    names = [name for name in _REFUSED if name not in lifted]
    for name in names + (list(_SHARED_MEMORY) if tier < 2 else []):
        _refuse(seccomp, made, name)
    for name, number in _NEWER.items():
        _refuse(seccomp, made, name, number=number)
    _refuse_namespaces(seccomp, made)
    _refuse_sockets(seccomp, made, tier)
    _refuse_arguments(seccomp, made)
    return _newer_calls_unknown() + exported(made)


def seccomp_library() -> ModuleType:
    """pyseccomp, which knows the calls of this machine by their names.

    Raises:
        GuardError: it or the library below it is not installed.
    """
    try:
        import pyseccomp
    except (ImportError, RuntimeError) as problem:  # RuntimeError: libseccomp.so.2 is not there
        raise GuardError(
            f"a system-call filter cannot be built: {problem}. Run "
            "`pip install 'offswitch[guard]'`, and install the package libseccomp2 "
            "(`apt install libseccomp2`) or libseccomp (`dnf install libseccomp`)."
        ) from problem
    module: ModuleType = pyseccomp
    return module


def _refuse(
    seccomp: ModuleType,
    made: object,
    name: str,
    *arguments: tuple[int, str, int, int],
    number: int | None = None,
    error: int = errno.EPERM,
) -> None:
    """Add one rule; each argument is (index, comparison, first datum, second datum)."""
    found = seccomp.resolve_syscall(seccomp.Arch.NATIVE, name)
    if found == -1:  # no libseccomp name; a call this machine never had needs no rule
        if number is None:
            return
        found = number
    compared = [seccomp.Arg(i, getattr(seccomp, op), a, b) for i, op, a, b in arguments]
    made.add_rule(seccomp.ERRNO(error), found, *compared)  # type: ignore[attr-defined] # untyped


def _refuse_namespaces(seccomp: ModuleType, made: object) -> None:
    for flag in _CLONE_NEW:
        _refuse(seccomp, made, "clone", (0, "MASKED_EQ", flag, flag))
    for flag in (*_CLONE_NEW, _CLONE_NEWTIME):
        _refuse(seccomp, made, "unshare", (0, "MASKED_EQ", flag, flag))
    # Its flags lie in memory a filter cannot read; C libraries fall back to clone.
    _refuse(seccomp, made, "clone3", error=errno.ENOSYS)


def _refuse_sockets(seccomp: ModuleType, made: object, tier: int) -> None:
    """Leave unix, internet and netlink sockets: vsock, for one, crosses network namespaces."""
    allowed = {_AF_INET, _AF_INET6} | ({_AF_UNIX, _AF_NETLINK} if tier >= 2 else set())
    _refuse(seccomp, made, "socket", (0, "GT", _AF_NETLINK, 0))
    for family in range(_AF_NETLINK + 1):
        if family not in allowed:
            _refuse(seccomp, made, "socket", (0, "EQ", family, 0))
    _refuse(seccomp, made, "socketpair", (0, "GT", _AF_UNIX, 0))
    if tier < 2:
        for kind in range(_SOCK_MASK + 1):
            if kind != _SOCK_STREAM:
                _refuse(seccomp, made, "socket", (1, "MASKED_EQ", _SOCK_MASK, kind))


def _refuse_arguments(seccomp: ModuleType, made: object) -> None:
    for request in (_TIOCSTI, _TIOCLINUX):  # type into the terminal the guard was started from
        _refuse(seccomp, made, "ioctl", (1, "MASKED_EQ", _INT, request))
    _refuse(seccomp, made, "personality", (0, "NE", _PERSONALITY_QUERY, 0))
    # Its limit of 1 on core dumps stops more than the 0 that an agent may lower it to. Programs
    # that guard a key lower it, and end where they cannot: they are told that it was done.
    core = (_INT, _RLIMIT_CORE)
    _refuse(seccomp, made, "setrlimit", (0, "MASKED_EQ", *core), error=0)
    _refuse(seccomp, made, "prlimit64", (1, "MASKED_EQ", *core), (2, "NE", 0, 0), error=0)


def exported(made: object) -> bytes:
    """The instructions of a pyseccomp filter."""
    file = os.memfd_create("offswitch-filter")
    try:
        with os.fdopen(os.dup(file), "wb") as target:
            made.export_bpf(target)  # type: ignore[attr-defined] # pyseccomp is untyped
        return os.pread(file, os.fstat(file).st_size, 0)
    finally:
        os.close(file)


def _newer_calls_unknown() -> bytes:
    """Three instructions before the program: a number past the list answers ENOSYS.

    Jumps count forward from themselves, so the program behind is not disturbed.
    """
    load_number = struct.pack("=HBBI", 0x20, 0, 0, 0)
    skip_if_known = struct.pack("=HBBI", 0x25, 0, 1, _LAST_KNOWN)
    unknown = struct.pack("=HBBI", 0x06, 0, 0, 0x00050000 | errno.ENOSYS)
    return load_number + skip_if_known + unknown
