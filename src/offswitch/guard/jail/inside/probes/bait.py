"""What the probes try to reach: decoys the supervisor put on the host, so that nothing real is hit.

Never imported in the jail, only by the type checker there: `typing` is slow to load.
"""

from __future__ import annotations

from typing import TypedDict

__all__ = ["Bait"]


class Bait(TypedDict):
    """Decoys outside the jail and the bounds inside it."""

    tier: int
    """The tier the jail was planned for."""
    supervisor: int
    """Process id of the supervisor, on the host."""
    supervisor_started: str
    """Its start in clock ticks since boot, field 22 of its stat file: tells it from a namesake."""
    goal: str
    """A decoy goal file on the host."""
    log: str
    """A decoy log file on the host."""
    stream: str
    """Path of a listening unix stream socket on the host."""
    datagram: str
    """Path of a unix datagram socket on the host."""
    abstract: str
    """Abstract name of a listening unix stream socket on the host."""
    tcp: int
    """Port of a TCP listener on the host's 127.0.0.1."""
    udp: int
    """Port of a UDP socket on the host's 127.0.0.1."""
    memory_segment: int | None
    """Number of a System V memory segment on the host; None if none could be made."""
    session: int
    """The supervisor's session, by its leader's process id on the host."""
    hostname: str
    """The host's name."""
    user_map: str
    """The host's map of user ids."""
    named_group: bool
    """Whether a path other than '/' is there to be seen in the agent's control groups."""
    group_counts_processes: bool
    """Whether a control group bounds the number of processes."""
    scratch: str
    """A folder inside that the agent may write."""
    memory: int
    """Bytes of private memory allowed."""
    file: int
    """Bytes of one file allowed."""
    tmp: int
    """Bytes of /tmp allowed, and of /dev/shm."""
    cpu: int
    """Processor seconds of one process allowed."""
    open_files: int
    """Descriptors of one process allowed."""
    processes: int
    """Processes of this user allowed, the jail's own two among them."""
