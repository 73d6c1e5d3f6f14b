"""bubblewrap's arguments: namespaces, mounts and the program that goes in first."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Mapping
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
    "etc_files",
    "host_sockets",
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
    policy: JailPolicy, python: str, sockets: Mapping[str, str], etc: Iterable[str]
) -> tuple[str, ...]:
    """What bubblewrap is told, read-only wherever it is not the workspace or a memory file system.

    Mounts are made in this order: a later one covers an earlier one. `etc` names the files that
    `bubblewrap_data` holds, in its order.
    """
    tmp = str(policy.limits.tmp)
    arguments = [*_NAMESPACES, "--disable-userns", "--die-with-parent"]
    arguments += ["--new-session", "--cap-drop", "ALL", "--hostname", "jail"]
    arguments += ["--uid", _JAIL_UID, "--gid", _JAIL_UID]
    arguments += ["--proc", "/proc", "--dev", "/dev", "--size", tmp, "--tmpfs", "/dev/shm"]
    arguments += ["--remount-ro", "/dev", "--size", tmp, "--perms", "1777", "--tmpfs", "/tmp"]
    arguments += ["--dir", "/tmp/home", "--dir", "/var/tmp"]
    arguments += _system_binds()
    for number, name in enumerate(etc, JailFds.ETC):
        arguments += ["--perms", "0444", "--file", str(number), f"/etc/{name}"]
    for path in (*prefix_of(python), *policy.read):
        arguments += ["--ro-bind", path, path]
    arguments += ["--ro-bind", inside.__path__[0], f"{INSIDE}/inside"]
    for name, path in sockets.items():
        arguments += ["--ro-bind", path, f"{INSIDE}/{name}"]
    arguments += ["--bind", str(Path(policy.workspace).resolve()), WORK, "--chdir", "/"]
    arguments += _covered_sockets(policy, python)
    arguments += ["--remount-ro", "/", "--seccomp", str(JailFds.SECCOMP)]
    return (*arguments, "--info-fd", str(JailFds.INFO))


def _covered_sockets(policy: JailPolicy, python: str) -> list[str]:
    """The null device over every socket of the host in a folder that the agent sees: a read-only
    mount keeps nobody from connecting to one."""
    shown = [(path, path) for path in (*SYSTEM, *prefix_of(python), *policy.read)]
    shown += [(path, path) for path in MERGED if not Path(path).is_symlink()]
    sockets, covered = host_sockets(), set[str]()
    for path, place in (*shown, (policy.workspace, WORK)):
        real = Path(path).resolve()
        below = (one.relative_to(real) for one in sockets if one.is_relative_to(real))
        covered.update(str(Path(place, one)) for one in below)
    return [word for place in sorted(covered) for word in ("--ro-bind", "/dev/null", place)]


def host_sockets() -> frozenset[Path]:
    """Where the host's unix sockets lie that somebody holds open, as far as they can be found.

    Those of this network namespace, as the kernel lists them; one that this user cannot look at is
    closed to its agent, too. CAVEAT: one that is made later, or that a container made, is not among
    them.
    """
    with Path("/proc/net/unix").open(encoding="utf-8", errors="surrogateescape") as file:
        names = {line.rstrip("\n").split(None, 7)[7] for line in file if line.count(" /")}
    return frozenset(found for name in names if _is_socket(found := Path(name).resolve()))


def _is_socket(path: Path) -> bool:
    try:
        return path.is_socket()
    except PermissionError:
        return False


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
        if Path("/etc", name).is_dir():
            binds += ["--ro-bind", f"/etc/{name}", f"/etc/{name}"]
    return binds


def prefix_of(python: str) -> tuple[str, ...]:
    """The folder with the interpreter's library, where the system's folders do not hold it."""
    if python.startswith(tuple(f"{path}/" for path in SYSTEM)):
        return ()
    return (sys.base_prefix,)


def etc_files() -> dict[str, bytes]:
    """The plain files of the jail's /etc by their names: its own, and copies of the host's.

    bubblewrap reads the table of all mounts anew for every mount it makes, so a copy in the jail's
    root, which is read-only in the end, is quicker there than a mount.
    """
    places = {name: Path("/etc", name) for name in SYSTEM_SETTINGS}
    return {
        "passwd": f"agent:x:{_JAIL_UID}:{_JAIL_UID}:agent:/tmp/home:/bin/sh\n".encode(),
        "group": f"agent:x:{_JAIL_UID}:\n".encode(),
        "hosts": b"127.0.0.1 localhost jail\n::1 localhost jail\n",
        **{
            name: place.read_bytes()
            for name, place in places.items()
            if place.is_file() and _is_for_everyone(place)
        },
    }


def _is_for_everyone(place: Path) -> bool:
    """Whether the agent's user may read it on the host: root may whatever its mode says."""
    return bool(place.stat().st_mode & stat.S_IROTH) and os.access(place, os.R_OK)


def bubblewrap_data(seccomp: bytes, etc: Mapping[str, bytes]) -> dict[int, bytes]:
    """Descriptor number -> what these arguments expect to read there."""
    return {JailFds.SECCOMP: seccomp, **dict(enumerate(etc.values(), JailFds.ETC))}
