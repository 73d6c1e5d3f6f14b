from __future__ import annotations

import errno
import platform
import struct
import sys

import pyseccomp
import pytest

from offswitch.errors import GuardError
from offswitch.guard.jail import seccomp
from offswitch.guard.jail.seccomp import filter_program

ALLOW, ERROR, KILL = 0x7FFF0000, 0x00050000, 0
REFUSED, UNKNOWN = ERROR | errno.EPERM, ERROR | errno.ENOSYS
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}[platform.machine()]
UNIX, INET, INET6, NETLINK, VSOCK, STREAM = 1, 2, 10, 16, 40, 1
NAMESPACES = {
    "mnt": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000,
    "pid": 0x20000000, "net": 0x40000000,
}  # fmt: skip
"""As in Linux' sched.h."""
ELSEWHERE = {
    "Docker's default profile, calls that need a capability": """
        acct bpf chroot delete_module fanotify_init finit_module fsconfig fsmount fsopen fspick
        init_module ioperm iopl kcmp lookup_dcookie mount mount_setattr move_mount
        open_by_handle_at open_tree perf_event_open pidfd_getfd process_madvise process_vm_readv
        process_vm_writev ptrace quotactl quotactl_fd reboot setdomainname sethostname setns
        settimeofday clock_settime syslog umount2 vhangup""",
    "the same, calls on no list of it": """
        add_key create_module get_kernel_syms io_uring_enter io_uring_register io_uring_setup
        kexec_file_load kexec_load keyctl move_pages nfsservctl pivot_root query_module request_key
        swapoff swapon sysfs _sysctl uselib userfaultfd ustat clock_adjtime""",
    "systemd's @clock, @cpu-emulation": "adjtimex modify_ldt",
    "hidden or executable memory, and others' memory": """
        memfd_create memfd_secret migrate_pages process_mrelease name_to_handle_at""",
}
"""Kept apart from the list in the code, so that a name that goes missing there is missed here."""
REFUSED_CALLS = frozenset(" ".join(ELSEWHERE.values()).split())


def verdict(program: bytes, number: int, *arguments: int, arch: int = ARCH) -> int:
    """What the kernel would answer: a reading of classic BPF (Linux filter.rst)."""
    padded = (*arguments, *(0,) * (6 - len(arguments)))
    data = struct.pack("=iIQ6Q", number, arch, 0, *padded)
    at, a, steps = 0, 0, list(struct.iter_unpack("=HBBI", program))
    while True:
        code, yes, no, k = steps[at]
        at += 1
        if code == 0x20:
            a = struct.unpack_from("=I", data, k)[0]
        elif code == 0x54:
            a &= k
        elif code == 0x05:
            at += k
        elif code == 0x06:
            return k
        else:
            tests = {0x15: a == k, 0x25: a > k, 0x35: a >= k, 0x45: bool(a & k)}
            at += yes if tests[code] else no


def number(name: str) -> int:
    found: int = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)
    return found


def asked(tier: int, name: str, *arguments: int) -> int:
    return verdict(filter_program(tier), number(name), *arguments)


def test_every_refused_call_is_one_of_a_machine_the_guard_runs_on():
    machines = (pyseccomp.Arch.X86_64, pyseccomp.Arch.AARCH64)
    for name in seccomp._REFUSED + seccomp._SHARED_MEMORY:
        assert max(pyseccomp.resolve_syscall(one, name) for one in machines) >= 0, name


def opened(tier: int, *waived: str) -> set[str]:
    """Those of the refused calls that a filter lets through."""
    program = filter_program(tier, frozenset(waived))
    here = [name for name in REFUSED_CALLS if number(name) >= 0]
    return {name for name in here if verdict(program, number(name)) != REFUSED}


@pytest.mark.parametrize("tier", [1, 2, 3])
def test_what_other_jails_refuse_is_refused_and_ordinary_calls_pass(tier):
    assert set(seccomp._REFUSED) == REFUSED_CALLS
    assert opened(tier) == set()
    for name in ("read", "write", "openat", "execve", "mmap", "futex", "exit_group", "wait4"):
        assert asked(tier, name) == ALLOW, name


