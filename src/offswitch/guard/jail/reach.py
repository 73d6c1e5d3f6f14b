"""Whether the agent's user can reach what it needs, and nothing of the run's own."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from offswitch.errors import GuardError, problems_text
from offswitch.guard.jail import inside
from offswitch.guard.jail.bubblewrap import SYSTEM, prefix_of
from offswitch.guard.jail.host import Host
from offswitch.guard.jail.settings import JailPolicy

__all__ = ["check_paths", "interpreter_for"]


def interpreter_for(host: Host, uid: int) -> str:
    """A Python that the agent's user can run: this one's base, or the system's."""
    own = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    for path in (own, "/usr/bin/python3"):
        if _unreachable(Path(path), host, uid) is None:
            return path
    raise GuardError(
        f"user {uid} cannot run {own}: {_unreachable(Path(own), host, uid)}. Install a Python for "
        "everyone at /usr/bin/python3, or set jail.uid: 0."
    )


def check_paths(policy: JailPolicy, host: Host, uid: int, run_dir: Path, python: str) -> None:
    """Nothing, when user `uid` reaches its workspace and folders and nothing shows it `run_dir`.

    Raises:
        GuardError: every problem at once.
    """
    problems = []
    workspace, run_dir = Path(policy.workspace).resolve(), run_dir.resolve()
    given = (workspace, *(Path(path).resolve() for path in policy.read))
    for path in (*given, *(Path(path) for path in (*SYSTEM, *prefix_of(python)))):
        if run_dir.is_relative_to(path):
            problems.append(f"the run's own folder {run_dir} lies in {path}, which the agent sees")
    for path in given:
        if (reason := _unreachable(path, host, uid)) is not None:
            problems.append(f"user {uid} cannot reach {path}: {reason}")
    if workspace.is_relative_to(run_dir):
        problems.append(f"the workspace {workspace} lies in the run's own folder {run_dir}")
    if (reason := _unreachable(Path(inside.__path__[0]), host, uid)) is not None:
        problems.append(f"user {uid} cannot read the guard's entry program: {reason}")
    if not _may(workspace.stat(), host, uid, 0o3):
        problems.append(
            f"user {uid} may not write the workspace {workspace}: `chown -R {uid} {workspace}`"
        )
    if problems:
        raise GuardError(problems_text("the jail cannot be built", problems))


def _unreachable(path: Path, host: Host, uid: int) -> str | None:
    """Which folder on the way to `path` user `uid` may not pass; None if it may read `path`."""
    try:
        for folder in reversed(path.parents):
            if not _may(folder.stat(), host, uid, 0o1):
                return f"{folder} is closed to it (chmod o+x, or another place)"
        return None if _may(path.stat(), host, uid, 0o4) else f"{path} is not readable for it"
    except OSError as problem:
        return f"{problem.filename}: {problem.strerror}"


def _may(found: os.stat_result, host: Host, uid: int, wanted: int) -> bool:
    """Whether mode bits allow user `uid`, who has no capabilities, what `wanted` (rwx) says."""
    mode = stat.S_IMODE(found.st_mode)
    if uid == found.st_uid:
        return mode >> 6 & wanted == wanted
    groups = {os.getgid(), *os.getgroups()} if uid == host.uid else {uid}
    if found.st_gid in groups:
        return mode >> 3 & wanted == wanted
    return mode & wanted == wanted
