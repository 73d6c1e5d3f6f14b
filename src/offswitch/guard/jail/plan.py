"""How one agent will be jailed: every argument, descriptor and limit, before anything runs."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from offswitch.errors import GuardError
from offswitch.guard.jail import inside
from offswitch.guard.jail.bubblewrap import (
    INSIDE,
    MERGED,
    SYSTEM,
    SYSTEM_SETTINGS,
    WORK,
    bubblewrap_arguments,
    bubblewrap_data,
    etc_files,
    prefix_of,
)
from offswitch.guard.jail.catalog import PROBES
from offswitch.guard.jail.cgroups import RunGroup, plan_group
from offswitch.guard.jail.descriptors import JailFds
from offswitch.guard.jail.host import Host
from offswitch.guard.jail.limits import resource_limits
from offswitch.guard.jail.program import entry_bytecode, entry_command
from offswitch.guard.jail.reach import check_paths, interpreter_for
from offswitch.guard.jail.seccomp import filter_program
from offswitch.guard.jail.settings import JailPolicy, check_jail_policy
from offswitch.guard.jail.tier import Tier, agent_uid, require_tier, tier_of

__all__ = ["MARK", "EntrySettings", "JailPlan", "LandlockRules", "plan_jail"]


class LandlockRules(msgspec.Struct, frozen=True):
    """What `inside.landlock.restrict` is told."""

    abi: int
    read: tuple[str, ...]
    write: tuple[str, ...]
    devices: tuple[str, ...]
    tcp_ports: tuple[int, ...]


class EntrySettings(msgspec.Struct, frozen=True):
    """What the entry program is told, beside the bait. A layer left out is not applied."""

    command: tuple[str, ...]
    environment: dict[str, str]
    folder: str
    """Where the agent starts."""
    limits: dict[str, int]
    landlock: LandlockRules | None
    filter: bytes | None = None
    """The system-call filter where bubblewrap does not load it."""
    close: bool = True
    """Whether every other descriptor is closed."""
    die_with_parent: bool = False
    """Whether to ask for a death signal, where bubblewrap does not."""
    forward: tuple[tuple[int, str], ...] = ()
    """Ports of the jail's loopback, and the sockets in the jail that they lead to."""
    report: int = JailFds.REPORT
    go: int = JailFds.GO


class JailPlan(msgspec.Struct, frozen=True):
    """Everything a spawner needs, and everything a statement says."""

    argv: tuple[str, ...]
    """The program to execute."""
    environment: dict[str, str]
    """The program's whole environment: the run's mark, which the agent's own carries too, so that
    what it leaves behind can be told from other processes."""
    bubblewrap: tuple[str, ...]
    """bubblewrap's arguments, read from `JailFds.ARGS`; empty below tier 2."""
    data: dict[int, bytes]
    """Descriptor number -> what must be readable there; `launch.open_plan` adds the arguments and
    the settings, which name the bait."""
    uid: int | None
    """User and group id to take on before the exec, or None to stay."""
    group: RunGroup | None
    """The control group to make, and to enter before the exec."""
    entry: EntrySettings
    seccomp: bytes | None
    """The filter, whoever loads it."""
    tier: Tier
    host: Host
    policy: JailPolicy


MARK = "OFFSWITCH_RUN"
"""The variable that marks every process of a run."""
_DEVICES = tuple(
    f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty", "pts", "ptmx")
)
_LANDLOCK_USED = 6
"""The highest Landlock ABI whose rules are used here."""


