"""Plans and runs of a jail for tests: bounded, started from the main thread, gone afterwards."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from offswitch.guard.jail.bait import laid_bait
from offswitch.guard.jail.cgroups import run_group
from offswitch.guard.jail.host import Host, inspect_host
from offswitch.guard.jail.launch import launch
from offswitch.guard.jail.plan import JailPlan, plan_jail
from offswitch.guard.jail.selftest import Report
from offswitch.guard.jail.settings import JailPolicy, Limits

T = TypeVar("T")

PATIENCE_S = 60.0
MIB = 1024 * 1024
ORDINARY = 4242 if os.getuid() == 0 else os.getuid()
LIMITS = Limits(memory=256 * MIB, processes=40, file=8 * MIB, tmp=4 * MIB, cpu=20, wall=300)


@contextlib.contextmanager
def folders(uid: int = ORDINARY) -> Iterator[tuple[str, str]]:
    """A workspace that belongs to `uid` and a folder for the run's own files."""
    # pytest's own folders are closed to other users.
    workspace = tempfile.mkdtemp(prefix="offswitch-test-work-")
    run_dir = tempfile.mkdtemp(prefix="offswitch-test-run-")
    try:
        if os.getuid() == 0:
            os.chown(workspace, uid, uid)
        yield workspace, run_dir
    finally:
        shutil.rmtree(workspace, ignore_errors=True)
        shutil.rmtree(run_dir, ignore_errors=True)


@contextlib.contextmanager
def planned(
    command: tuple[str, ...] = ("true",),
    *,
    uid: int = ORDINARY,
    host: Host | None = None,
    **policy: Any,
) -> Iterator[JailPlan]:
    with folders(uid) as (workspace, run_dir):
        asked = JailPolicy(workspace=workspace, **{"limits": LIMITS, **policy})
        yield plan_jail(asked, host or inspect_host(), command, run_dir)


def battery(plan: JailPlan, leaked: tuple[int, ...] = ()) -> Report:
    """What the probes find in a jail of this plan; no agent is started."""
    with (
        run_group(plan.group),
        laid_bait(plan) as bait,
        launch(plan, bait, leaked=leaked, patience_s=PATIENCE_S) as jail,
    ):
        return jail.report


def output(plan: JailPlan) -> tuple[str, int]:
    """What the agent prints, and its exit code; no probe is tried."""
    read, write = os.pipe()
    with (
        run_group(plan.group),
        launch(plan, None, stdio={1: write, 2: write}, patience_s=PATIENCE_S) as jail,
    ):
        os.close(write)
        jail.start_agent(PATIENCE_S)
        with os.fdopen(read, "rb") as file:
            text = file.read().decode()
        return text, os.waitstatus_to_exitcode(os.waitpid(jail.pid, 0)[1])


@functools.cache
def _everything_imported() -> None:
    """Python's own library may be closed to other users, and parts of it are loaded when needed."""
    with planned() as plan:
        battery(plan)


def as_ordinary(act: Callable[[], T], kind: type[T]) -> T:
    """What `act` returns in a process of an ordinary user; its error if it raises one."""
    _everything_imported()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        _answer(act, write)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        said = file.read()
    os.waitpid(pid, 0)
    assert said, "the ordinary user's process ended without an answer"
    answer = msgspec.json.decode(said)
    assert "error" not in answer, answer
    return msgspec.convert(answer["value"], kind)


def _answer(act: Callable[[], Any], write: int) -> None:
    try:
        if os.getuid() == 0:
            os.setgroups([])
            os.setresgid(ORDINARY, ORDINARY, ORDINARY)
            os.setresuid(ORDINARY, ORDINARY, ORDINARY)
        answer = {"value": act()}
    except BaseException as problem:  # noqa: BLE001 - told to the parent, which fails
        answer = {"error": repr(problem)}
    with os.fdopen(write, "wb") as file:
        file.write(msgspec.json.encode(answer))
    os._exit(0)


def without(plan: JailPlan, *phrases: str) -> JailPlan:
    """The plan, its jail built without these of bubblewrap's arguments."""
    for phrase in phrases:
        plan = instead(plan, phrase, "")
    return plan


def instead(plan: JailPlan, phrase: str, other: str) -> JailPlan:
    words, given = phrase.split(), list(plan.bubblewrap)
    at = next(i for i in range(len(given)) if given[i : i + len(words)] == words)
    given[at : at + len(words)] = other.split()
    return replace(plan, bubblewrap=tuple(given))


def entering(plan: JailPlan, **changed: Any) -> JailPlan:
    """The plan, its entry program told otherwise."""
    return replace(plan, entry=replace(plan.entry, **changed))


def allowed(report: Report) -> set[str]:
    return {outcome.name for outcome in report.outcomes if outcome.word == "allowed"}
