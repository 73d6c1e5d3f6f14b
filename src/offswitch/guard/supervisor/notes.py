"""What an operator needs to kill a run when both its guards are hung: written at the launch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any  # values of a JSON object

from offswitch.guard.stop.launch import Target
from offswitch.guard.stop.pidfd import open_process
from offswitch.guard.stop.processes import boot_id
from offswitch.guard.supervisor.link import WatchdogLink
from offswitch.guard.supervisor.runs import Run, process_note

__all__ = ["opened_target", "state_fields"]


def state_fields(
    run: Run, link: WatchdogLink, target: Target, launched: Mapping[str, Any]
) -> dict[str, Any]:
    """The contents of `state.json`: every process by number and start time, groups and marks."""
    spawner = link.spawner_pid
    return {
        "id": run.id,
        "boot": boot_id(),
        "supervisor": process_note(os.getpid()),
        "watchdog": process_note(link.process.pid),
        "spawner": None if spawner is None else process_note(spawner),
        "outer": process_note(launched["outer"]),
        "init": None if launched["init"] is None else process_note(launched["init"]),
        "cgroups": list(target.cgroups),
        "uids": list(target.uids),
        "marks": list(target.marks),
        "pid_namespace": target.pid_namespace,
        "since": target.since,
    }


def opened_target(state: Mapping[str, Any]) -> tuple[Target, dict[str, int]]:
    """The target a state file names, and handles of the run's guards, by name.

    A process that has ended, or whose number is now another's, gets no handle; after a reboot
    nothing of the run is left and none gets one.
    """
    names = ("supervisor", "watchdog", "spawner", "outer", "init")
    same_boot = state.get("boot") == boot_id()
    handles: dict[str, int] = {}
    for name in names if same_boot else ():
        note = state.get(name)
        pidfd = None if note is None else open_process(note["pid"], note["started"])
        if pidfd is not None:
            handles[name] = pidfd
    target = Target(
        init_pidfd=handles.pop("init", None),
        outer_pidfd=handles.pop("outer", None),
        cgroups=tuple(state.get("cgroups", ())) if same_boot else (),
        uids=tuple(state.get("uids", ())),
        marks=tuple(state.get("marks", ())),
        pid_namespace=state.get("pid_namespace"),
        since=state.get("since", 0),
    )
    return target, handles
