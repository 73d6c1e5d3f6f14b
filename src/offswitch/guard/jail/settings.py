"""What a user may say about the jail and its limits: plain numbers, text parsed elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from offswitch.errors import PolicyError, problems_text

__all__ = ["JailPolicy", "Limits", "check_jail_policy"]

_MIB = 1024 * 1024
_GIB = 1024 * _MIB


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much of the machine the agent may hold. Everything is an upper bound."""

    memory: int = 2 * _GIB
    """Bytes of private memory: of each process, and of the whole jail at tier 3."""
    processes: int = 300
    """Processes and threads alive at one time in the whole jail."""
    file: int = 128 * _MIB
    """Bytes of the largest single file the agent may write."""
    tmp: int = 64 * _MIB
    """Bytes of /tmp, and as many again of /dev/shm."""
    cpu: float = 3600.0
    """Processor seconds of each process."""
    wall: float = 7200.0
    """Seconds on the clock for the whole run; the supervisor stops it then."""
    open_files: int = 1024
    """Open descriptors of each process."""
    address_space: int | None = None
    """Bytes each process may map, used or not; None leaves `memory` + 32 GiB below tier 3 and no
    bound at tier 3, because node, Go and the JVM reserve far more than they use."""


class JailPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `jail:` part of a policy file."""

    workspace: str
    """The one folder of the host that the agent may write; it is /work in the jail."""
    tier: int = 2
    """The least tier accepted, 0 to 4; a run that cannot reach it does not start."""
    read: tuple[str, ...] = ()
    """Absolute paths the agent may read, at the same place, beside the system's own folders."""
    environment: dict[str, str] = msgspec.field(default_factory=dict)
    """Variables the agent gets; of the caller's own none is passed on. PATH, HOME, TMPDIR, TERM
    and LANG have defaults."""
    limits: Limits = msgspec.field(default_factory=Limits)
    """Bounds on memory, processes, files and time."""
    waive: tuple[str, ...] = ()
    """Probes that may find their way open. Waiving `memfd`, `io-uring` or `keyring` also lifts
    the rule that blocks it."""
    tcp_ports: tuple[int, ...] = ()
    """TCP ports the agent may bind and connect to; below tier 2 these are the host's own."""
    uid: int | None = None
    """The host's user id for the agent when the guard runs as root; None takes the workspace's
    owner. 0 keeps root's id and ends at tier 2."""
    proxy_uid: int | None = None
    """The host's user id for the proxy and its tool servers when the guard runs as root; None
    takes one that nobody has. 0 leaves them root's rights."""
    attested: str | None = None
    """What the operator says stands around this machine (a microVM, gVisor, a watchdog on another
    host). Recorded word for word, never checked; without it there is no tier 4."""


def check_jail_policy(policy: JailPolicy, known_probes: frozenset[str]) -> None:
    """Nothing, when `policy` can be planned from.

    Raises:
        PolicyError: every problem at once.
    """
    problems = [*_number_problems(policy), *_path_problems(policy)]
    problems += [
        f"jail.waive: there is no probe {name!r}. `offswitch guard selftest` lists all"
        for name in policy.waive
        if name not in known_probes
    ]
    if problems:
        raise PolicyError(problems_text("the jail's policy", problems))


_LEAST = {
    "memory": (64 * _MIB, "bytes"),
    "processes": (16, "processes"),
    "file": (1, "bytes"),
    "tmp": (4096, "bytes"),
    "cpu": (1, "seconds"),
    "wall": (1, "seconds"),
    "open_files": (64, "descriptors"),
}
"""Below these the guard's own entry program, which lives under the same limits, cannot start."""


def _number_problems(policy: JailPolicy) -> list[str]:
    limits = policy.limits
    problems = [
        f"jail.limits.{name} is {getattr(limits, name)}, expected at least {least} {unit}"
        for name, (least, unit) in _LEAST.items()
        if not getattr(limits, name) >= least
    ]
    if limits.address_space is not None and limits.address_space < limits.memory:
        problems.append(
            f"jail.limits.address_space is {limits.address_space}, expected at least "
            f"jail.limits.memory ({limits.memory}): a process maps what it uses"
        )
    if not 0 <= policy.tier <= 4:
        problems.append(f"jail.tier is {policy.tier}, expected 0 to 4")
    problems += [
        f"jail.tcp_ports: {port} is not a port, expected 1 to 65535"
        for port in policy.tcp_ports
        if not 1 <= port <= 65535
    ]
    problems += [
        f"jail.{name} is {uid}, expected 0 or more"
        for name, uid in (("uid", policy.uid), ("proxy_uid", policy.proxy_uid))
        if uid is not None and uid < 0
    ]
    return problems


_OF_THE_SYSTEM = frozenset(
    {"/", "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/opt", "/proc", "/run", "/sbin"}
    | {"/sys", "/tmp", "/usr", "/var"}
)


def _path_problems(policy: JailPolicy) -> list[str]:
    problems = []
    if not _is_there(f"{policy.workspace}{os.sep}"):
        problems.append(
            f"jail.workspace: {policy.workspace!r} is not a folder, or closed to this user. Make "
            "it first"
        )
    elif str(Path(policy.workspace).resolve()) in _OF_THE_SYSTEM:
        problems.append(
            f"jail.workspace: {policy.workspace!r} is the system's own folder, and the agent may "
            "write its workspace. Give it one of its own"
        )
    for path in policy.read:
        if not Path(path).is_absolute() or ".." in Path(path).parts:
            problems.append(f"jail.read: {path!r} is not an absolute path without '..'")
        elif path.rstrip("/") in ("", "/proc", "/dev", "/sys", "/work", "/run", "/tmp"):
            problems.append(
                f"jail.read: {path!r} would lay the host's over the jail's own. Name what the "
                "agent needs below it"
            )
        elif not _is_there(path):
            problems.append(f"jail.read: {path!r} is not there, or closed to this user")
    problems += [
        f"jail.environment: {name!r} is not a variable's name, or its value holds a NUL"
        for name, value in policy.environment.items()
        if not name or "=" in name or "\0" in name + value
    ]
    return problems


def _is_there(path: str) -> bool:
    """Whether this user can look at it; with a slash at its end, whether it is a folder too."""
    try:
        os.stat(path)  # noqa: PTH116 - a Path forgets the slash at its end
    except (OSError, ValueError):  # ValueError: a NUL
        return False
    return True
