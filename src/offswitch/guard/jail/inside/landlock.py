"""Landlock: rules on files, TCP ports, signals and abstract sockets that cannot be taken back.

Source: Linux `Documentation/userspace-api/landlock.rst`, ABI 1 to 6. Written here because
the published packages know files only.
"""

from __future__ import annotations

import posix as os

from .kernel import PR_SET_NO_NEW_PRIVS, call, prctl, words

__all__ = ["restrict"]

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = (1 << bit for bit in range(4))
_MAKE_DEVICES = 1 << 6 | 1 << 11
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READ_RIGHTS = _EXECUTE | _READ_FILE | _READ_DIR
_BIND_TCP, _CONNECT_TCP = 1, 2
_SCOPE_ABSTRACT_SOCKETS, _SCOPE_SIGNALS = 1, 2
_RULE_PATH, _RULE_PORT = 1, 2
# The stat module takes as long to load as all the rules to make.
_TYPE, _FOLDER = 0o170000, 0o040000


def restrict(
    abi: int, read: list[str], write: list[str], devices: list[str], tcp_ports: list[int]
) -> None:
    """From here on this process and its children may do only what is listed.

    Reading and executing below `read`, everything below `write`, writing to `devices`, TCP on
    `tcp_ports` (ABI 4), no signal and no abstract socket out of this family of processes (ABI 6).
    A path that is not there is left out: it grants nothing.

    Raises:
        OSError: the kernel refused; nothing can then be assumed.
    """
    rights = _file_rights(abi)
    ruleset = _create(abi, rights)
    try:
        for paths, allowed in (
            (read, _READ_RIGHTS),
            (write, rights & ~(_IOCTL_DEV | _MAKE_DEVICES)),
            (devices, _READ_RIGHTS | _WRITE_FILE | _TRUNCATE | _IOCTL_DEV),
        ):
            for path in paths:
                _allow_path(ruleset, path, allowed & rights)
        for port in tcp_ports if abi >= 4 else ():
            rule = words(_BIND_TCP | _CONNECT_TCP, port)
            call("landlock_add_rule", ruleset, _RULE_PORT, rule, 0)
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        call("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)


def _file_rights(abi: int) -> int:
    rights = _REFER - 1
    for since, right in ((2, _REFER), (3, _TRUNCATE), (5, _IOCTL_DEV)):
        rights |= right if abi >= since else 0
    return rights


def _create(abi: int, rights: int) -> int:
    made = words(rights)
    made += words(_BIND_TCP | _CONNECT_TCP) if abi >= 4 else b""
    made += words(_SCOPE_ABSTRACT_SOCKETS | _SCOPE_SIGNALS) if abi >= 6 else b""
    return call("landlock_create_ruleset", made, len(made), 0)


def _allow_path(ruleset: int, path: str, allowed: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if os.fstat(place).st_mode & _TYPE != _FOLDER:
            allowed &= _FILE_RIGHTS
        rule = words(allowed) + words(place, size=4)
        call("landlock_add_rule", ruleset, _RULE_PATH, rule, 0)
    finally:
        os.close(place)
