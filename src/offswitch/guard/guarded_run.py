"""One program run under guard: jailed, watched, written down, and stopped with proof."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any  # Any: plain JSON values

import msgspec

from offswitch.errors import GuardError
from offswitch.guard.jail.bait import laid_bait
from offswitch.guard.jail.bubblewrap import WORK
from offswitch.guard.jail.cgroups import run_group
from offswitch.guard.jail.descriptors import JailFds
from offswitch.guard.jail.host import Host, inspect_host
from offswitch.guard.jail.launch import OpenPlan, open_plan, read_report, require_started
from offswitch.guard.jail.plan import JailPlan, plan_jail
from offswitch.guard.jail.selftest import require_sound
from offswitch.guard.jail.statement import ContainmentStatement, containment_statement
from offswitch.guard.jail.tier import agent_uid
from offswitch.guard.journal import LedgerJournal
from offswitch.guard.ledger.anchor import Head, open_anchor
from offswitch.guard.ledger.writer import LedgerWriter
from offswitch.guard.policy.policy import Policy, Rule
from offswitch.guard.proxy.environment import agent_environment, forwards, sockets
from offswitch.guard.proxy.link import THRESHOLDS as PROXY_THRESHOLDS
from offswitch.guard.proxy.link import ProxyLink
from offswitch.guard.proxy.settings import ProxySettings, proxy_settings
from offswitch.guard.sensors.hoarding import stocks_of
from offswitch.guard.sensors.run_sensors import RunSensors, SensorSettings, detector_thresholds
from offswitch.guard.sensors.tree_look import TreeSettings
from offswitch.guard.stop.launch import LaunchOrder
from offswitch.guard.supervisor.protocol import ShutdownPlan
from offswitch.guard.supervisor.result import RunResult
from offswitch.guard.supervisor.run import supervise
from offswitch.guard.supervisor.runs import Run, read_state
from offswitch.guard.supervisor.settings import Hooks, Settings

__all__ = ["ANCHOR", "LEDGER", "GuardedRun", "own_files", "run_guarded"]

LEDGER, ANCHOR = "ledger.jsonl", "heads.jsonl"
"""Names in the run's folder."""

SELF_TEST_S = 30.0


class GuardedRun(msgspec.Struct, frozen=True):
    """How a guarded run went."""

    result: RunResult
    """How it ended, and the proof that nothing is left."""
    statement: ContainmentStatement
    """What held it."""
    ledger: Path
    head: Head
    """The ledger's last record: keep it elsewhere, and the ledger cannot be rewritten."""


