"""Decoys on the host for the probes to reach, open to the agent's user and worth nothing."""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from offswitch.errors import GuardError
from offswitch.guard.jail.inside.probes.bait import Bait
from offswitch.guard.jail.plan import JailPlan

__all__ = ["laid_bait"]

_LONGEST = 107
_libc = ctypes.CDLL(None)
_libc.shmat.restype = ctypes.c_void_p
_IPC_PRIVATE, _IPC_CREAT, _IPC_RMID = 0, 0o1000, 0


@contextlib.contextmanager
def laid_bait(plan: JailPlan, within: Path | None = None) -> Iterator[Bait]:
    """Decoy files, sockets and shared memory for one battery, gone when the block ends.

    Their folder is the agent's user's, so that a refusal inside is the jail's doing and not that
    of file modes; to nobody else on the host is it open. The supervisor is the process that calls
    this. They lie in `within`/bait, which the agent's user must reach; None takes a folder of its
    own among the temporary files.

    Raises:
        GuardError: the folder's name is too long for a socket in it.
    """
    if within is None:
        folder = tempfile.mkdtemp(prefix="offswitch-bait-")
    else:
        folder = f"{within}/bait"
        Path(folder).mkdir(0o700)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        for name in ("goal", "log"):
            Path(folder, name).write_bytes(b"decoy\n")
            Path(folder, name).chmod(0o666)
        abstract = f"offswitch-{secrets.token_hex(8)}"
        limits = plan.policy.limits
        bait = Bait(
            tier=plan.tier.level,
            supervisor=os.getpid(),
            supervisor_started=_started(),
            goal=f"{folder}/goal",
            log=f"{folder}/log",
            stream=_unix(stack, f"{folder}/stream", socket.SOCK_STREAM),
            datagram=_unix(stack, f"{folder}/datagram", socket.SOCK_DGRAM),
            abstract=_unix(stack, f"\0{abstract}", socket.SOCK_STREAM).removeprefix("\0"),
            tcp=_internet(stack, socket.SOCK_STREAM),
            udp=_internet(stack, socket.SOCK_DGRAM),
            memory_segment=_memory_segment(stack),
            session=os.getsid(0),
            hostname=os.uname().nodename,
            user_map=Path("/proc/self/uid_map").read_text(encoding="ascii"),
            named_group=plan.group is not None or _in_named_group(),
            group_counts_processes=plan.group is not None and plan.group.bounds_processes,
            scratch="/tmp" if plan.tier.level >= 2 else plan.entry.folder,
            memory=limits.memory,
            file=limits.file,
            tmp=limits.tmp,
            cpu=max(1, round(limits.cpu)),
            open_files=limits.open_files,
            processes=plan.entry.limits.get("NPROC", limits.processes),
        )
        if plan.uid is not None:  # last: nothing is written where others may have put a link
            os.chown(folder, plan.uid, -1)
        yield bait


def _started() -> str:
    stat = Path("/proc/self/stat").read_bytes()
    return stat.rpartition(b")")[2].split()[19].decode()


def _unix(stack: contextlib.ExitStack, address: str, kind: int) -> str:
    plug = stack.enter_context(socket.socket(socket.AF_UNIX, kind))
    if len(os.fsencode(address)) > _LONGEST:
        raise GuardError(
            f"{address} is {len(os.fsencode(address))} bytes long, and a socket's name at most "
            f"{_LONGEST}. Set TMPDIR to a folder with a shorter name, such as /tmp."
        )
    plug.bind(address)
    if not address.startswith("\0"):
        Path(address).chmod(0o666)
    if kind == socket.SOCK_STREAM:
        plug.listen(8)
    return address


def _internet(stack: contextlib.ExitStack, kind: int) -> int:
    plug = stack.enter_context(socket.socket(socket.AF_INET, kind))
    plug.bind(("127.0.0.1", 0))
    if kind == socket.SOCK_STREAM:
        plug.listen(8)
    port: int = plug.getsockname()[1]
    return port


def _memory_segment(stack: contextlib.ExitStack) -> int | None:
    """The number of a segment that this process alone keeps alive; None where there can be none.

    It is marked as removed while it is attached: whatever ends this process, the kernel then takes
    the segment with it. Nothing finds it by a key, and by its number whoever may read it can.
    """
    segment: int = _libc.shmget(_IPC_PRIVATE, 4096, _IPC_CREAT | 0o666)
    if segment == -1:
        return None
    place = _libc.shmat(segment, None, 0)
    _libc.shmctl(segment, _IPC_RMID, None)
    if place == ctypes.c_void_p(-1).value:
        return None
    stack.callback(_libc.shmdt, ctypes.c_void_p(place))
    return segment


def _in_named_group() -> bool:
    lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    return any(line.split(":", 2)[2] != "/" for line in lines)
