"""The proxy's own user: what speaks to the network and starts tool servers is not root.

Python may lie in a folder that only root can read, so that nothing is loaded any more afterwards.
"""

from __future__ import annotations

import codecs
import concurrent.futures.thread  # noqa: F401 - asyncio loads it when it looks up the first name
import os
import pwd
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

from offswitch.errors import GuardError
from offswitch.guard.policy.policy import McpServer
from offswitch.guard.stop.harden import forbid_new_rights, set_dumpable

__all__ = ["drop_rights", "free_uid", "require_startable"]

_LOADED_LATE = ("ascii", "idna", "latin-1")
"""Codecs that are loaded when they are first used."""
_FIRST, _COUNT = 61184, 4336
"""Numbers that systemd, too, gives to services without an account: 61184 to 65519."""


def free_uid() -> int:
    """A user id that no account has and no process runs under, at random.

    Raises:
        GuardError: there is none in this user namespace.
    """
    used = {_owner(entry) for entry in Path("/proc").glob("[0-9]*")}
    start = secrets.randbelow(_COUNT)
    for step in range(_COUNT):
        uid = _FIRST + (start + step) % _COUNT
        if uid not in used and not _has_account(uid) and _is_mapped(uid):
            return uid
    raise GuardError(
        f"no user id from {_FIRST} to {_FIRST + _COUNT - 1} is free here for the proxy. Name one "
        "in jail.proxy_uid; 0 leaves it root's rights."
    )


def drop_rights(uid: int, folder: str) -> None:
    """Nothing, once this process is user and group `uid`, without capabilities, for ever.

    HOME is then that account's; without an account, a new folder of its own in `folder`.

    Raises:
        GuardError: the kernel refused, or it kept a right.
    """
    for name in _LOADED_LATE:
        codecs.lookup(name)
    try:
        os.environ["HOME"] = _home(uid, folder)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    except OSError as problem:
        raise GuardError(
            f"it may not become user {uid}: {problem.strerror}. Name another in jail.proxy_uid; 0 "
            "leaves it root's rights"
        ) from problem
    set_dumpable(False)  # the change of user may have undone it
    kept = [name for name, value in _capabilities().items() if value and name != "CapBnd"]
    if kept or not forbid_new_rights():
        raise GuardError(f"the proxy cannot give up its rights: {', '.join(kept)} are left")


def require_startable(servers: Sequence[McpServer]) -> None:
    """Nothing, when this user may execute every tool server that is a program.

    Raises:
        GuardError: every one that it may not.
    """
    closed = [one for one in servers if one.command and shutil.which(one.command[0]) is None]
    if closed:
        named = ", ".join(f"{one.command[0]!r} of {one.name!r}" for one in closed)
        raise GuardError(
            f"user {os.getuid()}, which tool servers run as, cannot execute {named}. Put it where "
            "every user may read it; or name in jail.proxy_uid a user who may (0 is root); or "
            "start the server yourself and give its url"
        )


def _home(uid: int, folder: str) -> str:
    if _has_account(uid):
        return pwd.getpwuid(uid).pw_dir
    home = Path(folder, "home")
    home.mkdir(0o700)
    os.chown(home, uid, uid)
    return str(home)


def _has_account(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _is_mapped(uid: int) -> bool:
    """Whether this user namespace knows the number at all."""
    lines = Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines()
    ranges = [[int(part) for part in line.split()] for line in lines]
    return any(first <= uid < first + count for first, _, count in ranges)


def _owner(entry: Path) -> int:
    try:
        return entry.stat().st_uid
    except OSError:  # it ended while we looked
        return -1


def _capabilities() -> dict[str, int]:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    fields = (line.split(":\t") for line in status.splitlines() if line.startswith("Cap"))
    return {name: int(value, 16) for name, value in fields}
