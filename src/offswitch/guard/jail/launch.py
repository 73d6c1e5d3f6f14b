"""Put a plan's descriptors in place, start it, read what it reports, and let the agent begin.

A guarded run starts through the spawner; `launch` does the same in one process, for `selftest`,
for drills and for tests. Call it from the main thread: the death signal follows the thread that
started a child.
"""

from __future__ import annotations

import contextlib
import fcntl
import marshal
import os
import select
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn

import msgspec

from offswitch.errors import GuardError
from offswitch.guard.jail.descriptors import JailFds
from offswitch.guard.jail.inside.probes.bait import Bait
from offswitch.guard.jail.plan import JailPlan
from offswitch.guard.jail.selftest import ProbeOutcome, Report
from offswitch.guard.stop.harden import limit_core

__all__ = [
    "Launched",
    "OpenPlan",
    "launch",
    "open_plan",
    "read_init",
    "read_report",
    "require_started",
]

_ABOVE = 64
"""Descriptors are moved above every number of `JailFds` first, so that none is overwritten."""


_BURIAL_S = 1.0
"""How long bubblewrap gets to end by itself."""


class OpenPlan(msgspec.Struct, frozen=True):
    """A plan's descriptors: the supervisor's ends, and those to give to the child."""

    child: dict[int, int]
    """Number in the child -> descriptor here."""
    report: int
    """Read JSON lines here."""
    go: int
    """Write b'g' to start the agent; close it to end the jail."""

    def close_child_ends(self) -> None:
        """Close what only the child needs, once it has it."""
        for fd in self.child.values():
            os.close(fd)


class Launched(msgspec.Struct, frozen=True):
    """A started jail: its entry program has reported and waits."""

    pid: int
    """The outermost process: bubblewrap, or below tier 2 the agent itself."""
    init: int | None
    """The jail's process 1, by its number on the host."""
    report: Report
    said: int
    """Where the report was read, and where a failure to start the agent would be."""
    go: int

    def start_agent(self, patience_s: float = 10.0) -> None:
        """Nothing, once the agent has taken the place of the waiting entry program.

        Raises:
            GuardError: there is no such command in the jail, or it cannot be executed.
        """
        os.write(self.go, b"g")
        require_started(self.said, time.monotonic() + patience_s)


def open_plan(plan: JailPlan, bait: Bait | None) -> OpenPlan:
    """Pipes and sealed memory for one start of `plan`. Without bait no probe is tried.

    From tier 2 on whoever forks adds a pipe's end at `JailFds.INFO`, and reads `read_init` from it.
    """
    data = {**plan.data, JailFds.SETTINGS: _settings(plan, bait)}
    if plan.bubblewrap:
        data[JailFds.ARGS] = b"".join(word.encode() + b"\0" for word in plan.bubblewrap)
    child = {number: _readable(content) for number, content in data.items()}
    report, child[JailFds.REPORT] = os.pipe2(os.O_CLOEXEC)
    child[JailFds.GO], go = os.pipe2(os.O_CLOEXEC)
    return OpenPlan(child=child, report=report, go=go)


def _settings(plan: JailPlan, bait: Bait | None) -> bytes:
    """Marshal's oldest stable format: the entry program reads it without importing anything."""
    entry = msgspec.to_builtins(plan.entry, builtin_types=(bytes,))
    return marshal.dumps({**entry, "bait": None if bait is None else dict(bait)}, 2)


