"""The only process that starts anything: one thread, which ends when the watchdog does.

PR_SET_PDEATHSIG follows the thread that forked. A jail started from a thread pool dies with the
thread, or outlives the process; a jail started here dies exactly when this process does.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import resource
import select
import signal
import socket
import time
from typing import Any, NoReturn  # Any: values of a JSON object

from . import wire
from .birth import fork_into
from .cgroup import is_version_2
from .harden import die_with_parent, limit_core, set_dumpable, set_oom_score
from .launch import LaunchOrder, order_from
from .pidfd import kill_all, open_child
from .processes import read_process

__all__ = ["start_spawner"]

START_TIMEOUT_S = 5.0
OOM_SCORE_OF_AGENTS = 500


def start_spawner() -> tuple[int, socket.socket]:
    """The number of a new spawner and the socket that takes launch orders.

    Must be called while this process has one thread and no descriptor that an agent may not have.
    """
    ours, theirs = wire.pair()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        theirs.close()
        return pid, ours
    try:
        _close_all_but({0, 1, 2, theirs.fileno()})
        if die_with_parent(parent):
            _serve(theirs)
    finally:
        os._exit(0)


def _serve(watchdog: socket.socket) -> None:
    started: dict[int, int] = {}  # pidfd of the outer program -> its number
    poll = select.poll()
    poll.register(watchdog, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd in started:
                poll.unregister(fd)
                _report_end(watchdog, fd, started.pop(fd))
            else:
                message = wire.receive(watchdog)
                if message is None:
                    kill_all(started)
                    return
                outer = _launch(watchdog, message)
                if outer is not None:
                    started[outer[0]] = outer[1]
                    poll.register(outer[0], select.POLLIN)


def _report_end(watchdog: socket.socket, pidfd: int, pid: int) -> None:
    _, status = os.waitpid(pid, 0)
    os.close(pidfd)
    code = os.waitstatus_to_exitcode(status)
    wire.send(watchdog, {"type": "exited", "pid": pid, "code": code})


def _launch(watchdog: socket.socket, message: wire.Message) -> tuple[int, int] | None:
    try:
        order = order_from(message.fields["order"], message.fds)
        pid, pidfd, found = _start(order)
    except (OSError, ValueError, KeyError, TypeError) as error:
        wire.send(watchdog, {"type": "failed", "problem": f"{type(error).__name__}: {error}"})
        return None
    finally:
        for fd in message.fds:
            os.close(fd)
    init = found.pop("init_pidfd")
    handles = (pidfd,) if init is None else (pidfd, init)
    wire.send(watchdog, {"type": "launched", "outer": pid, **found}, handles)
    if init is not None:
        os.close(init)
    return pidfd, pid


def _start(order: LaunchOrder) -> tuple[int, int, dict[str, Any]]:
    problem_in, problem_out = os.pipe()
    info_in, info_out = os.pipe()
    parent = os.getpid()
    pid, entered = _fork_in(order.cgroup_procs)
    if not pid:
        left = [path for path in order.cgroup_procs if path not in entered]
        _become(order, parent, problem_out, info_out, left)
    os.close(problem_out)
    os.close(info_out)
    pidfd = os.pidfd_open(pid)
    try:
        return pid, pidfd, _started(order, pid, problem_in, info_in)
    except (OSError, ValueError):
        kill_all((pidfd,))
        os.waitpid(pid, 0)
        os.close(pidfd)
        raise
    finally:
        os.close(problem_in)
        os.close(info_in)


def _fork_in(groups: tuple[str, ...]) -> tuple[int, tuple[str, ...]]:
    """As `os.fork`, and the files of the groups that the child is in already."""
    for path in groups:
        folder = os.path.dirname(path)
        pid = fork_into(folder) if is_version_2(folder) else None
        if pid is not None:
            return pid, (path,)
    return os.fork(), ()


def _started(order: LaunchOrder, pid: int, problem_in: int, info_in: int) -> dict[str, Any]:
    end = time.monotonic() + START_TIMEOUT_S
    problem = _read_all(problem_in, end)
    if problem:
        raise ValueError(problem.decode("utf-8", "replace"))
    one = read_process(pid)
    found = {"since": one.started if one else 0, "init": None, "init_pidfd": None}
    if order.info_fd is None:
        return {**found, "pid_namespace": None}
    init, namespace = _init_of(_read_all(info_in, end))
    handle = open_child(init, pid)
    if handle is None:
        raise ValueError(f"process {init} of the jail is not a child of {pid}; it ended at once")
    return {**found, "init": init, "init_pidfd": handle, "pid_namespace": namespace}


def _init_of(info: bytes) -> tuple[int, int | None]:
    try:
        fields = json.loads(info)
        return int(fields["child-pid"]), fields.get("pid-namespace")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{info!r} on --info-fd, expected JSON with child-pid: the jail did not start; "
            "its own message is on the agent's standard error"
        ) from error


def _read_all(fd: int, end: float) -> bytes:
    """Everything until the other end closes, the last byte of a JSON object, or the time is up."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    data = b""
    while poll.poll(max(0.0, end - time.monotonic()) * 1000):
        piece = os.read(fd, 1 << 16)
        if not piece or (data + piece).rstrip().endswith(b"}"):
            return data + piece
        data += piece
    raise TimeoutError(f"the program did not start within {START_TIMEOUT_S} s")


