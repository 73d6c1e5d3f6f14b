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
UNIX, INET, VSOCK, STREAM, DATAGRAM = 1, 2, 40, 1, 2


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


def test_every_refused_call_is_one_that_exists():
    unknown = [n for n in seccomp._REFUSED + seccomp._SHARED_MEMORY if number(n) == -1]
    assert unknown == []


@pytest.mark.parametrize("tier", [1, 2, 3])
def test_every_listed_call_is_refused_and_ordinary_ones_pass(tier):
    for name in seccomp._REFUSED:
        if number(name) >= 0:
            assert asked(tier, name) == REFUSED, name
    for name in ("read", "write", "openat", "execve", "mmap", "futex", "exit_group", "wait4"):
        assert asked(tier, name) == ALLOW, name


def test_calls_newer_than_the_list_do_not_exist():
    for new in (seccomp._LAST_KNOWN + 1, 512, 5000):
        assert verdict(filter_program(2), new) == UNKNOWN
    for name, nr in seccomp._NEWER.items():
        assert verdict(filter_program(2), nr) == REFUSED, name


def test_a_call_by_another_architectures_table_kills():
    assert verdict(filter_program(2), number("read"), arch=0x40000003) == KILL


def test_a_process_may_fork_but_not_into_a_namespace():
    assert asked(2, "clone", 17) == ALLOW
    assert asked(2, "clone3") == UNKNOWN
    for flag in seccomp._CLONE_NEW:
        assert asked(2, "clone", 17 | flag) == REFUSED
        assert asked(2, "unshare", flag) == REFUSED
    assert asked(2, "unshare", 0x80) == REFUSED
    assert asked(2, "unshare", 0x400) == ALLOW  # CLONE_FILES


def test_sockets_that_no_namespace_separates_are_refused_at_every_tier():
    for tier in (1, 2):
        assert asked(tier, "socket", VSOCK, STREAM) == REFUSED
        assert asked(tier, "socket", VSOCK + (1 << 32), STREAM) == REFUSED
        assert asked(tier, "socket", INET, STREAM) == ALLOW
        assert asked(tier, "socketpair", UNIX, STREAM) == ALLOW


def test_without_a_network_namespace_unix_and_datagram_sockets_are_refused():
    cloexec = 0x80000
    for family, kind in ((UNIX, STREAM), (INET, DATAGRAM), (INET, DATAGRAM | cloexec), (10, 3)):
        assert asked(1, "socket", family, kind) == REFUSED
        assert asked(2, "socket", family, kind) == ALLOW
    assert asked(1, "socket", UNIX + (1 << 32), STREAM) == REFUSED
    for name in ("shmget", "shmat", "shmctl", "semop", "semctl", "msgsnd", "msgrcv", "mq_open"):
        assert asked(1, name, 5) == REFUSED, name
        assert asked(2, name, 5) == ALLOW, name


def test_typing_into_the_guards_terminal_is_refused():
    assert asked(2, "ioctl", 0, 0x5412) == REFUSED
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


def test_a_waiver_lifts_the_calls_of_its_probe_and_no_others():
    lifted = filter_program(2, frozenset({"memfd"}))
    assert verdict(lifted, number("memfd_create")) == ALLOW
    assert verdict(lifted, number("memfd_secret")) == REFUSED


def test_without_pyseccomp_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyseccomp", None)
    filter_program.cache_clear()
    with pytest.raises(GuardError, match=r"pip install 'offswitch\[guard\]'"):
        filter_program(2)