def run_guarded(
    policy: Policy,
    command: Sequence[str],
    run: Run,
    *,
    stdio: Mapping[int, int] | None = None,
    contained: Callable[[ContainmentStatement], object] = lambda statement: None,
) -> GuardedRun:
    """Run `command` under `policy` to its end, and give the proof of it. Waits for the whole run.

    `contained` is called with the containment statement before the agent exists. `stdio` maps 0, 1
    and 2 to descriptors; by default they are this process's own. Call it from the main thread.

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
        shown = stack.enter_context(_shown_folder())
        notice = shown / "notice"
        notice.touch(0o644)
        host = inspect_host()
        ways = _WaysOut(policy, host, shown)
        plan = plan_jail(
            ways.jail, host, command, run.folder, {"notice": str(notice), **ways.sockets},
            ways.forwards,
        )  # fmt: skip
        stack.enter_context(run_group(plan.group))
        bait = stack.enter_context(laid_bait(plan))
        opened = open_plan(plan, bait)
        stack.callback(os.close, opened.go)
        stack.callback(os.close, opened.report)
        start = _Start(policy, plan, opened, journal, command, contained)
        order = _order(plan, opened, stdio or {0: 0, 1: 1, 2: 2})
        sensors = stack.enter_context(_sensors(policy, plan, command, run, journal))
        link = stack.enter_context(ways.opened(journal, run))
        hooks = _hooks(start, notice, sensors, link)
        try:
            result = supervise(order, run, _settings(policy), hooks, journal)
            statement = start.outcome()
        except GuardError as problem:
            _close_failed(journal, str(problem))
            raise
        head = journal.close(result.reason)
        assert head is not None
        return GuardedRun(result, statement, run.folder / LEDGER, head)


@contextlib.contextmanager
def _shown_folder() -> Iterator[Path]:
    """A folder that the agent's user can reach, as it cannot the run's own."""
    with tempfile.TemporaryDirectory(prefix="offswitch-shown-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


class _WaysOut:
    """The proxies that a policy needs, and what the jail has to know of them."""

    def __init__(self, policy: Policy, host: Host, folder: Path) -> None:
        self.settings: ProxySettings | None = None
        self.jail, self.sockets = policy.jail, dict[str, str]()
        self.forwards: tuple[tuple[int, str], ...] = ()
        if policy.models or any(map(_speaks_to_hosts, policy.rules)):
            owner = agent_uid(host, policy.jail)
            self.settings = proxy_settings(policy, str(folder), owner=owner)
            told = {**agent_environment(self.settings), **policy.jail.environment}
            self.jail = msgspec.structs.replace(policy.jail, environment=told)
            self.sockets, self.forwards = sockets(self.settings), forwards()

    @contextlib.contextmanager
    def opened(self, journal: LedgerJournal, run: Run) -> Iterator[ProxyLink | None]:
        """The running proxy, or None where the policy opens no way out."""
        if self.settings is None:
            yield None
            return
        link = ProxyLink(self.settings, lambda: journal.ledger, run.folder / "proxy.log")
        with contextlib.closing(link):
            yield link


def _speaks_to_hosts(rule: Rule) -> bool:
    return any(one.host or one.kind == "http" for one in (rule.pattern, *rule.sequence))


def _hooks(start: _Start, notice: Path, sensors: RunSensors, link: ProxyLink | None) -> Hooks:
    hooks = Hooks(start=start.start, notice_file=notice, sensors=sensors.sensors)
    if link is None:
        return hooks
    return dataclasses.replace(
        hooks,
        sensors=(*sensors.sensors, link.alarms),
        quiesce=link.quiesce,
        close_egress=link.close_egress,
    )


class _Start:
    """What happens between the jail's report and the agent's first instruction."""

    def __init__(
        self,
        policy: Policy,
        plan: JailPlan,
        opened: OpenPlan,
        journal: LedgerJournal,
        command: Sequence[str],
        contained: Callable[[ContainmentStatement], object],
    ) -> None:
        self._policy, self._plan, self._opened = policy, plan, opened
        self._journal, self._command, self._contained = journal, command, contained
        self._statement: ContainmentStatement | None = None
        self._problem: Exception | None = None
        self._over = threading.Event()

    def start(self) -> None:
        """Judge the self-test, write the statement down, and let the agent begin.

        Raises:
            GuardError: the jail does not hold what its tier promises, or the command cannot start.
        """
        try:
            self._begin(time.monotonic() + SELF_TEST_S)
        except (GuardError, OSError) as problem:
            self._problem = problem
            raise
        finally:
            self._over.set()

    def outcome(self) -> ContainmentStatement:
        """What held the agent, of a run that has ended.

        Raises:
            GuardError: the jail ended before the agent had begun.
        """
        self._over.wait(SELF_TEST_S)
        if self._statement is None or self._problem is not None:
            raise GuardError(
                f"the agent never began: {self._problem or 'the jail was not built'}"
            ) from self._problem
        return self._statement

    def _begin(self, end: float) -> None:
        self._opened.close_child_ends()
        report = read_report(self._opened.report, end)
        statement = containment_statement(self._plan, report)
        self._journal.open(self._first_record(statement))
        require_sound(report, self._plan.tier, self._policy.jail.waive)
        self._contained(statement)
        os.write(self._opened.go, b"g")
        require_started(self._opened.report, end)
        self._statement = statement

    def _first_record(self, statement: ContainmentStatement) -> dict[str, Any]:
        first: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(statement))
        program = Path(self._command[0]).name
        policy = {"name": self._policy.name, "sha256": self._policy.sha256}
        return {"program": program, "command": [*self._command], "policy": policy, **first}


def _order(plan: JailPlan, opened: OpenPlan, stdio: Mapping[int, int]) -> LaunchOrder:
    return LaunchOrder(
        argv=plan.argv,
        environment=plan.environment,
        fds={**opened.child, **stdio},
        cgroup_procs=plan.group.enter_files if plan.group else (),
        info_fd=JailFds.INFO if plan.bubblewrap else None,
        uid=plan.uid,
        gid=plan.uid,
        own_uid=plan.policy.uid is not None,  # otherwise it is the workspace's owner, a person
        marks=tuple(f"{name}={value}" for name, value in plan.environment.items()),
    )


def _sensors(
    policy: Policy, plan: JailPlan, command: Sequence[str], run: Run, journal: LedgerJournal
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
        groups=plan.group.folders if plan.group else (),
    )
    return RunSensors(
        settings, journal.happened, lambda: (read_state(run).get("init") or {}).get("pid")
    )


def own_files(workspace: str, command: Sequence[str]) -> tuple[str, ...]:
    """The agent's own program, as far as its command names files: by path on the host.

    >>> own_files("/nowhere", ["python", "agent.py"])
    ()
    """
    inside = (Path(workspace, word.removeprefix(f"{WORK}/")) for word in command)
    return tuple(str(path) for path in inside if path.is_file() and ".." not in path.parts)


def _settings(policy: Policy) -> Settings:
    return Settings(
        heartbeat_s=policy.watchdog.heartbeat,
        timeout_s=policy.watchdog.timeout,
        head_timeout_s=max(1.0, policy.watchdog.timeout),
        lease_s=policy.watchdog.lease,
        wall_s=policy.jail.limits.wall,
        shutdown=ShutdownPlan(
            policy.shutdown.notice, policy.shutdown.grace, policy.shutdown.deadline
        ),
        thresholds={**detector_thresholds(policy.ladder), **PROXY_THRESHOLDS},
    )


def _new_ledger(policy: Policy, run: Run, statement: dict[str, Any]) -> LedgerWriter:
    folder = run.folder if policy.ledger.anchor is None else Path(policy.ledger.anchor)
    name = ANCHOR if policy.ledger.anchor is None else f"{run.id}.jsonl"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return LedgerWriter(
        run.folder / LEDGER,
        statement,
        anchor=open_anchor(folder / name),
        sign_every=policy.ledger.sign_every,
        sync=policy.ledger.sync,
    )


def _close_failed(journal: LedgerJournal, why: str) -> None:
    """The ledger of a run that never began, or whose guard failed, says so."""
    with contextlib.suppress(GuardError):  # the failure that is being told is the first one
        journal.close(f"failed: {why}")