def _become(
    order: LaunchOrder, parent: int, problem_out: int, info_out: int, groups: list[str]
) -> NoReturn:
    try:
        os.setsid()
        limit_core()  # now: the jail's filter refuses to change it; whether it held, a probe tells
        for path in groups:
            _enter(path)
        for name, limits in order.rlimits.items():
            resource.setrlimit(getattr(resource, name), limits)
        _change_user(order)
        set_oom_score(OOM_SCORE_OF_AGENTS)  # only what is dumpable may write its own
        # After the change of user, which clears it; before the exec, which keeps it.
        if not die_with_parent(parent):
            os._exit(126)
        os.chdir(order.cwd)
        os.umask(0o077)
        problem_out = _place_fds(order, problem_out, info_out)
        _reset_signals()
        os.execve(order.argv[0], list(order.argv), dict(order.environment))
    except BaseException as error:  # noqa: BLE001 - told to the spawner; this is a forked child
        os.write(problem_out, f"{type(error).__name__}: {error}".encode())
    finally:
        os._exit(127)


def _enter(group_file: str) -> None:
    # Not opened as text: the codec would be loaded from the disk, in every child anew.
    fd = os.open(group_file, os.O_WRONLY | os.O_CLOEXEC)
    os.write(fd, b"0")
    os.close(fd)


def _change_user(order: LaunchOrder) -> None:
    if order.gid is not None:
        os.setgroups([])
        os.setresgid(order.gid, order.gid, order.gid)
    if order.uid is not None:
        os.setresuid(order.uid, order.uid, order.uid)
    # A change of user leaves a process undumpable too, and its own /proc/self out of its reach.
    set_dumpable(True)


def _place_fds(order: LaunchOrder, problem_out: int, info_out: int) -> int:
    """Put each descriptor at its number, close all others; the new number of `problem_out`."""
    wanted = dict(order.fds)
    if order.info_fd is not None:
        wanted[order.info_fd] = info_out
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        wanted.setdefault(number, nothing)
    above = max(wanted) + 1
    # Out of the way first: a number wanted for one may be held by another.
    held = {number: fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, above) for number, fd in wanted.items()}
    problem_out = fcntl.fcntl(problem_out, fcntl.F_DUPFD_CLOEXEC, above)
    for number, fd in held.items():
        os.dup2(fd, number)
    _close_all_but({*wanted, problem_out})
    return problem_out


def _close_all_but(keep: set[int]) -> None:
    # Listed, not counted up to a limit: a descriptor above today's limit can still be open.
    for fd in {int(name) for name in os.listdir("/proc/self/fd")} - keep:
        with contextlib.suppress(OSError):  # the listing's own descriptor is already closed
            os.close(fd)


def _reset_signals() -> None:
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
