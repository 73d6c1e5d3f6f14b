"""How much a jail can promise on this machine, and what it cannot: printed before every run."""

from __future__ import annotations

from pathlib import Path

import msgspec

from offswitch.errors import GuardError
from offswitch.guard.jail.host import Host, bubblewrap_needed
from offswitch.guard.jail.settings import JailPolicy

__all__ = ["Tier", "agent_uid", "require_tier", "tier_of"]


class Tier(msgspec.Struct, frozen=True):
    """A level of containment, 0 to 4, with its promises."""

    level: int
    """0 hooks only, 1 Landlock and seccomp, 2 a namespace jail, 3 with a control group and
    another user id, 4 inside a second machine."""
    name: str
    """One line."""
    covered: tuple[str, ...]
    """What is prevented."""
    not_covered: tuple[str, ...]
    """What is not, in words an operator can act on."""
    missing: tuple[str, ...]
    """What this machine lacks for the next tier; below tier 2, for tier 2."""


_NAMES = (
    "hooks only",
    "Landlock and seccomp",
    "namespaces, Landlock and seccomp",
    "namespaces, Landlock and seccomp in a control group",
    "tier 3 inside a second machine, watched from outside (attested, not checked)",
)
_HIGHEST = len(_NAMES) - 1

_COVERED: tuple[tuple[str, ...], ...] = (
    ("tokens and tool calls that pass through the guard's own hooks",),
    (
        "tampering with the supervisor: signals, tracing, its files",
        "TCP by Landlock; UDP, raw and unix sockets by seccomp",
        "memory, file size, processor time and open files of each process",
    ),
    (
        "killing the whole process tree, verified empty",
        "tampering with the supervisor: it cannot be seen, signalled, traced or written",
        "every network but an empty one of the jail's own",
        "memory, file size, processor time and open files of each process, size of /tmp",
    ),
    ("killing the whole process tree in two independent ways", "memory of the whole tree"),
    ("a kernel bug in the inner machine; power-off from outside",),
)
"""What each tier adds to the tier below; tier 2 replaces tier 1's lines by stronger ones."""

_EACH_ALONE = (
    "memory of the whole tree: the bounds hold for each process alone, and what a process maps to "
    "share counts only against address_space"
)
_KERNEL = (
    "bugs in the kernel",
    "side channels (timing, caches)",
)
_ALWAYS = (
    "acts already sent over an allowed channel",
    "hidden messages inside allowed traffic, and copies made through an allowed interface",
    "tool calls that a model writes as plain text: only what is done with them is judged",
)
_NOT_COVERED: tuple[tuple[str, ...], ...] = (
    ("everything the agent does on its own: files, processes, network, signals", *_ALWAYS),
    (
        "killing a fork bomb for certain: the true stop is to end the container or machine",
        "seeing other processes in /proc",
        _EACH_ALONE,
        *_KERNEL,
        *_ALWAYS,
    ),
    (
        _EACH_ALONE,
        "number of files in /tmp and the workspace, and the size of the workspace",
        *_KERNEL,
        *_ALWAYS,
    ),
    (
        "number of files in /tmp and the workspace, and the size of the workspace",
        "memory of a GPU",
        *_KERNEL,
        *_ALWAYS,
    ),
    ("bugs in the hypervisor or in gVisor", "remote acts already taken", *_ALWAYS),
)


def agent_uid(host: Host, policy: JailPolicy) -> int:
    """The host's user id the agent runs under: the guard's own unless the guard is root."""
    if host.uid != 0:
        return host.uid
    if policy.uid is not None:
        return policy.uid
    return Path(policy.workspace).stat().st_uid


def tier_of(host: Host, policy: JailPolicy) -> Tier:
    """The highest tier this machine reaches for this policy, with what it does not cover."""
    level = 0
    for step in (1, 2):
        level = level if _missing(step, host, policy) else step
    while 2 <= level < _HIGHEST and not _missing(level + 1, host, policy):
        level += 1
    missing = _missing(max(2, level + 1), host, policy)
    covered = [line for step in range(level + 1) for line in _COVERED[step]]
    if level >= 2:
        covered = [line for line in covered if line not in _COVERED[1]]
    open_ends = _NOT_COVERED[level] + _root_note(level, host, policy)
    if "memory" in host.cgroups.counts:
        open_ends = tuple(line for line in open_ends if line != _EACH_ALONE)
    return Tier(level, _NAMES[level], tuple(covered), open_ends, missing)


def require_tier(tier: Tier, host: Host, policy: JailPolicy) -> None:
    """Nothing, when `tier` is at least what the policy accepts.

    Raises:
        GuardError: says what is missing and how to get it.
    """
    if tier.level >= policy.tier:
        return
    lacks = "\n".join(
        f"  - for tier {level}: {line}"
        for level in range(max(2, tier.level + 1), max(2, policy.tier) + 1)
        for line in _missing(level, host, policy)
    )
    raise GuardError(
        f"the policy asks for tier {policy.tier}; this machine reaches tier {tier.level} "
        f"({tier.name}). It lacks\n{lacks}\nOr accept less with jail.tier: {tier.level}."
    )


def _missing(level: int, host: Host, policy: JailPolicy) -> tuple[str, ...]:
    """What the host or the policy lacks for exactly this level."""
    as_root = agent_uid(host, policy) == 0
    if level == 1:
        lacks = _missing_for_1(host, as_root)
    elif level == 2:
        lacks = _missing_for_2(host, as_root)
    elif level == 3:
        lacks = _missing_for_3(host, as_root)
    elif level == 4 and policy.attested:
        lacks = []
    elif level == 4:
        lacks = [
            "gVisor or a microVM, and a watchdog on another host: say what there is in "
            "jail.attested"
        ]
    else:
        lacks = []  # there is no tier above
    return tuple(lacks)


def _missing_for_1(host: Host, as_root: bool) -> list[str]:
    lacks = []
    if host.landlock_abi < 6:
        lacks.append(
            f"Landlock ABI 6 (Linux 6.12) for signals; this kernel has {host.landlock_abi}"
        )
    if not host.seccomp:
        lacks.append("a kernel with seccomp filters")
    if as_root:
        lacks.append("an unprivileged user: set jail.uid, or start the guard as one")
    return lacks


def _missing_for_2(host: Host, as_root: bool) -> list[str]:
    lacks = []
    if (needed := bubblewrap_needed(host)) is not None:
        lacks.append(needed)
    if host.landlock_abi < 1 or not host.seccomp:
        lacks.append("a kernel with Landlock (Linux 5.13) and seccomp filters")
    if as_root and "pids" not in host.cgroups.counts:
        lacks.append(
            "a bound on processes, which the kernel never holds root's user id to: give the "
            "workspace to an unprivileged user (`chown`), set jail.uid, or let root write a "
            "control group with the pids controller"
        )
    return lacks


def _missing_for_3(host: Host, as_root: bool) -> list[str]:
    lacks = [
        f"a control group with the {name} controller: run as root, or under "
        "`systemd-run --user --scope -p Delegate=yes`"
        for name in sorted({"memory", "pids"} - host.cgroups.counts)
    ]
    if as_root:
        lacks.append(
            "another user id than root's: give the workspace to an unprivileged user (`chown`) "
            "or set jail.uid"
        )
    return lacks


def _root_note(level: int, host: Host, policy: JailPolicy) -> tuple[str, ...]:
    if level != 2 or agent_uid(host, policy) != 0:
        return ()
    return (
        "the agent keeps root's user id on the host, without capabilities: what the mounts leave "
        "readable, it can read whatever the file's mode",
    )
