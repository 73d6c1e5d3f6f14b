"""One program run under guard: jailed, watched, written down, and stopped with proof."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any  # Any: plain JSON values

import msgspec

from offswitch.errors import GuardError, OffswitchError
from offswitch.guard.brake import CpuBrake
from offswitch.guard.drills.canary_kill import CANARY
from offswitch.guard.drills.of_run import RunDrills
from offswitch.guard.drills.periodic_proof import PeriodicProof
from offswitch.guard.drills.schedule import Schedule
from offswitch.guard.jail.bait import laid_bait
from offswitch.guard.jail.cgroups import run_group
from offswitch.guard.jail.descriptors import JailFds
from offswitch.guard.jail.host import inspect_host
from offswitch.guard.jail.launch import OpenPlan, open_plan
from offswitch.guard.jail.plan import JailPlan, plan_jail
from offswitch.guard.jail.statement import ContainmentStatement
from offswitch.guard.journal import LedgerJournal
from offswitch.guard.last_look import LastLook, note_last_look
from offswitch.guard.ledger.anchor import Head, open_anchor
from offswitch.guard.ledger.writer import LedgerWriter
from offswitch.guard.policy.policy import Policy
from offswitch.guard.proxy.findings import files_of, note_findings
from offswitch.guard.proxy.link import SCORED
from offswitch.guard.proxy.link import THRESHOLDS as PROXY_THRESHOLDS
from offswitch.guard.proxy.reconcile import Reconciled
from offswitch.guard.sensors.answers import Answers, asked_paths
from offswitch.guard.sensors.hoarding import stocks_of
from offswitch.guard.sensors.own_files import own_files
from offswitch.guard.sensors.run_sensors import RunSensors, SensorSettings, detector_thresholds
from offswitch.guard.sensors.tree_look import TreeSettings
from offswitch.guard.start import Start
from offswitch.guard.stop.launch import LaunchOrder
from offswitch.guard.supervisor.ladder import Thresholds
from offswitch.guard.supervisor.protocol import ShutdownPlan
from offswitch.guard.supervisor.result import RunResult, unwritten_text
from offswitch.guard.supervisor.run import supervise
from offswitch.guard.supervisor.runs import (
    BEGUN,
    HEADS,
    SHOWN,
    Run,
    note_refused,
    read_state,
    write_state,
)
from offswitch.guard.supervisor.settings import Hooks, Settings
from offswitch.guard.supervisor.signals import interruptible
from offswitch.guard.terminal import kept_terminal
from offswitch.guard.watch.shown import shown
from offswitch.guard.ways_out import WaysOut, with_levers

__all__ = ["ANCHOR", "LEDGER", "GuardedRun", "run_guarded"]

LEDGER, ANCHOR = "ledger.jsonl", HEADS
"""Names in the run's folder."""


class GuardedRun(msgspec.Struct, frozen=True):
    """How a guarded run went."""

    result: RunResult
    """How it ended, and the proof that nothing is left."""
    statement: ContainmentStatement
    """What held it."""
    ledger: Path
    head: Head
    """The ledger's last record: keep it elsewhere, and the ledger cannot be rewritten."""
    last_look: LastLook
    """What was seen only when it was dead."""
    reconciled: Reconciled | None
    """What was done without a proposal; None where nothing was compared."""


