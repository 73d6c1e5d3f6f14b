"""A process gives up its rights for ever: another user, and no capability but those it needs.

Linux, capabilities(7). Its bounding set is emptied, too: whatever it executes has none of them.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from offswitch.errors import GuardError
from offswitch.guard.jail.inside.kernel import LIBC, PR_SET_NO_NEW_PRIVS, checked, prctl, words

__all__ = ["capabilities", "give_up_rights"]

_PR_SET_DUMPABLE, _PR_SET_KEEPCAPS, _PR_CAPBSET_DROP = 4, 8, 24
_CAPABILITY_VERSION = 0x20080522
_WORD = 0xFFFFFFFF


def capabilities() -> dict[str, int]:
    """This process's sets of capabilities by their names in /proc/self/status, a bit for each."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    fields = (line.split(":\t") for line in status.splitlines() if line.startswith("Cap"))
    return {name: int(value, 16) for name, value in fields}


def give_up_rights(uid: int, keep: Collection[int] = ()) -> None:
    """Nothing, once this process is user and group `uid`, for ever, and no other of its user can
    read its memory. Of the capabilities `keep` it has those that it had.

    Raises:
        GuardError: the kernel refused, or it kept a right.
    """
    sets = capabilities()
    kept = sum(1 << number for number in keep) & sets["CapPrm"]
    try:
        for number in range(sets["CapBnd"].bit_length()):
            if sets["CapBnd"] >> number & 1:
                prctl(_PR_CAPBSET_DROP, number)
        _become(uid, kept)
        prctl(_PR_SET_DUMPABLE, 0)  # the change of user may have undone it
        prctl(PR_SET_NO_NEW_PRIVS, 1)
    except OSError as problem:
        raise GuardError(
            f"it may not become user {uid}: {problem.strerror}. A root needs the capabilities "
            "SETUID, SETGID and SETPCAP for that: give it these, or start the run as an ordinary "
            "user"
        ) from problem
    meant = {"CapPrm": kept, "CapEff": kept}
    left = [
        f"{name} is {value:x}, expected {meant.get(name, 0):x}"
        for name, value in capabilities().items()
        if value != meant.get(name, 0)
    ]
    if os.getresuid() != (uid,) * 3:  # -1 is no user: the kernel takes it for no change
        left.append(f"it is user {os.getuid()}, expected {uid}")
    if left:
        raise GuardError(
            f"it cannot give up its rights: {'; '.join(left)}. Start the run as an ordinary user"
        )


def _become(uid: int, kept: int) -> None:
    """The user, with the capabilities `kept`, permitted and effective; none can be inherited."""
    prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    low, high = kept & _WORD, kept >> 32
    header = words(_CAPABILITY_VERSION, 0, size=4)
    checked(LIBC.capset(header, words(low, low, 0, high, high, 0, size=4)))
    prctl(_PR_SET_KEEPCAPS, 0)