def test_calls_newer_than_the_list_do_not_exist():
    for new in (471, 512, 5000):
        assert verdict(filter_program(2), new) == UNKNOWN
    for name, nr in {"open_tree_attr": 467, "listns": 470}.items():
        assert verdict(filter_program(2), nr) == REFUSED, name
    assert verdict(filter_program(2), 462) == ALLOW  # mseal


def test_a_call_by_another_architectures_table_kills():
    assert verdict(filter_program(2), number("read"), arch=0x40000003) == KILL


def test_a_process_may_fork_but_not_into_a_namespace():
    assert asked(2, "clone", 17) == ALLOW
    assert asked(2, "clone3") == UNKNOWN
    for name, flag in NAMESPACES.items():
        assert asked(2, "clone", 17 | flag) == REFUSED, name
        assert asked(2, "unshare", flag) == REFUSED, name
    assert asked(2, "unshare", 0x80) == REFUSED
    assert asked(2, "unshare", 0x400) == ALLOW  # CLONE_FILES


@pytest.mark.parametrize(
    ("tier", "families"), [(1, {INET, INET6}), (2, {UNIX, INET, INET6, NETLINK})]
)
def test_sockets_are_of_the_families_that_its_tier_separates_and_of_no_other(tier, families):
    made = {one for one in range(64) if asked(tier, "socket", one, STREAM) == ALLOW}
    assert made == families
    assert asked(tier, "socket", VSOCK + (1 << 32), STREAM) == REFUSED
    assert asked(tier, "socketpair", UNIX, STREAM) == ALLOW
    assert asked(tier, "socketpair", INET, STREAM) == REFUSED


def test_without_a_network_namespace_sockets_are_streams_and_memory_is_not_shared():
    flags = 0x80800  # SOCK_CLOEXEC, SOCK_NONBLOCK
    for tier, kinds in ((1, {STREAM}), (2, {*range(16)})):
        for flag in (0, flags):
            passed = [one for one in range(16) if asked(tier, "socket", INET, one | flag) == ALLOW]
            assert {*passed} == kinds
    assert asked(1, "socket", UNIX + (1 << 32), STREAM) == REFUSED
    calls = "shmget shmat shmctl semget semop semctl msgget msgsnd msgrcv mq_open"
    for name in calls.split():
        assert asked(1, name, 5) == REFUSED, name
        assert asked(2, name, 5) == ALLOW, name


def test_typing_into_the_guards_terminal_is_refused():
    assert asked(2, "ioctl", 0, 0x5412) == REFUSED
    assert asked(2, "ioctl", 0, 0x541C) == REFUSED  # TIOCLINUX
    assert asked(2, "ioctl", 0, 0x5412 + (1 << 32)) == REFUSED
    assert asked(2, "ioctl", 0, 0x5401) == ALLOW


def test_the_limit_on_core_dumps_stays_and_a_program_that_lowers_it_goes_on():
    done, core, files, pointer = ERROR, 4, 7, 0x7FFF0000
    for tier in (1, 2):
        assert asked(tier, "setrlimit", core, pointer) == done
        assert asked(tier, "setrlimit", core + (1 << 32), pointer) == done
        assert asked(tier, "prlimit64", 0, core, pointer) == done
        assert asked(tier, "prlimit64", 0, core, 1 << 32) == done
        assert asked(tier, "prlimit64", 0, core, 0, pointer) == ALLOW  # only asks
        assert asked(tier, "prlimit64", 0, files, pointer) == ALLOW
        assert asked(tier, "setrlimit", files, pointer) == ALLOW


def test_a_program_asks_for_its_personality_and_takes_on_no_other():
    assert asked(2, "personality", 0xFFFFFFFF) == ALLOW
    assert asked(2, "personality", 0x0040000) == REFUSED  # ADDR_NO_RANDOMIZE


def test_a_waiver_lifts_the_calls_of_its_probe_and_no_others():
    io_uring = {"io_uring_setup", "io_uring_enter", "io_uring_register"}
    assert opened(2, "memfd") == {"memfd_create"}
    assert opened(2, "io-uring") == io_uring
    assert opened(2, "keyring") == {"add_key", "request_key", "keyctl"}
    assert opened(2, "memfd", "io-uring", "mount") == {"memfd_create", *io_uring}


def test_without_pyseccomp_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyseccomp", None)
    filter_program.cache_clear()
    with pytest.raises(GuardError, match=r"pip install 'offswitch\[guard\]'"):
        filter_program(2)
