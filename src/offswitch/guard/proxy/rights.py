"""The proxy's own user: what speaks to the network and starts tool servers is not root.

Python may lie in a folder that only root can read, so that nothing is loaded any more afterwards.
"""

from __future__ import annotations

import codecs
import concurrent.futures.thread  # noqa: F401 - asyncio loads it when it looks up the first name
import os
import pwd
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from offswitch.errors import GuardError
from offswitch.guard.free_uid import has_account
from offswitch.guard.policy.policy import McpServer
from offswitch.guard.rights import give_up_rights

__all__ = ["drop_rights", "require_startable"]

_LOADED_LATE = ("ascii", "idna", "latin-1")
"""Codecs that are loaded when they are first used."""


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
        give_up_rights(uid)
    except (GuardError, OSError) as problem:
        raise GuardError(
            f"{problem}; or name another user in jail.proxy_uid (0 leaves it root's rights)"
        ) from problem


def require_startable(servers: Sequence[McpServer]) -> None:
    """Nothing, when this user may execute every tool server that is a program.

    Raises:
        GuardError: every one that it may not.
    """
    closed = [one for one in servers if one.command and shutil.which(one.command[0]) is None]
    if closed:
        named = ", ".join(
            f"{one.command[0]!r} of {one.name!r} ({_hindrance(one.command[0])})" for one in closed
        )
        raise GuardError(
            f"user {os.getuid()}, which tool servers run as, cannot execute {named}. Name a "
            "program that this user may read and execute; or, if you are root, name in "
            "jail.proxy_uid a user who may (0 is root); or start the server yourself and give "
            "its url"
        )


def _hindrance(program: str) -> str:
    if "/" not in program:
        return f"in no folder of PATH; ./{program} is one beside the policy"
    try:
        mode = Path(program).stat().st_mode
    except FileNotFoundError:
        return "there is no such file"
    except OSError as problem:
        return problem.strerror or type(problem).__name__
    if stat.S_ISDIR(mode):
        return "a folder"
    return "closed to this user" if mode & 0o111 else "not executable: chmod +x"


def _home(uid: int, folder: str) -> str:
    if has_account(uid):
        return pwd.getpwuid(uid).pw_dir
    home = Path(folder, "home")
    home.mkdir(0o700)
    os.chown(home, uid, uid)
    return str(home)
