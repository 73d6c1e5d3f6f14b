"""What is to be started, and what must be dead for a run to have ended: plain data."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple  # Any: values of a JSON object

__all__ = [
    "LaunchOrder",
    "Target",
    "order_fields",
    "order_from",
    "order_problems",
    "with_handles",
    "with_order",
]

EMPTY: Mapping[Any, Any] = MappingProxyType({})


class LaunchOrder(NamedTuple):
    """One program to start: everything the spawner needs to fork and exec it."""

    argv: tuple[str, ...]
    """The program by absolute path, then its arguments; usually bwrap's."""
    environment: Mapping[str, str]
    """The whole environment; nothing is inherited."""
    cwd: str = "/"
    """Absolute folder to start in."""
    fds: Mapping[int, int] = EMPTY
    """Number in the new program -> open descriptor here. Every other one is closed."""
    rlimits: Mapping[str, tuple[int, int]] = EMPTY
    """Name such as RLIMIT_NPROC -> (soft, hard)."""
    cgroup_procs: tuple[str, ...] = ()
    """`cgroup.procs` files joined before the exec."""
    info_fd: int | None = None
    """The number given to bwrap's `--info-fd`; None when no pid namespace is made."""
    uid: int | None = None
    """User to become before the exec."""
    gid: int | None = None
    """Group to become before the exec."""
    own_uids: tuple[int, ...] = ()
    """Users that nobody else is: strays are looked for by them, too."""
    marks: tuple[str, ...] = ()
    """`NAME=value` entries of the environment that nobody else has; strays are found by them."""


class Target(NamedTuple):
    """The handles by which a run is killed, and by which it is known to be dead."""

    init_pidfd: int | None = None
    """pidfd of the pid namespace's init: dead only when the namespace is empty."""
    outer_pidfd: int | None = None
    """pidfd of the started program itself (bwrap outside the namespace)."""
    cgroups: tuple[str, ...] = ()
    """Folders of the groups the run is in, version 1 or 2."""
    uids: tuple[int, ...] = ()
    """The run's own users, whom nobody else is."""
    marks: tuple[str, ...] = ()
    """The run's own `NAME=value` marks."""
    pid_namespace: int | None = None
    """Inode of the run's pid namespace."""
    ancestor: int | None = None
    """Number of a process whose descendants are all the run's, but for those spared."""
    spared: tuple[int, ...] = ()
    """Numbers never taken for strays."""
    since: int = 0
    """Start time (ticks after boot) before which nothing can be the run's."""
    egress: tuple[int, ...] = ()
    """pidfds of the run's proxies: killed first, so that nothing leaves any more."""


def order_problems(order: LaunchOrder) -> tuple[str, ...]:
    """What is wrong with the order, every problem at once; empty when it can be tried."""
    problems = []
    if not order.argv or not os.path.isabs(order.argv[0]):
        problems.append(f"argv[0] is {order.argv[:1]!r}, expected a program by absolute path")
    if not os.path.isdir(order.cwd):
        problems.append(f"cwd {order.cwd!r} is not a folder")
    if order.info_fd is not None and order.info_fd in order.fds:
        problems.append(f"descriptor {order.info_fd} is both info_fd and in fds; move one")
    problems += [f"descriptor {n} in fds is negative" for n in order.fds if n < 0]
    problems += [_group_problem(path) for path in order.cgroup_procs]
    missing = [mark for mark in order.marks if mark not in _entries(order)]
    problems += [f"mark {mark!r} is not an entry of the environment" for mark in missing]
    return tuple(problem for problem in problems if problem)


def order_fields(order: LaunchOrder) -> dict[str, Any]:
    """The order as JSON holds it; the descriptors themselves travel beside it."""
    return {**order._asdict(), "fds": list(order.fds), "environment": dict(order.environment)} | {
        "rlimits": dict(order.rlimits)
    }


def order_from(fields: Mapping[str, Any], received: tuple[int, ...]) -> LaunchOrder:
    """The order of a message: `fields` as `order_fields` wrote them, descriptors as received."""
    rlimits = {name: (int(soft), int(hard)) for name, (soft, hard) in fields["rlimits"].items()}
    lists = {name: tuple(fields[name]) for name in ("argv", "cgroup_procs", "own_uids", "marks")}
    fds = dict(zip(fields["fds"], received, strict=True))
    return LaunchOrder(**{**fields, **lists, "rlimits": rlimits, "fds": fds})


def with_order(target: Target, order: LaunchOrder) -> Target:
    """The target, with what is known of the run before it starts."""
    groups = tuple(os.path.dirname(path) for path in order.cgroup_procs)
    return target._replace(cgroups=groups, uids=order.own_uids, marks=tuple(order.marks))


def with_handles(target: Target, launched: Mapping[str, Any], fds: tuple[int, ...]) -> Target:
    """The target, with the handles of a `launched` message: the outer pidfd, then the init's."""
    return target._replace(
        outer_pidfd=fds[0],
        init_pidfd=fds[1] if len(fds) > 1 else None,
        pid_namespace=launched["pid_namespace"],
        since=launched["since"],
    )


def _entries(order: LaunchOrder) -> frozenset[str]:
    return frozenset(f"{name}={value}" for name, value in order.environment.items())


def _group_problem(path: str) -> str:
    if not os.access(path, os.W_OK):
        return f"{path} cannot be written: make the group first, or leave it out"
    with open(path, encoding="ascii") as file:
        inside = str(os.getpid()) in file.read().split()
    return f"{path} holds this very process: a kill would hit the guard itself" if inside else ""
