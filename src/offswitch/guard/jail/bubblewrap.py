"""bubblewrap's arguments: namespaces, mounts and the program that goes in first."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from offswitch.guard.jail import inside
from offswitch.guard.jail.descriptors import JailFds
from offswitch.guard.jail.settings import JailPolicy

__all__ = [
    "INSIDE",
    "MERGED",
    "SYSTEM",
    "SYSTEM_SETTINGS",
    "WORK",
    "bubblewrap_arguments",
    "bubblewrap_data",
    "prefix_of",
]

WORK = "/work"
"""The workspace, in the jail."""
INSIDE = "/run/offswitch"
"""The guard's own entry program and sockets, in the jail."""
SYSTEM = ("/usr", "/opt", "/nix")
"""The system's folders of programs, as on the host."""
MERGED = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
"""Folders, or on most systems links into /usr."""
SYSTEM_SETTINGS = (
    "alternatives",
    "crypto-policies",
    "java-17-openjdk",
    "java-21-openjdk",
    "ld.so.cache",
    "localtime",
    "mime.types",
    "pki/ca-trust",
    "pki/tls/certs",
    "protocols",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
)
"""What programs read in /etc that tells nothing of the host; keys and passwords are not in it."""
_JAIL_UID = "1000"
_NAMESPACES = (
    "--unshare-user",
    "--unshare-pid",
    "--unshare-net",
    "--unshare-ipc",
    "--unshare-uts",
    "--unshare-cgroup",
)


def bubblewrap_arguments(
    policy: JailPolicy, python: str, sockets: Mapping[str, str]
) -> tuple[str, ...]:
    """What bubblewrap is told, read-only wherever it is not the workspace or a memory file system.

    Mounts are made in this order: a later one covers an earlier one.
    """
    tmp = str(policy.limits.tmp)
    arguments = [*_NAMESPACES, "--disable-userns", "--die-with-parent"]
    arguments += ["--new-session", "--cap-drop", "ALL", "--hostname", "jail"]
    arguments += ["--uid", _JAIL_UID, "--gid", _JAIL_UID]
    arguments += ["--proc", "/proc", "--dev", "/dev", "--size", tmp, "--tmpfs", "/dev/shm"]
    arguments += ["--remount-ro", "/dev", "--size", tmp, "--perms", "1777", "--tmpfs", "/tmp"]
    arguments += ["--dir", "/tmp/home", "--dir", "/var/tmp"]
    arguments += _system_binds()
    for number, name in ((JailFds.PASSWD, "passwd"), (JailFds.GROUP, "group")):
        arguments += ["--ro-bind-data", str(number), f"/etc/{name}"]
    arguments += ["--ro-bind-data", str(JailFds.HOSTS), "/etc/hosts"]
    for path in (*prefix_of(python), *policy.read):
        arguments += ["--ro-bind", path, path]
    arguments += ["--ro-bind", inside.__path__[0], f"{INSIDE}/inside"]
    for name, path in sockets.items():
        arguments += ["--ro-bind", path, f"{INSIDE}/{name}"]
    arguments += ["--bind", str(Path(policy.workspace).resolve()), WORK, "--chdir", "/"]
    arguments += ["--remount-ro", "/", "--seccomp", str(JailFds.SECCOMP)]
    return (*arguments, "--info-fd", str(JailFds.INFO))


def _system_binds() -> list[str]:
    binds: list[str] = []
    for path in SYSTEM:
        if Path(path).is_dir():
            binds += ["--ro-bind", path, path]
    for path in MERGED:
        if Path(path).is_symlink():
            binds += ["--symlink", str(Path(path).readlink()), path]
        elif Path(path).is_dir():
            binds += ["--ro-bind", path, path]
    for name in SYSTEM_SETTINGS:
        if Path("/etc", name).exists():
            binds += ["--ro-bind", f"/etc/{name}", f"/etc/{name}"]
    return binds


def prefix_of(python: str) -> tuple[str, ...]:
    """The folder with the interpreter's library, where the system's folders do not hold it."""
    if python.startswith(tuple(f"{path}/" for path in SYSTEM)):
        return ()
    return (sys.base_prefix,)


def bubblewrap_data(seccomp: bytes) -> dict[int, bytes]:
    """Descriptor number -> what these arguments expect to read there."""
    return {
        JailFds.SECCOMP: seccomp,
        JailFds.PASSWD: f"agent:x:{_JAIL_UID}:{_JAIL_UID}:agent:/tmp/home:/bin/sh\n".encode(),
        JailFds.GROUP: f"agent:x:{_JAIL_UID}:\n".encode(),
        JailFds.HOSTS: b"127.0.0.1 localhost jail\n::1 localhost jail\n",
    }
