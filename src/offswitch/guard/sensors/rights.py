"""What the sensor process may do: read every file, see every process, and nothing else.

It reads what a hostile agent wrote. If that ever takes it over, it can write no file, signal no
process, start no program and open no connection: all it can do is say wrong things.
"""

from __future__ import annotations

from offswitch.errors import GuardError
from offswitch.guard.jail.inside.kernel import PR_SET_NO_NEW_PRIVS, load_filter, prctl
from offswitch.guard.rights import capabilities, give_up_rights

__all__ = ["drop_rights"]

_DAC_OVERRIDE, _DAC_READ_SEARCH, _SYS_PTRACE = 1, 2, 19


def drop_rights(uid: int | None, calls: bytes) -> None:
    """Nothing, once this process is user `uid` under the system-call filter `calls`.

    Without a user it stays who it is, and without a filter it has none.

    Raises:
        GuardError: the kernel refused, or it kept a right.
    """
    if uid is not None:
        give_up_rights(uid, _needed(bool(calls)))
    try:
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        if calls:
            load_filter(calls)
    except OSError as problem:
        raise GuardError(
            f"it cannot load its system-call filter: {problem.strerror}. Where a container's "
            "seccomp profile refuses the call seccomp, allow it"
        ) from problem


def _needed(filtered: bool) -> tuple[int, ...]:
    """What reads folders that are closed, and tells which program a process of others runs.

    A filter alone makes these less than root's rights: with the second, ptrace is control over
    any process. The root of a container often lacks the first and has the right to write instead.
    """
    if not filtered:
        return (_DAC_READ_SEARCH,)
    reads = capabilities()["CapPrm"] >> _DAC_READ_SEARCH & 1
    return (_DAC_READ_SEARCH if reads else _DAC_OVERRIDE, _SYS_PTRACE)
