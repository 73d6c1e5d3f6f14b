"""Does the kill switch still work? A throw-away tree is started, proven alive, and killed for real.

The tree is a jail of its own with daemons that ignore every signal, in a control group of its own
where one can be made; it is killed and proven dead by the same code that ends a run. What is
published is when that last worked and how long it took: an old proof is a warning, a failed one
an alarm.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from offswitch.errors import GuardError
from offswitch.guard.jail.cgroups import RunGroup, plan_group, run_group
from offswitch.guard.jail.host import Host, bubblewrap_needed, inspect_host
from offswitch.guard.jail.launch import read_init
from offswitch.guard.jail.reach import interpreter_for
from offswitch.guard.jail.settings import Limits
from offswitch.guard.stop.freeze import members
from offswitch.guard.stop.kill import kill_tree
from offswitch.guard.stop.launch import Target
from offswitch.guard.stop.pidfd import kill_all, open_child
from offswitch.guard.stop.processes import boot_id, pid_namespace, read_process

__all__ = [
    "CANARY", "KillProof", "ProofAge", "proof_age", "prove_kill", "read_proof", "write_proof",
]  # fmt: skip

CANARY = "canary.json"
"""Beside the folder of runs: the last proof that the kill switch still kills."""

DAEMONS = 20
LATE_S = 2.0
READY_S = 10.0
_MARK = "OFFSWITCH_CANARY"

# Ends by itself after 20 s, whatever becomes of whoever started it.
_TREE = """
import os, signal, sys, time
end = time.monotonic() + 20
for _ in range(int(sys.argv[1])):
    middle = os.fork()
    if not middle:
        os.setsid()
        if os.fork():
            os._exit(0)
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        while time.monotonic() < end:
            time.sleep(1)
        os._exit(0)
    os.waitpid(middle, 0)
os.write(1, b"ready")
time.sleep(20)
"""


class KillProof(msgspec.Struct, frozen=True, kw_only=True):
    """One kill of a canary tree."""

    verified: bool
    """The tree was alive, was killed, and was proven empty in time."""
    victims: int
    """Living processes of the tree just before the kill."""
    seconds: float | None
    """From the decision to the proof; None where there was no kill."""
    ways: tuple[str, ...]
    """By what it was killed and proven: namespace, group."""
    problem: str = ""
    """Why it is not verified."""
    boot: str = ""
    """The boot it happened in: its clock is no other's."""
    monotonic: float = 0.0
    """When, in seconds of that boot's monotonic clock."""
    wall_clock: float = 0.0
    """When, in seconds since 1970; for people."""


class ProofAge(NamedTuple):
    """How fresh the last proof is."""

    seconds: float | None
    """Since the last verified kill in this boot; None where there is none."""
    stale: bool
    """Older than asked for, none, or the last attempt failed."""


def prove_kill(host: Host | None = None, deadline_s: float = LATE_S) -> KillProof:
    """Kill a canary tree and say whether it is proven dead within `deadline_s` seconds.

    Takes about 0.2 s. Call it from a thread that lives on: the death signal of a jail follows the
    thread that started it. It never raises for what went wrong with the kill: that is the answer.

    Raises:
        GuardError: this is not Linux.
    """
    host = host or inspect_host()
    needed = bubblewrap_needed(host)
    if needed is not None:
        return _stamped(KillProof(
            verified=False, victims=0, seconds=None, ways=(), problem=f"not enforceable: {needed}"
        ))  # fmt: skip
    try:
        group = plan_group(host.cgroups, f"canary-{secrets.token_hex(4)}", Limits(processes=100))
        with run_group(group), _canary(host, group) as target:
            return _stamped(_killed(target, deadline_s))
    except (GuardError, OSError) as problem:
        return _stamped(KillProof(
            verified=False, victims=0, seconds=None, ways=(), problem=f"no canary: {problem}"
        ))  # fmt: skip


def proof_age(
    last: KillProof | None, every_s: float, now: float | None = None, boot: str | None = None
) -> ProofAge:
    """How old the last proof is; twice `every_s` without a new one is stale."""
    if last is None or not last.verified or last.boot != (boot or boot_id()):
        return ProofAge(None, stale=True)
    age = (time.monotonic() if now is None else now) - last.monotonic
    return ProofAge(age, stale=age > 2 * every_s)