def run_guarded(
    policy: Policy,
    command: Sequence[str],
    run: Run,
    *,
    stdio: Mapping[int, int] | None = None,
    contained: Callable[[ContainmentStatement], object] = lambda statement: None,
    drills: Schedule | None = None,
) -> GuardedRun:
    """Run `command` under `policy` to its end, and give the proof of it. Waits for the whole run.

    `contained` is called with the containment statement before the agent exists. `stdio` maps 0, 1
    and 2 to descriptors; by default they are this process's own. With `drills` the agent is told
    to stop when that schedule says so, and some of these stops are real. Call it from the main
    thread.

    Raises:
        PolicyError: every problem of the policy at once.
        GuardError: this machine cannot build the jail, the jail does not hold what its tier
            promises, or the guard itself failed; the agent is dead by then, or the message says
            that this is not proven.
    """
    journal = LedgerJournal(
        lambda statement: _new_ledger(policy, run, statement),
        authority=f"{policy.name} {policy.sha256[:12]}",
    )
    with contextlib.ExitStack() as stack:
        stack.enter_context(interruptible())
        stack.enter_context(_refusal_noted(run))
        stack.enter_context(kept_terminal((stdio or {0: 0, 1: 1, 2: 2}).values()))
        shown = stack.enter_context(_shown_folder(run))
        notice = shown / "notice"
        notice.touch(0o644)
        host = inspect_host()
        ways = WaysOut(policy, host, str(shown))
        plan = plan_jail(
            ways.jail, host, command, run.folder, {"notice": str(notice), **ways.sockets},
            ways.forwards,
        )  # fmt: skip
        stack.enter_context(run_group(plan.group))
        brake = stack.enter_context(contextlib.closing(CpuBrake(plan.group, host.cgroups)))
        bait = stack.enter_context(laid_bait(plan, shown))
        opened = open_plan(plan, bait)
        stack.callback(os.close, opened.go)
        stack.callback(os.close, opened.report)
        order = _order(plan, opened, stdio or {0: 0, 1: 1, 2: 2}, _own_uids(policy, plan, ways))
        sensors = _sensors(policy, plan, ways, command, run, journal)
        stack.callback(sensors.close)
        start = Start(policy, plan, opened, journal, command, contained, sensors.ready)
        link = stack.enter_context(ways.opened(journal, run, plan.environment))
        hooks = Hooks(
            start=start.start, notice_file=notice, asked=asked_paths(policy.shutdown),
            sensors=sensors.sensors,
        )  # fmt: skip
        hooks, settings = with_levers(hooks, link, brake), _settings(policy)
        answers = Answers(policy.jail.workspace, policy.shutdown)
        stack.callback(answers.close)
        drilled = None if drills is None else RunDrills(drills, sensors, journal, answers)
        if drilled is not None:
            hooks, settings = drilled.hooks(hooks), drilled.settings(settings)
        _proofs(policy, run, journal, stack)
        before = files_of(policy)
        try:
            result = supervise(order, run, settings, hooks, journal)
            statement = _outcome(start, result)
        except (GuardError, KeyboardInterrupt) as problem:
            if start.let_go():  # an agent that never began has left nothing
                note_last_look(sensors, settings.thresholds, journal.record)
            _close_failed(journal, str(problem) or "interrupted", drilled)
            raise
        # Before an open window of drills ends: what was done in it counts.
        last = note_last_look(sensors, settings.thresholds, journal.record)
        if drilled is not None:
            drilled.close(exited=result.reason == "exited")
        path, starts = run.folder / LEDGER, sensors.starts
        found = note_findings(policy, path, before, starts, journal.record)
        try:
            head = journal.close(result.reason)
        except (GuardError, OSError) as problem:
            raise GuardError(f"{problem} {_end_text(result)}") from problem
        assert head is not None
        return GuardedRun(result, statement, path, head, last, found)


def _outcome(start: Start, result: RunResult) -> ContainmentStatement:
    """What held the agent. Raises: KeyboardInterrupt where a signal ended the run in its start,
    and it is proven dead; GuardError where it never began for another reason."""
    try:
        return start.outcome()
    except GuardError as problem:
        if result.reason == "signal" and result.verified:
            raise KeyboardInterrupt from problem
        if result.reason == "exited":
            raise
        raise GuardError(f"the agent never began. {_end_text(result)}") from problem


def _end_text(result: RunResult) -> str:
    proof = "its tree is verified empty" if result.verified else "its death is NOT PROVEN"
    why = f" ({shown(result.detail)})" if result.detail else ""
    return f"The run has ended: {result.reason}{why}; {proof}. {unwritten_text(result)}".rstrip()


@contextlib.contextmanager
def _refusal_noted(run: Run) -> Iterator[None]:
    """A run that was refused or interrupted before its launch says so, and is not taken for one
    that died."""
    try:
        yield
    except (OffswitchError, OSError) as problem:
        try:
            note_refused(run, str(problem))
        except OSError as full:
            text = f"{problem} This could not be noted in {run.folder}: {full}."
            raise GuardError(text) from problem
        raise
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):
            note_refused(run, "interrupted before it began")
        raise


