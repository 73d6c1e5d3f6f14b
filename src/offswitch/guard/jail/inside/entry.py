"""The first program in the jail: it locks the door behind itself, tries it, and becomes the agent.

Order: read the settings, close every other descriptor, lower the limits, Landlock, the filter (at
tier 1; from tier 2 on bubblewrap has loaded it), the probes, report, wait for the supervisor's
byte, start the forwarder where there are ways out, then exec. Anything that fails is reported and
ends the program: the agent never starts.
"""

from __future__ import annotations

import marshal
import posix as os
from errno import ENOENT

from . import battery
from .kernel import (
    PR_SET_PDEATHSIG,
    SIGKILL,
    SIGPIPE,
    SIGXFSZ,
    default_action,
    load_filter,
    prctl,
)
from .landlock import restrict
from .limits import apply_limits
from .outcome import error_name, report_line

__all__ = ["REFUSED", "main"]

REFUSED = 125
"""Exit code when the agent was not started: a failed step, or no leave from the supervisor."""
_GO = b"g"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any  # settings come as plain data: marshal knows no types


def main(settings_fd: int) -> None:
    """Never returns: the agent takes this process over, or it ends with `REFUSED`."""
    settings = marshal.loads(_whole(settings_fd))
    os.close(settings_fd)
    for step, act in _STEPS:
        try:
            act(settings)
        except OSError as problem:
            text = f"{error_name(problem.errno or 0)} {problem.strerror} {problem.filename or ''}"
            _report(settings, {"failed": step, "detail": text.strip()})
            break
    os._exit(REFUSED)


def _whole(fd: int) -> bytes:
    return os.pread(fd, os.fstat(fd).st_size, 0)


def _report(settings: dict[str, Any], fields: dict[str, str | int]) -> None:
    try:
        os.write(settings["report"], report_line(fields))
    except BrokenPipeError:  # whoever wanted to know has gone
        os._exit(REFUSED)


def _close_others(settings: dict[str, Any]) -> None:
    for name in ("report", "go"):
        os.set_inheritable(settings[name], False)
    if not settings["close"]:
        return
    start = 3
    for kept in sorted((settings["report"], settings["go"])):
        os.closerange(start, kept)
        start = kept + 1
    os.closerange(start, 1 << 20)


def _die_with_parent(settings: dict[str, Any]) -> None:
    if settings["die_with_parent"]:
        prctl(PR_SET_PDEATHSIG, SIGKILL)


def _limit(settings: dict[str, Any]) -> None:
    apply_limits(settings["limits"])


def _landlock(settings: dict[str, Any]) -> None:
    rules = settings["landlock"]
    if rules is not None:
        restrict(rules["abi"], rules["read"], rules["write"], rules["devices"], rules["tcp_ports"])


def _filter(settings: dict[str, Any]) -> None:
    if settings["filter"]:
        load_filter(settings["filter"])


def _probe(settings: dict[str, Any]) -> None:
    if settings["bait"] is not None:
        battery.run(settings["bait"], settings["report"])


def _wait_for_leave(settings: dict[str, Any]) -> None:
    _report(settings, {"ready": os.getpid()})
    if os.read(settings["go"], 1) != _GO:
        os._exit(REFUSED)


def _forward(settings: dict[str, Any]) -> None:
    if settings["forward"]:
        from . import forwarder  # most jails have no ways out

        forwarder.start(settings["forward"])


def _become(settings: dict[str, Any]) -> None:
    os.chdir(settings["folder"])
    # Python ignores these two; an agent should start with them as any program does.
    default_action(SIGPIPE)
    default_action(SIGXFSZ)
    _execute(settings["command"], settings["environment"])


def _execute(command: tuple[str, ...], environment: dict[str, str]) -> None:
    """The program takes this process over: by its path, or by its name from the agent's PATH.

    Raises:
        OSError: why it was not, for the last place where there is such a file.
    """
    name, problem = command[0], OSError(ENOENT, os.strerror(ENOENT), command[0])
    folders = [""] if "/" in name else [f"{one}/" for one in environment["PATH"].split(":")]
    for folder in folders:
        try:
            os.execve(folder + name, command, environment)
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as refused:
            problem = refused
    raise problem


_STEPS = (
    ("close descriptors", _close_others),
    ("die with the parent", _die_with_parent),
    ("set limits", _limit),
    ("apply Landlock", _landlock),
    ("load the system-call filter", _filter),
    ("try the probes", _probe),
    ("wait for leave", _wait_for_leave),
    ("start the forwarder", _forward),
    ("become the agent", _become),
)
