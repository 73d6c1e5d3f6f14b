"""The process behind an agent: started in a session of its own, killed with all its children."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Iterable

from offswitch.agents.frames import Channel, Reply, Request
from offswitch.errors import AgentError

__all__ = ["Worker"]

COMMAND = ("-P", "-m", "offswitch.agents.worker")  # -P: no module of the user's shadows ours
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "PYTHONHASHSEED": "0",  # the order of a set must not depend on the run
    "PYTHONUNBUFFERED": "1",  # what an agent printed before it was killed is seen
}
STANDARD_ERROR = 2
LAST_BREATH_SECONDS = 0.2
"""Between closing its pipes and being gone."""
GRACE_SECONDS = 1.0
"""How long a closed agent may take over its own exit handlers, and a dying one to be dead."""


class Worker:
    """A new process that answers requests; about 0.2 s until it answers the first.

    It leads its own session, so that Ctrl-C at the terminal reaches only us. It reads nothing, and
    what it prints goes to our standard error. A third pipe, the lifeline, carries nothing: its end
    tells the process that we are gone. Forgetting the worker, or leaving Python, kills it.

    Raises:
        AgentError: the system can start no process, or is not POSIX.
    """

    def __init__(self) -> None:
        if os.name != "posix":
            raise AgentError(
                f"agents in their own process need Linux or macOS, got {os.name!r}. Run offswitch "
                "in WSL or a container."
            )
        requests, replies, lifeline = os.pipe(), os.pipe(), os.pipe()
        ours = (
            io.FileIO(requests[1], "wb"),
            io.FileIO(replies[0], "rb"),
            io.FileIO(lifeline[1], "wb"),
        )
        theirs = (requests[0], replies[1], lifeline[0])
        try:
            self._process = _started(theirs)
        except OSError as error:
            _close(ours)
            raise AgentError(f"cannot start a process for the agent: {error}") from None
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        self._requests = ours[0]
        self._channel = Channel(ours[1].fileno(), ours[0].fileno(), self._is_alive)
        self._end = weakref.finalize(self, _end, self._process, ours, os.getpid())

    @property
    def process_id(self) -> int:
        """The process, which is also its session and its process group."""
        return self._process.pid

    def ask(self, request: Request, seconds: float) -> Reply:
        """The reply to `request`; raises as `Channel.ask`."""
        return self._channel.ask(request, seconds)

    def close(self) -> None:
        """Lets the process run its exit handlers for a second, then kills what is left."""
        self._requests.close()
        self.kill(GRACE_SECONDS)

    def kill(self, grace: float = 0.0) -> str:
        """How the process ended by itself within `grace` seconds; what is left of it is killed."""
        self._channel.await_end(grace)  # Popen.wait would only look every 50 ms
        try:
            ended = _in_words(self._process.wait(LAST_BREATH_SECONDS if grace else 0))
        except subprocess.TimeoutExpired:
            ended = "was killed by us"
        self._end()
        return ended

    def _is_alive(self) -> bool:
        return self._process.poll() is None


def _started(descriptors: tuple[int, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, *COMMAND, *map(str, descriptors)],
        pass_fds=descriptors,
        stdin=subprocess.DEVNULL,
        stdout=STANDARD_ERROR,
        env=os.environ | ENVIRONMENT,
        start_new_session=True,
    )


def _end(process: subprocess.Popen[bytes], pipes: Iterable[io.FileIO], owner: int) -> None:
    if os.getpid() != owner:
        return  # a fork of us must not kill what is ours
    with contextlib.suppress(ProcessLookupError, PermissionError):  # nothing is left to kill
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    _close(pipes)


def _close(pipes: Iterable[io.FileIO]) -> None:
    for pipe in pipes:
        pipe.close()


def _in_words(status: int) -> str:
    if status >= 0:
        return f"exited with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"
