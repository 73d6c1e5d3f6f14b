"""Where guarded runs live, and which of them are still alive.

A run is a folder of mode 0700 outside the agent's sight. A process number says nothing after a
reboot or a reuse, so liveness is judged by boot, number and start time together.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal  # Any: values of a JSON object

from offswitch.errors import GuardError
from offswitch.guard.stop.processes import boot_id, read_process
from offswitch.guard.stop.stopped import STOPPED
from offswitch.guard.supervisor.run_names import ambiguous_name, checked_name, unknown_name

__all__ = [
    "Run",
    "RunEntry",
    "check_out_of_sight",
    "create_run",
    "entry_of",
    "find_run",
    "heads_file",
    "is_alive",
    "list_runs",
    "note_refused",
    "process_note",
    "read_state",
    "runs_folder",
    "write_state",
]

STATE, RESULT, BEGUN = "state.json", "result.json", "begun.json"
HEADS = "heads.jsonl"
"""The ledger's heads, where the policy names no folder for them."""
NEW = ".new"
"""Added to the name of a note while it is being written."""
RESULT_ROOM = 64 * 1024
"""Bytes on the disk that are kept for the result from the beginning: many times what one takes."""
MADE = ".made-"
"""How the name of a folder begins in which a run's folder is being made."""
SHOWN = "offswitch-shown-"
"""How the name of the folder begins in which a run shows its agent the notice and the sockets."""
Condition = Literal["starting", "running", "ended", "killed", "dead", "unreadable"]


@dataclass(frozen=True)
class Run:
    """One guarded run."""

    id: str
    """Name of its folder: local date, time and eight random hex digits, unless chosen."""
    folder: Path
    """Mode 0700: sockets, notes of the beginning, the state and the result, logs."""


@dataclass(frozen=True)
class RunEntry:
    """One line of `offswitch guard status`."""

    run: Run
    condition: Condition
    """starting, running; ended with a result; killed by its watchdog; dead without a word; or
    unreadable, where somebody or a power cut has spoiled its notes."""
    state: Mapping[str, Any]
    """What `state.json` says; empty before the launch."""


def runs_folder() -> Path:
    """`$XDG_STATE_HOME/offswitch/runs`, by default under `~/.local/state`."""
    state = os.environ.get("XDG_STATE_HOME")
    root = Path(state) if state and Path(state).is_absolute() else Path.home() / ".local" / "state"
    return root / "offswitch" / "runs"


def create_run(name: str | None = None, folder: Path | None = None) -> Run:
    """A new run of this process, with its folder.

    Raises: GuardError when the name is taken or no file name.
    """
    now = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
    run_id = now if name is None else checked_name(name)
    parent = folder if folder is not None else runs_folder()
    try:
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _place(parent / run_id)
    except FileExistsError as error:
        raise GuardError(f"run {run_id!r} exists already in {parent}; choose another") from error
    except OSError as error:
        raise GuardError(f"no run folder can be made in {parent}: {error}") from error
    return Run(run_id, parent / run_id)


def _place(folder: Path) -> None:
    """Put the folder of a run of this process there, with its note: seen without, it would be
    taken for a run that died. Raises: OSError."""
    if os.path.lexists(folder):
        raise FileExistsError(folder)
    with tempfile.TemporaryDirectory(prefix=MADE, dir=folder.parent) as name:
        new = Path(name, "run")
        new.mkdir()
        new.chmod(0o700)  # whatever the umask was
        begun = {"boot": boot_id(), "supervisor": process_note(os.getpid())}
        write_state(Run(folder.name, new), begun, BEGUN)
        _keep_room(new / f"{RESULT}{NEW}")
        try:
            new.rename(folder)
        except OSError as error:  # somebody else was faster
            taken = error.errno == errno.ENOTEMPTY
            raise (FileExistsError(folder) if taken else error) from error


