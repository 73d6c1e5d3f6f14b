"""A user id for one process of the guard that no account has and nobody else runs under."""

from __future__ import annotations

import pwd
import secrets
from collections.abc import Collection
from pathlib import Path

from offswitch.errors import GuardError

__all__ = ["free_uid", "has_account", "is_alone"]

_FIRST, _COUNT = 61184, 4336
"""Numbers that systemd, too, gives to services without an account: 61184 to 65519."""


def free_uid(others: Collection[int | None] = ()) -> int:
    """A user id that no account has and no process runs under, at random, and none of `others`.

    Raises:
        GuardError: there is none in this user namespace.
    """
    used = {*others, *(_owner(entry) for entry in Path("/proc").glob("[0-9]*"))}
    start = secrets.randbelow(_COUNT)
    for step in range(_COUNT):
        uid = _FIRST + (start + step) % _COUNT
        if uid not in used and not has_account(uid) and _is_mapped(uid):
            return uid
    raise GuardError(
        f"no user id from {_FIRST} to {_FIRST + _COUNT - 1} is free in this user namespace, and "
        "what a run of root's exposes to strangers takes one. Map them, or start the run as an "
        "ordinary user."
    )


def has_account(uid: int) -> bool:
    """Whether somebody on this machine has that user id."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def is_alone() -> bool:
    """Whether this user namespace knows one user and no other, as that of `unshare -r` does: its
    root has the rights of whoever made it, and can become nobody else."""
    return sum(count for _, count in _mapped()) == 1


def _is_mapped(uid: int) -> bool:
    """Whether this user namespace knows the number at all."""
    return any(first <= uid < first + count for first, count in _mapped())


def _mapped() -> list[tuple[int, int]]:
    """The first of each range of user ids, and how many they are."""
    lines = Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines()
    return [(int(first), int(count)) for first, _, count in (line.split() for line in lines)]


def _owner(entry: Path) -> int:
    try:
        return entry.stat().st_uid
    except OSError:  # it ended while we looked
        return -1