def plan_jail(
    policy: JailPolicy,
    host: Host,
    command: Sequence[str],
    run_dir: str | os.PathLike[str],
    sockets: Mapping[str, str] | None = None,
    forward: Sequence[tuple[int, str]] = (),
) -> JailPlan:
    """The strongest jail this host can build for `command`, at least of the policy's tier.

    `run_dir` holds the run's own files, which the agent must not reach. `sockets` maps a name to a
    unix socket of the host that the agent may use, as /run/offswitch/<name>. `forward` names ports
    of the jail's own loopback that lead to such sockets; they need tier 2.

    Raises:
        PolicyError: every problem of the policy at once.
        GuardError: the host cannot reach the policy's tier, or the agent would see the run's own
            files, or lacks the right to its own.
    """
    if not command or not command[0]:
        raise GuardError("no command was given. Name the agent's program after `--`.")
    check_jail_policy(policy, frozenset(PROBES))
    tier = tier_of(host, policy)
    require_tier(tier, host, policy)
    uid = agent_uid(host, policy)
    python = interpreter_for(host, uid)
    check_paths(policy, host, uid, Path(run_dir), python)
    if forward and tier.level < 2:
        raise GuardError("ports can be forwarded only in a jail of tier 2 or above.")
    run = secrets.token_hex(8)
    mark = {MARK: run}
    group = plan_group(host.cgroups, run, policy.limits)
    waived = frozenset(policy.waive)
    seccomp = filter_program(tier.level, waived) if tier.level >= 1 else None
    jailed = tier.level >= 2
    etc = etc_files() if jailed else {}
    ports = (*policy.tcp_ports, *(port for port, _ in forward))
    opened = msgspec.structs.replace(policy, tcp_ports=ports)
    entry = _entry(opened, host, tier, uid, group, python)
    entry = msgspec.structs.replace(
        entry,
        command=tuple(command),
        environment={**entry.environment, **mark},
        filter=None if jailed else seccomp,
        forward=tuple((port, path) for port, path in forward),
    )
    return JailPlan(
        argv=_argv(host, python, jailed),
        environment=mark,
        bubblewrap=bubblewrap_arguments(policy, python, sockets or {}, etc) if jailed else (),
        data={
            **(bubblewrap_data(seccomp, etc) if jailed and seccomp else {}),
            JailFds.PROGRAM: entry_bytecode(),
        },
        uid=uid if uid != host.uid else None,
        group=group,
        entry=entry,
        seccomp=seccomp,
        tier=tier,
        host=host,
        policy=policy,
    )


def _entry(
    policy: JailPolicy, host: Host, tier: Tier, uid: int, group: RunGroup | None, python: str
) -> EntrySettings:
    jailed = tier.level >= 2
    folder = WORK if jailed else str(Path(policy.workspace).resolve())
    limits = resource_limits(
        policy.limits,
        tier=tier.level,
        memory_in_group=group is not None and group.bounds_memory,
        uid=uid,
    )
    return EntrySettings(
        command=(),
        environment=_environment(policy, folder, jailed),
        folder=folder,
        limits=limits,
        landlock=_landlock(policy, host, folder, jailed, python) if tier.level >= 1 else None,
        die_with_parent=not jailed,
    )


def _environment(policy: JailPolicy, folder: str, jailed: bool) -> dict[str, str]:
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": "/tmp/home" if jailed else folder,
        "TMPDIR": "/tmp" if jailed else folder,
        "TERM": os.environ.get("TERM", "dumb"),
        "LANG": "C.UTF-8",
        **policy.environment,
    }


def _landlock(
    policy: JailPolicy, host: Host, folder: str, jailed: bool, python: str
) -> LandlockRules:
    # In a jail of mounts only what may be read is there; without one Landlock has to say it.
    system = [*SYSTEM, *MERGED, "/proc", "/dev", *(f"/etc/{name}" for name in SYSTEM_SETTINGS)]
    outside = (*system, *policy.read, folder, *prefix_of(python), inside.__path__[0])
    return LandlockRules(
        abi=min(host.landlock_abi, _LANDLOCK_USED),
        read=("/",) if jailed else outside,
        write=(folder, "/tmp", "/dev/shm") if jailed else (folder,),
        devices=_DEVICES,
        tcp_ports=policy.tcp_ports,
    )


def _argv(host: Host, python: str, jailed: bool) -> tuple[str, ...]:
    folder = INSIDE if jailed else str(Path(inside.__path__[0]).parent)
    entry = entry_command(python, folder)
    if not jailed:
        return entry
    assert host.bubblewrap is not None
    return (host.bubblewrap, "--args", str(JailFds.ARGS), "--", *entry)
