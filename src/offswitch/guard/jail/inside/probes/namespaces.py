"""What of the host can still be seen or held."""

from __future__ import annotations

import posix as os

from ..kernel import LIBC, checked
from ..outcome import allowed, blocked, not_applicable, refused

__all__ = ["PROBES", "capabilities", "host_groups", "host_memory", "host_name", "host_users"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..outcome import Outcome
    from .bait import Bait

_SHM_RDONLY = 0o10000


def host_memory(bait: Bait) -> Outcome:
    """A System V memory segment of the host can be read by its number."""
    number = bait["memory_segment"]
    if number is None:
        return not_applicable("host-memory", "the host made no segment to look for")
    try:
        checked(LIBC.shmat(number, None, _SHM_RDONLY))
    except OSError as problem:
        return refused("host-memory", problem)
    return allowed("host-memory", "attached by its number")


def host_name(bait: Bait) -> Outcome:
    """The host's name can be read."""
    seen = os.uname().nodename
    if seen == bait["hostname"]:
        return allowed("host-name", seen)
    return blocked("host-name", f"reads {seen}")


def host_groups(bait: Bait) -> Outcome:
    """The agent's place among the host's control groups can be read."""
    if not bait["named_group"]:
        return not_applicable("host-groups", "the host's own groups are all '/'")
    for line in _read("/proc/self/cgroup").splitlines():
        path = line.split(":", 2)[2]
        if path != "/":
            return allowed("host-groups", path)
    return blocked("host-groups", "every group reads '/'")


def host_users(bait: Bait) -> Outcome:
    """The agent's user ids are the host's own, not those of a user namespace."""
    if _read("/proc/self/uid_map").split() == bait["user_map"].split():
        return allowed("host-users", bait["user_map"].strip())
    return blocked("host-users", "a user namespace of its own")


def capabilities(_bait: Bait) -> Outcome:
    """The agent holds a capability, or could pass one on."""
    fields = dict(
        line.split(":", 1) for line in _read("/proc/self/status").splitlines() if ":" in line
    )
    held = [f"{name} {fields[name].strip()}" for name in _SETS if int(fields[name], 16)]
    if held:
        return allowed("capabilities", ", ".join(held))
    return blocked("capabilities", "none")


_SETS = ("CapInh", "CapPrm", "CapEff", "CapAmb")

PROBES = (host_memory, host_name, host_groups, host_users, capabilities)


def _read(path: str) -> str:
    # Opening it as text would load a codec from the disk, which takes longer than ten probes.
    fd, text = os.open(path, os.O_RDONLY | os.O_CLOEXEC), b""
    try:
        while piece := os.read(fd, 1 << 14):
            text += piece
    finally:
        os.close(fd)
    return text.decode("ascii", "replace")