def write_proof(proof: KillProof, path: str | os.PathLike[str]) -> None:
    """Publish the proof for whoever asks, whole or not at all. Raises: OSError."""
    Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = Path(f"{os.fspath(path)}.{os.getpid()}.new")  # several runs may publish at a time
    new.write_bytes(msgspec.json.encode(proof))
    new.replace(path)


def read_proof(path: str | os.PathLike[str]) -> KillProof | None:
    """The last proof published; None where none was. Raises: GuardError when unreadable."""
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=KillProof)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as problem:
        raise GuardError(f"{path} holds no proof of a kill: {problem}") from problem


def _killed(target: Target, deadline_s: float) -> KillProof:
    victims = len(members(target))
    alive = victims > DAEMONS
    result = kill_tree(target, deadline_s)
    ways = ("namespace",) + (("group",) if target.cgroups else ())
    problem = "" if alive else f"only {victims} of more than {DAEMONS} processes were alive"
    if not result.verified:
        problem = f"not proven dead after {result.seconds:.2f} s; survivors {result.survivors}"
    elif result.seconds > deadline_s:
        problem = f"dead only after {result.seconds:.2f} s, expected {deadline_s:g} s"
    return KillProof(
        verified=not problem, victims=victims, seconds=result.seconds, ways=ways, problem=problem
    )


def _stamped(proof: KillProof) -> KillProof:
    return msgspec.structs.replace(
        proof, boot=boot_id(), monotonic=time.monotonic(), wall_clock=time.time()
    )


@contextlib.contextmanager
def _canary(host: Host, group: RunGroup | None) -> Iterator[Target]:
    """A living tree in a jail; whatever becomes of the block, it is dead afterwards."""
    mark = secrets.token_hex(8)
    info_in, info_out = os.pipe2(os.O_CLOEXEC)
    folders = group.folders if group is not None else ()
    # The shell joins the groups before there is anything else, as the spawner does for a run.
    join = "".join(f"printf 0 > {folder}/cgroup.procs && " for folder in folders)
    command = [
        "/bin/sh", "-c", f'{join}exec "$@"', "sh", str(host.bubblewrap), "--unshare-all",
        "--die-with-parent", "--new-session", "--ro-bind", "/", "/", "--proc", "/proc", "--dev",
        "/dev", "--tmpfs", "/tmp", "--info-fd", str(info_out), "--",
        interpreter_for(host, host.uid), "-I", "-S", "-c", _TREE, str(DAEMONS),
    ]  # fmt: skip
    with tempfile.TemporaryFile() as said:
        outer = subprocess.Popen(
            command, pass_fds=[info_out], stdout=subprocess.PIPE, stderr=said, cwd="/",
            env={"PATH": "/usr/bin:/bin", _MARK: mark},
        )  # fmt: skip
        os.close(info_out)
        handle, init = os.pidfd_open(outer.pid), None
        try:
            number = read_init(info_in)
            init = open_child(number, outer.pid) if number is not None else None
            _wait_ready(outer, said.fileno())
            yield _target(outer.pid, handle, number, init, folders, mark)
        finally:
            kill_all((init, handle))
            outer.wait()
            if outer.stdout is not None:
                outer.stdout.close()
            for fd in (handle, init):
                if fd is not None:
                    os.close(fd)


def _wait_ready(outer: subprocess.Popen[bytes], said: int) -> None:
    assert outer.stdout is not None
    if select.select([outer.stdout], [], [], READY_S)[0] and outer.stdout.read(5) == b"ready":
        return
    os.lseek(said, 0, os.SEEK_SET)
    why = os.read(said, 500).decode("utf-8", "replace").strip() or "it said nothing"
    raise GuardError(f"the canary tree did not start within {READY_S:g} s: {why}")


def _target(
    outer: int, handle: int, number: int | None, init: int | None, folders: tuple[str, ...],
    mark: str,
) -> Target:  # fmt: skip
    first = read_process(outer)
    return Target(
        init_pidfd=init,
        outer_pidfd=handle,
        cgroups=folders,
        marks=(f"{_MARK}={mark}",),
        pid_namespace=None if number is None else pid_namespace(number),
        since=0 if first is None else first.started,
    )