@contextlib.contextmanager
def _shown_folder(run: Run) -> Iterator[Path]:
    """A folder that the agent's user can reach, as it cannot the run's own."""
    # What tool servers leave in it may be in use yet: no reason to lose the run's result.
    with tempfile.TemporaryDirectory(prefix=SHOWN, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        # For whoever clears up after a supervisor that was killed.
        write_state(run, {**read_state(run, BEGUN), "shown": name}, BEGUN)
        yield folder


def _proofs(policy: Policy, run: Run, journal: LedgerJournal, stack: contextlib.ExitStack) -> None:
    """Prove the kill switch now and then while the run lasts, where the policy wants it."""
    if policy.watchdog.canary is not None:
        path = run.folder.parent.parent / CANARY
        proofs = PeriodicProof(policy.watchdog.canary, path, journal.record)
        stack.callback(proofs.close)


def _own_uids(policy: Policy, plan: JailPlan, ways: WaysOut) -> tuple[int, ...]:
    """Whom nobody else is: an agent's user that was given, for the workspace's owner is a person,
    and the tool servers' user where none was."""
    servers = ways.settings.uid if ways.settings and policy.jail.proxy_uid is None else None
    agent = plan.uid if policy.jail.uid is not None else None
    return tuple(uid for uid in (agent, servers) if uid is not None)


def _order(
    plan: JailPlan, opened: OpenPlan, stdio: Mapping[int, int], own_uids: tuple[int, ...]
) -> LaunchOrder:
    return LaunchOrder(
        argv=plan.argv,
        environment=plan.environment,
        fds={**opened.child, **stdio},
        cgroup_procs=plan.group.enter_files if plan.group else (),
        info_fd=JailFds.INFO if plan.bubblewrap else None,
        uid=plan.uid,
        gid=plan.uid,
        own_uids=own_uids,
        marks=tuple(f"{name}={value}" for name, value in plan.environment.items()),
    )


def _sensors(
    policy: Policy,
    plan: JailPlan,
    ways: WaysOut,
    command: Sequence[str],
    run: Run,
    journal: LedgerJournal,
) -> RunSensors:
    tree = TreeSettings(
        workspace=policy.jail.workspace,
        own=own_files(policy.jail.workspace, command),
        goals=policy.goal.files,
        decoys=policy.goal.canary,
    )
    settings = SensorSettings(
        tree=tree,
        stocks=stocks_of(dict(policy.resources), policy.jail.limits),
        others=(plan.uid, ways.settings.uid if ways.settings else None),
        groups=plan.group.folders if plan.group else (),
    )
    return RunSensors(
        settings, journal.happened, lambda: (read_state(run).get("init") or {}).get("pid")
    )


def _settings(policy: Policy) -> Settings:
    return Settings(
        heartbeat_s=policy.watchdog.heartbeat,
        timeout_s=policy.watchdog.timeout,
        # A record of this very round waits until the next heartbeat tells that it is written.
        head_timeout_s=max(1.0, policy.watchdog.timeout + 2 * policy.watchdog.heartbeat),
        lease_s=policy.watchdog.lease,
        wall_s=policy.jail.limits.wall,
        shutdown=ShutdownPlan(
            policy.shutdown.notice, policy.shutdown.grace, policy.shutdown.deadline
        ),
        thresholds={**PROXY_THRESHOLDS, **_scored(policy)},
    )


def _scored(policy: Policy) -> dict[str, Thresholds]:
    """What scores; of the proxy's own detectors most say the level themselves."""
    named = detector_thresholds(policy.ladder)
    return {name: one for name, one in named.items() if name not in PROXY_THRESHOLDS} | {
        name: named[name] for name in SCORED if name in named
    }


def _new_ledger(policy: Policy, run: Run, statement: dict[str, Any]) -> LedgerWriter:
    heads = run.folder / ANCHOR
    if policy.ledger.anchor is not None:
        heads = Path(policy.ledger.anchor).absolute() / f"{run.id}.jsonl"
    heads.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    anchor = open_anchor(heads)
    if policy.ledger.anchor is not None:  # for whoever looks back at a run that was killed
        write_state(run, {**read_state(run, BEGUN), "heads": str(heads)}, BEGUN)
    return LedgerWriter(
        run.folder / LEDGER,
        statement,
        anchor=anchor,
        sign_every=policy.ledger.sign_every,
        sync=policy.ledger.sync,
        most_bytes=policy.ledger.limit,
    )


def _close_failed(journal: LedgerJournal, why: str, drilled: RunDrills | None) -> None:
    """The ledger of a run that never began, or whose guard failed, says so."""
    if drilled is not None:
        drilled.close(exited=False)
    with contextlib.suppress(GuardError):  # the failure that is being told is the first one
        journal.close(f"failed: {why}")
