"""The descriptor numbers that a jail's arguments speak of."""

from __future__ import annotations

__all__ = ["JailFds"]


class JailFds:
    """Numbers in the started program; whoever starts the jail puts the descriptors there."""

    SECCOMP = 20
    """Read by bubblewrap: the system-call filter."""
    INFO = 21
    """Written by bubblewrap: JSON with `child-pid`, the jail's init on the host."""
    SETTINGS = 22
    """Read by the entry program."""
    REPORT = 23
    """Written by the entry program: a JSON object a line; closed when the agent starts."""
    GO = 24
    """Read by the entry program: the byte 'g' starts the agent, anything else ends it."""
    ARGS = 25
    """Read by bubblewrap: its arguments, which the agent could otherwise read in /proc/1."""
    PROGRAM = 26
    """Read by the entry program: its own modules."""
    ETC = 27
    """The first of those read by bubblewrap for the files of the jail's /etc, one each."""