def _keep_room(path: Path) -> None:
    """Take room for the result now: a disk that fills up during the run has some then."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(fd, 0, RESULT_ROOM)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # a file system that keeps none
            raise
    finally:
        os.close(fd)


def note_refused(run: Run, why: str) -> None:
    """Note that the run was refused before anything of it was launched; else leave it as it is."""
    if not any((run.folder / name).exists() for name in (STATE, RESULT)):
        fields = {"run_id": run.id, "reason": "failed", "detail": why, "exit_code": None}
        write_state(run, {**fields, "verified": True}, RESULT)  # nothing was there to be killed


def list_runs(folder: Path | None = None) -> tuple[RunEntry, ...]:
    """Every run of the folder, oldest name first."""
    parent = folder if folder is not None else runs_folder()
    found = sorted(parent.iterdir()) if parent.is_dir() else []
    runs = [path for path in found if path.is_dir() and not path.name.startswith(MADE)]
    return tuple(_listed(Run(path.name, path)) for path in runs)


def _listed(run: Run) -> RunEntry:
    """One run whose notes are spoiled hides none of the others."""
    try:
        return entry_of(run)
    except GuardError:
        return RunEntry(run, "unreadable", {})


def find_run(name: str, folder: Path | None = None) -> Run:
    """The run of that name, or the only one whose name begins so. Raises: GuardError."""
    if not name:  # a variable that was not set must not stop whichever run there is
        raise GuardError("no run was named. `offswitch guard status` shows all.")
    runs = {entry.run.id: entry.run for entry in list_runs(folder)}
    begun = [run for run_id, run in runs.items() if run_id.startswith(name)]
    if name in runs:
        return runs[name]
    if len(begun) == 1:
        return begun[0]
    if begun:
        raise GuardError(ambiguous_name(name, [run.id for run in begun]))
    raise GuardError(unknown_name(name, runs))


def check_out_of_sight(run: Run, visible: Iterable[Path]) -> None:
    """Raises: GuardError when the agent would see the run's folder in one it is given."""
    here = run.folder.resolve()
    above = [path for path in visible if here.is_relative_to(path.resolve())]
    if above:
        raise GuardError(
            f"the run's folder {here} lies in {', '.join(map(str, above))}, which the agent sees. "
            "Set XDG_STATE_HOME to a folder outside the jail."
        )


def heads_file(run: Run) -> tuple[Path, bool]:
    """Where the heads of the run's ledger are, and whether that is noted: then they were there.

    Only a place that the policy named is noted. Raises: GuardError when the note cannot be read.
    """
    noted = read_state(run, BEGUN).get("heads")
    return (run.folder / HEADS, False) if noted is None else (Path(str(noted)), True)


def process_note(pid: int) -> dict[str, int] | None:
    """Number and start time of a living process, as `state.json` keeps them; None when gone."""
    found = read_process(pid)
    return None if found is None else {"pid": pid, "started": found.started}


def is_alive(note: Mapping[str, Any] | None, boot: str) -> bool:
    """Whether the process noted in that boot is alive in this one, and is not another."""
    if note is None or boot != boot_id():
        return False
    found = read_process(note["pid"])
    return found is not None and found.started == note["started"] and found.state not in "ZX"


def write_state(run: Run, fields: Mapping[str, Any], name: str = STATE) -> None:
    """Put `fields` into the run's folder, whole or not at all, mode 0600. Raises: OSError.

    The result goes where room was kept for it: what stands there is written over, and cut after.
    Not waited for until it is on the disk: no process it names outlives a power cut, and a slow
    disk must not stop the supervisor's heart.
    """
    new, content = run.folder / f"{name}{NEW}", json.dumps(fields, allow_nan=False).encode()
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(content)
        file.truncate()
    new.replace(run.folder / name)


def read_state(run: Run, name: str = STATE) -> dict[str, Any]:
    """What `write_state` put there; empty when nothing was. Raises: GuardError when unreadable."""
    try:
        found = json.loads((run.folder / name).read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise GuardError(f"{run.folder / name} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise GuardError(f"{run.folder / name} holds no JSON object; somebody has written over it")
    return found


def entry_of(run: Run) -> RunEntry:
    """The run and its condition now. Raises: GuardError when its notes cannot be read."""
    state = read_state(run)
    if (run.folder / RESULT).exists():
        return RunEntry(run, "ended", state)
    begun = state or read_state(run, BEGUN)
    if is_alive(begun.get("supervisor"), begun.get("boot", "")):
        return RunEntry(run, "running" if state.get("outer") else "starting", state)
    return RunEntry(run, "killed" if (run.folder / STOPPED).exists() else "dead", state)