def _readable(content: bytes) -> int:
    fd = os.memfd_create("offswitch", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


@contextlib.contextmanager
def launch(
    plan: JailPlan,
    bait: Bait | None,
    *,
    stdio: Mapping[int, int] | None = None,
    leaked: tuple[int, ...] = (),
    patience_s: float = 10.0,
) -> Iterator[Launched]:
    """A jail whose entry program has reported; when the block ends, everything in it is killed.

    `plan.group` must have been made. `stdio` maps 0, 1 and 2 to descriptors; `leaked` are handed
    on by mistake, to show that the jail closes them.

    Raises:
        GuardError: nothing was reported within `patience_s` seconds.
    """
    opened = open_plan(plan, bait)
    info, info_out = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        _become(plan, {**opened.child, **(stdio or {}), JailFds.INFO: info_out}, leaked)
    opened.close_child_ends()
    os.close(info_out)
    with contextlib.ExitStack() as stack:
        stack.callback(_end, pid)
        stack.callback(os.close, opened.go)
        stack.callback(os.close, opened.report)
        end = time.monotonic() + patience_s
        report = read_report(opened.report, end)
        init = read_init(info)
        stack.callback(_kill, pid if init is None else init)
        yield Launched(pid=pid, init=init, report=report, said=opened.report, go=opened.go)


def _become(plan: JailPlan, fds: dict[int, int], leaked: tuple[int, ...]) -> NoReturn:
    try:
        os.setsid()  # as the spawner does: below tier 2 nothing else leaves the guard's session
        limit_core()
        moved = {
            number: fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _ABOVE) for number, fd in fds.items()
        }
        for number, fd in moved.items():
            os.dup2(fd, number)
        for fd in leaked:
            os.set_inheritable(fd, True)
        for file in plan.group.enter_files if plan.group else ():
            Path(file).write_text("0", encoding="ascii")
        if plan.uid is not None:
            os.setgroups([])
            os.setresgid(plan.uid, plan.uid, plan.uid)
            os.setresuid(plan.uid, plan.uid, plan.uid)
        os.execve(plan.argv[0], plan.argv, plan.environment)
    except OSError as problem:
        os.write(2, f"offswitch: cannot start the jail: {problem}\n".encode())
    os._exit(127)


def read_report(fd: int, end: float) -> Report:
    """What the entry program says until it is ready, has failed or ended.

    `end` is a time of the monotonic clock.

    Raises:
        GuardError: it did none of these by then.
    """
    lines: list[dict[str, str | int]] = []
    for line in _lines(fd, end):
        lines.append(line)
        if "ready" in line or "failed" in line:
            break
    return _report(lines)


def require_started(fd: int, end: float) -> None:
    """Nothing, when the entry program has become the agent, which closes `fd`'s other end.

    Raises:
        GuardError: it said why it could not, or did neither by `end` of the monotonic clock.
    """
    for line in _lines(fd, end):
        if "failed" in line:
            raise GuardError(
                f"the agent's command did not start in the jail: {line['detail']}. A program must "
                "lie in /usr, in the workspace (there /work) or in a folder of jail.read, and "
                "jail.environment's PATH must name its folder."
            )


def _lines(fd: int, end: float) -> Iterator[dict[str, str | int]]:
    rest = b""
    while True:
        left = end - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            raise GuardError("the jail's entry program did not report in time")
        if not (chunk := os.read(fd, 65536)):
            return
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield msgspec.json.decode(line, type=dict[str, str | int])


def _report(lines: list[dict[str, str | int]]) -> Report:
    outcomes = [
        ProbeOutcome(name=str(line["probe"]), word=str(line["word"]), detail=str(line["detail"]))
        for line in lines
        if "probe" in line
    ]
    died = [int(line["died"]) for line in lines if "died" in line]
    failed = [f"{line['failed']}: {line['detail']}" for line in lines if "failed" in line]
    return Report(
        ready=any("ready" in line for line in lines),
        outcomes=tuple(outcomes),
        died=died[0] if died else None,
        failed=failed[0] if failed else None,
    )


def read_init(fd: int) -> int | None:
    """The jail's process 1 on the host, from bubblewrap's information; `fd` is then closed.

    None if there is none: below tier 2, or because bubblewrap ended before it made one.
    """
    text = b""
    while b"}" not in text and (chunk := os.read(fd, 4096)):
        text += chunk
    os.close(fd)
    return int(msgspec.json.decode(text)["child-pid"]) if text else None


def _end(pid: int) -> None:
    """Bury the outermost process: bubblewrap ends by itself once it has buried the jail's init."""
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        handle = os.pidfd_open(pid)
        ended = select.select([handle], [], [], _BURIAL_S)[0]
        os.close(handle)
        if not ended:
            _kill(pid)
        os.waitpid(pid, 0)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
