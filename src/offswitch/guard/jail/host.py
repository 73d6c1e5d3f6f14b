"""What this machine offers a jail: found by trying, never by guessing from version numbers."""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec

from offswitch.errors import GuardError

__all__ = [
    "CgroupRoom", "Host", "bubblewrap_needed", "filters_calls", "find_cgroups", "inspect_host",
]  # fmt: skip

_LANDLOCK_CREATE_RULESET = 444
_LANDLOCK_VERSION = 1
_PR_GET_SECCOMP = 21
_LEAST_BUBBLEWRAP = (0, 8)
"""The first version with --disable-userns and --size."""


class CgroupRoom(msgspec.Struct, frozen=True):
    """Where this process may make a control group."""

    unified: str | None = None
    """A version 2 folder it may write to, or None."""
    controllers: tuple[str, ...] = ()
    """Version 2 controllers that folder can hand down, such as 'memory' and 'pids'."""
    legacy: dict[str, str] = msgspec.field(default_factory=dict)
    """Version 1 controller -> the folder it may write to."""

    @property
    def counts(self) -> frozenset[str]:
        """Those of 'memory' and 'pids' that can be bounded for a whole tree at once."""
        return frozenset({"memory", "pids"} & {*self.controllers, *self.legacy})


class Host(msgspec.Struct, frozen=True):
    """What was found on this machine, for this user."""

    kernel: str
    """'6.8.0-41-generic'."""
    machine: str
    """'x86_64' or 'aarch64'."""
    uid: int
    """The user the guard runs as; 0 is root."""
    bubblewrap: str | None
    """Path of the program, or None."""
    bubblewrap_version: tuple[int, ...] | None
    """(0, 8, 0), or None."""
    bubblewrap_refused: str | None
    """None if an empty jail could be made; otherwise what bubblewrap or the kernel said."""
    landlock_abi: int
    """0 where the kernel has no Landlock; 4 adds TCP, 6 adds signals and abstract sockets."""
    seccomp: bool
    """Whether the kernel filters system calls."""
    cgroups: CgroupRoom
    """Where control groups can be made."""
    gvisor: bool
    """Whether the kernel says it is gVisor's."""

    @property
    def jails(self) -> bool:
        """Whether bubblewrap can make namespaces here."""
        return self.bubblewrap is not None and self.bubblewrap_refused is None


def bubblewrap_needed(host: Host) -> str | None:
    """What to do before bubblewrap can jail here, or None if it can."""
    if host.bubblewrap is None:
        return (
            "bubblewrap is not installed. Install the package bubblewrap (>= 0.8): "
            "`apt install bubblewrap` or `dnf install bubblewrap`."
        )
    if host.bubblewrap_refused is not None:
        return (
            f"{host.bubblewrap} cannot make a jail here: {host.bubblewrap_refused}. User "
            "namespaces may be switched off: see `sysctl user.max_user_namespaces` (expected "
            "above 0), `kernel.apparmor_restrict_unprivileged_userns` (expected 0, or an AppArmor "
            "profile for bwrap), and in a container its seccomp profile."
        )
    return None


def inspect_host() -> Host:
    """What this machine and this user's rights allow, in about 10 ms.

    Raises:
        GuardError: this is not Linux.
    """
    if not sys.platform.startswith("linux"):
        raise GuardError(
            f"the guard holds agents with the Linux kernel's own means; this is {sys.platform}. "
            "Run it on Linux or in a Linux virtual machine."
        )
    path = shutil.which("bwrap")
    version = _bubblewrap_version(path)
    return Host(
        kernel=platform.release(),
        machine=platform.machine(),
        uid=os.getuid(),
        bubblewrap=path,
        bubblewrap_version=version,
        bubblewrap_refused=_refusal(path, version),
        landlock_abi=_landlock_abi(),
        seccomp=filters_calls(),
        cgroups=find_cgroups(),
        gvisor="gVisor" in Path("/proc/version").read_text(encoding="utf-8"),
    )


def filters_calls() -> bool:
    """Whether the kernel filters system calls."""
    return bool(_libc().prctl(_PR_GET_SECCOMP, 0, 0, 0, 0) >= 0)


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _landlock_abi() -> int:
    """The kernel's Landlock version, 0 without Landlock."""
    return max(0, int(_libc().syscall(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_VERSION)))


def _bubblewrap_version(path: str | None) -> tuple[int, ...] | None:
    if path is None:
        return None
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"(\d+(?:\.\d+)+)", said)
    return tuple(int(part) for part in found.group(1).split(".")) if found else None


def _refusal(path: str | None, version: tuple[int, ...] | None) -> str | None:
    if path is None:
        return None
    if version is None or version < _LEAST_BUBBLEWRAP:
        return f"version {version} is older than {_LEAST_BUBBLEWRAP}"
    flags = ["--unshare-all", "--unshare-user", "--disable-userns", "--ro-bind", "/", "/"]
    tried = subprocess.run(
        [path, *flags, "--", "/bin/true"], capture_output=True, text=True, check=False
    )
    if tried.returncode == 0:
        return None
    lines = tried.stderr.strip().splitlines()
    return lines[-1] if lines else f"exit code {tried.returncode}"


def find_cgroups(
    mounts: str = "/proc/self/mountinfo", own: str = "/proc/self/cgroup"
) -> CgroupRoom:
    """The control-group folders this process sits in and may write to."""
    places = _own_groups(Path(own).read_text(encoding="utf-8"))
    unified: str | None = None
    controllers: tuple[str, ...] = ()
    legacy: dict[str, str] = {}
    for line in Path(mounts).read_text(encoding="utf-8").splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        if kind not in ("cgroup", "cgroup2"):
            continue
        root, mount = left.split(" ")[3:5]
        for name in [""] if kind == "cgroup2" else options.split(","):
            folder = _below(mount, root, places.get(name))
            if folder is None or not os.access(folder, os.W_OK | os.X_OK):
                continue
            if kind == "cgroup2":
                unified, controllers = folder, _controllers(folder)
            elif name in ("memory", "pids", "freezer", "cpu"):
                legacy[name] = folder
    return CgroupRoom(unified, controllers, legacy)


def _own_groups(text: str) -> dict[str, str]:
    """Controller ('' for version 2) -> the path of this process's group in its hierarchy."""
    groups: dict[str, str] = {}
    for line in text.splitlines():
        _, names, path = line.split(":", 2)
        groups.update(dict.fromkeys(names.split(","), path))
    return groups


def _below(mount: str, root: str, path: str | None) -> str | None:
    """The folder of group `path` under a hierarchy of which only `root` and below is mounted."""
    if path is None:
        return None
    inner = path.removeprefix(root.rstrip("/")) if root != "/" else path
    return (mount + inner).rstrip("/") or None


def _controllers(folder: str) -> tuple[str, ...]:
    file = Path(folder, "cgroup.controllers")
    return tuple(file.read_text(encoding="utf-8").split()) if file.exists() else ()
