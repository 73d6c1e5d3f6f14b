from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jails import (
    LIMITS,
    ORDINARY,
    allowed,
    as_ordinary,
    battery,
    entering,
    instead,
    output,
    planned,
    without,
)
from msgspec.structs import replace

from offswitch.guard.jail import launch as launching
from offswitch.guard.jail.bait import laid_bait
from offswitch.guard.jail.catalog import PROBES
from offswitch.guard.jail.host import inspect_host
from offswitch.guard.jail.inside import limits
from offswitch.guard.jail.inside.kernel import bounds, set_bounds
from offswitch.guard.jail.inside.limits import apply_limits
from offswitch.guard.jail.inside.probes import privileges, resources, sockets
from offswitch.guard.jail.limits import resource_limits
from offswitch.guard.jail.plan import JailPlan
from offswitch.guard.jail.selftest import Report, judge
from offswitch.guard.jail.statement import containment_statement, statement_text

ROOT = os.getuid() == 0
HARMLESS = {"clear-death-signal"}


def test_no_probe_finds_its_way_open_at_the_highest_tier_of_this_machine():
    with planned() as plan:
        report = battery(plan)
        assert plan.tier.level >= 2
        assert judge(report, plan.tier) == ()
        assert {outcome.name for outcome in report.outcomes} == set(PROBES)
        assert allowed(report) == HARMLESS
        said = statement_text(containment_statement(plan, report))
    assert f"tier {plan.tier.level}" in said
    assert "NOT      bugs in the kernel" in said


def test_the_bait_is_open_to_the_agents_user_alone_and_that_user_can_move_and_swap_it():
    with planned() as plan:
        with laid_bait(plan) as bait:
            folder = Path(bait["goal"]).parent.stat()
        remove, _ = REMOVALS["its own /tmp"]
        found = allowed(battery(remove(replace(plan, group=None))))
    assert (folder.st_mode & 0o7777, folder.st_uid) == (0o700, ORDINARY)
    assert {"write-goal", "rename-goal", "truncate-log", "swap-log"} <= found


def test_an_ordinary_user_builds_a_jail_that_holds():
    def try_it() -> Report:
        with planned() as plan:
            report = battery(plan)
            assert plan.tier.level >= 2
            assert judge(report, plan.tier) == ()
            return report

    assert allowed(as_ordinary(try_it, Report)) == HARMLESS


def test_without_bubblewrap_landlock_and_the_filter_block_what_tier_1_promises():
    def try_it() -> Report:
        host = replace(inspect_host(), bubblewrap=None)
        with planned(host=host, tier=1) as plan:
            report = battery(plan)
            assert plan.tier.level == 1
            assert judge(report, plan.tier) == ()
            return report

    opened = allowed(as_ordinary(try_it, Report))
    assert "see-supervisor" in opened
    assert all(PROBES[name].tier != 1 for name in opened)


def unlimited(plan: JailPlan, name: str) -> JailPlan:
    return entering(plan, limits={k: v for k, v in plan.entry.limits.items() if k != name})


REMOVALS = {
    "pid namespace": (
        lambda plan: instead(
            without(plan, "--unshare-pid"), "--proc /proc", "--ro-bind /proc /proc"
        ),
        "see-supervisor",
    ),
    "net namespace": (lambda plan: without(plan, "--unshare-net"), "udp-to-host"),
    "ipc namespace": (lambda plan: without(plan, "--unshare-ipc"), "host-memory"),
    "uts namespace": (
        lambda plan: without(plan, "--unshare-uts", "--hostname jail"),
        "host-name",
    ),
    "cgroup namespace": (lambda plan: without(plan, "--unshare-cgroup"), "host-groups"),
    "its own /tmp": (
        lambda plan: instead(
            plan, f"--size {LIMITS.tmp} --perms 1777 --tmpfs /tmp", "--bind /tmp /tmp"
        ),
        "write-goal",
    ),
    "size of /tmp": (
        lambda plan: instead(
            plan, f"--size {LIMITS.tmp} --perms 1777 --tmpfs /tmp", "--perms 1777 --tmpfs /tmp"
        ),
        "fill-tmp",
    ),
    "system-call filter": (lambda plan: without(plan, "--seccomp 20"), "io-uring"),
    "rule on TIOCSTI": (lambda plan: without(plan, "--seccomp 20"), "type-into-terminal"),
    "Landlock": (lambda plan: entering(plan, landlock=None), "open-init-memory"),
    "resource limits": (lambda plan: entering(plan, limits={}), "hoard-memory"),
    "limit on processes": (lambda plan: unlimited(plan, "NPROC"), "exceed-processes"),
    "limit on memory": (lambda plan: unlimited(plan, "DATA"), "hoard-memory"),
    "limit on the size of a file": (lambda plan: unlimited(plan, "FSIZE"), "large-file"),
    "limit on open files": (lambda plan: unlimited(plan, "NOFILE"), "open-files"),
    "limit on processor time": (lambda plan: unlimited(plan, "CPU"), "processor-time"),
    "a session of its own": (lambda plan: without(plan, "--new-session"), "controlling-terminal"),
    "size of /dev/shm": (
        lambda plan: instead(plan, f"--size {LIMITS.tmp} --tmpfs /dev/shm", "--tmpfs /dev/shm"),
        "fill-shm",
    ),
    "closing of descriptors": (lambda plan: entering(plan, close=False), "leaked-descriptor"),
}


@pytest.mark.slow
@pytest.mark.parametrize("layer", REMOVALS)
def test_removing_one_layer_turns_a_probe_red(layer):
    remove, probe = REMOVALS[layer]
    with planned() as plan, Path("/etc/hostname").open("rb") as leak:
        weaker = remove(replace(plan, group=None))
        # Far above the numbers that the jail gives to descriptors of its own.
        report = battery(weaker, leaked=(fcntl.fcntl(leak.fileno(), fcntl.F_DUPFD_CLOEXEC, 200),))
        problems = judge(report, weaker.tier)
    assert report.ready, report
    assert probe in allowed(report)
    assert any(problem.startswith(f"{probe}: allowed") for problem in problems)


@pytest.mark.skipif(not ROOT, reason="for others bubblewrap always makes a user namespace")
def test_removing_the_user_namespace_shows_the_hosts_users():
    with planned(uid=0) as plan:
        weaker = without(plan, "--unshare-user", "--disable-userns", "--uid 1000", "--gid 1000")
        assert "host-users" in allowed(battery(weaker))


@pytest.mark.skipif(not ROOT, reason="for others bubblewrap drops every capability by itself")
def test_capabilities_are_gone_by_two_layers_each_alone():
    own = ("--uid 1000", "--gid 1000")
    with planned(uid=0) as plan:
        for phrases in (("--cap-drop ALL",), own):
            assert "capabilities" not in allowed(battery(without(plan, *phrases)))
        assert "capabilities" in allowed(battery(without(plan, "--cap-drop ALL", *own)))


def test_a_file_system_that_is_read_only_is_so_by_two_layers_each_alone():
    with planned() as plan:
        writable, unbound = without(plan, "--remount-ro /"), entering(plan, landlock=None)
        for one in (writable, unbound):
            assert "write-var-tmp" not in allowed(battery(one))
        assert "write-var-tmp" in allowed(battery(entering(writable, landlock=None)))


def test_a_file_in_dev_is_kept_out_by_two_layers_each_alone():
    with planned() as plan:
        writable, unbound = without(plan, "--remount-ro /dev"), entering(plan, landlock=None)
        for one in (writable, unbound):
            assert "write-dev" not in allowed(battery(one))
        assert "write-dev" in allowed(battery(entering(writable, landlock=None)))


@pytest.mark.slow
def test_core_dumps_are_stopped_before_the_jail_is_built(monkeypatch):
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    no_limit = lambda: resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))  # noqa: E731
    with planned() as plan:
        (found,) = [one for one in battery(plan).outcomes if one.name == "core-dump"]
        assert (found.word, found.detail) == ("blocked", "1 bytes at most")
        monkeypatch.setattr(launching, "limit_core", no_limit)
        assert "core-dump" in allowed(battery(plan))


@pytest.mark.parametrize(
    ("granted", "pattern", "word"),
    [
        ([1, 1], "|/usr/bin/handler", "blocked"),
        ([1, 0], "|/usr/bin/handler", "allowed"),  # the kernel starts it at a limit of 0
        ([0, 0], "|/usr/bin/handler", "allowed"),
        ([0, 0], "", "blocked"),
        ([4096, 0], "", "allowed"),
        ([2**64 - 1] * 2, "", "allowed"),
    ],
)
def test_a_limit_of_1_alone_stops_the_hosts_crash_handler(monkeypatch, granted, pattern, word):
    left = list(granted)
    monkeypatch.setattr(resources, "_raised", lambda which, bound: True)
    monkeypatch.setattr(resources, "_core_program", lambda: pattern[1:])
    monkeypatch.setattr(resources, "bounds", lambda which: (left.pop(0), 0))
    assert resources.core_dump({}).word == word


def capable(bit: int) -> bool:
    held = Path("/proc/self/status").read_text().split("CapEff:")[1].split()[0]
    return bool(int(held, 16) >> bit & 1)


CAP_SYS_NICE, CAP_SYS_RESOURCE = 23, 24
PRIORITIES = (("NICE", 40, "raise-priority"), ("RTPRIO", 10, "real-time"))


@contextlib.contextmanager
def handed_down(which: int, bound: int) -> Iterator[None]:
    """This process has a limit that it would hand down, as logins of sound servers have."""
    before = resource.getrlimit(which)
    resource.setrlimit(which, (bound, bound))
    try:
        yield
    finally:
        resource.setrlimit(which, before)


@pytest.mark.skipif(not capable(CAP_SYS_RESOURCE), reason="no right to raise what is handed down")
@pytest.mark.parametrize(("name", "bound", "probe"), PRIORITIES)
def test_removing_a_bound_on_priority_turns_its_probe_red(name, bound, probe):
    with handed_down(getattr(resource, f"RLIMIT_{name}"), bound), planned() as plan:
        assert probe not in allowed(battery(plan))
        assert probe in allowed(battery(unlimited(plan, name)))


@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize(("name", "bound", "_probe"), PRIORITIES)
def test_a_priority_that_was_handed_down_is_taken_away(name, bound, _probe, level, monkeypatch):
    made = dict[str, tuple[int, int]]()
    monkeypatch.setattr(limits, "bounds", lambda _: (bound, bound))
    monkeypatch.setattr(limits, "set_bounds", lambda one, *both: made.update({one: both}))
    apply_limits(resource_limits(LIMITS, tier=level, memory_in_group=True, uid=ORDINARY))
    assert made[name] == (0, 0)


def test_the_bounds_of_a_process_are_read_and_set_under_their_own_names():
    def try_it() -> list[list[int]]:
        changed = []
        for name in ("CPU", "FSIZE", "DATA", "CORE", "NPROC", "NOFILE", "AS", "NICE", "RTPRIO"):
            which = getattr(resource, f"RLIMIT_{name}")
            soft, hard = (one % 2**64 for one in resource.getrlimit(which))
            assert bounds(name) == (soft, hard)
            lower = min(hard, 2**50) - (hard > 0)
            below = max(0, lower - 1)
            set_bounds(name, below, lower)
            changed.append([below, lower, *resource.getrlimit(which)])
            with pytest.raises(PermissionError):
                set_bounds(name, lower, lower + 1)
        return changed

    for below, lower, soft, hard in as_ordinary(try_it, list[list[int]]):
        assert (soft, hard) == (below, lower)


def test_a_probe_of_a_socket_gets_through_where_somebody_listens_and_waits_for_nobody():
    plain = [probe for probe in sockets.PROBES if probe is not sockets.vsock]
    with planned() as plan:
        with laid_bait(plan) as bait:
            assert [probe(bait).word for probe in plain] == ["allowed"] * 5
        assert [probe(bait).word for probe in plain] == ["blocked"] * 5
    busy = f"offswitch-test-{os.getpid()}"
    with contextlib.ExitStack() as stack:
        keeper, *queue = (stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(3))
        keeper.bind(f"\0{busy}")
        keeper.listen(0)
        for one in queue:
            one.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                one.connect(f"\0{busy}")
        # One that waits for ever would be ended by the signal, with EINTR.
        stack.callback(signal.setitimer, signal.ITIMER_REAL, 0)
        stack.callback(signal.signal, signal.SIGALRM, signal.getsignal(signal.SIGALRM))
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.setitimer(signal.ITIMER_REAL, 20)
        found = sockets.unix_abstract({**bait, "abstract": busy})
    assert (found.word, found.detail) == ("blocked", "EAGAIN")


@pytest.mark.skipif(not capable(CAP_SYS_NICE), reason="needs a right to raise priorities")
def test_the_probes_of_priority_find_what_a_process_with_that_right_can_do():
    bait: Any = {}

    def words() -> list[str]:
        return [probe(bait).word for probe in (privileges.raise_priority, privileges.real_time)]

    if ROOT:
        assert as_ordinary(words, list[str]) == ["blocked", "blocked"]
    before = os.nice(0)
    assert words() == ["allowed", "allowed"]
    assert (os.nice(0), os.sched_getscheduler(0)) == (before, os.SCHED_OTHER)


def test_at_tier_1_the_guards_session_is_left_before_the_jail_is_entered(monkeypatch):
    def try_it() -> list[bool]:
        host = replace(inspect_host(), bubblewrap=None)
        with planned(host=host, tier=1) as plan:
            left = "controlling-terminal" in allowed(battery(plan))
            monkeypatch.setattr(os, "setsid", lambda: None)
            return [left, "controlling-terminal" in allowed(battery(plan))]

    assert as_ordinary(try_it, list[bool]) == [False, True]


@pytest.mark.parametrize("level", [1, 2])
def test_nothing_in_the_jail_gains_rights_by_executing_a_program_that_has_them(level):
    host = inspect_host() if level == 2 else replace(inspect_host(), bubblewrap=None)
    with planned(("grep", "NoNewPrivs", "/proc/self/status"), host=host, tier=level) as plan:
        assert output(plan)[0].split() == ["NoNewPrivs:", "1"]


def test_at_tier_1_rights_are_given_up_by_two_layers_each_alone():
    """Landlock and the filter cannot be had without; each sets it for itself."""
    host = replace(inspect_host(), bubblewrap=None)
    with planned(host=host, tier=1) as plan:
        unfiltered, unbound = entering(plan, filter=None), entering(plan, landlock=None)
        for one in (unfiltered, unbound):
            assert "gain-rights" not in allowed(battery(one))
        assert "gain-rights" in allowed(battery(entering(unfiltered, landlock=None)))


@pytest.mark.skipif(not ROOT, reason="only root can make a program that runs as root")
def test_at_tier_1_a_program_of_roots_runs_as_root_only_where_both_layers_are_gone():
    host = replace(inspect_host(), bubblewrap=None)
    with tempfile.TemporaryDirectory() as folder:
        program = shutil.copy(shutil.which("id") or "", folder)
        Path(folder).chmod(0o755)
        Path(program).chmod(0o4755)
        asked = {"host": host, "tier": 1, "read": (folder,)}
        with planned((program, "-u"), **asked) as plan:
            assert output(plan) == ("4242\n", 0)
            assert output(entering(plan, filter=None, landlock=None)) == ("0\n", 0)


def test_at_tier_2_bubblewrap_gives_rights_up_by_itself_and_cannot_be_told_not_to():
    told = subprocess.run(["bwrap", "--help"], capture_output=True, text=True, check=True).stdout
    options = [word for word in told.split() if word.startswith("--")]
    assert "--unshare-pid" in options
    assert not [option for option in options if "priv" in option]
    with planned() as plan:
        bare = entering(without(replace(plan, group=None), "--seccomp 20"), landlock=None)
        assert "gain-rights" not in allowed(battery(bare))


def test_nested_user_namespaces_are_refused_by_two_layers_each_alone():
    nested = {"nested-users", "time-namespace"}
    with planned() as plan:
        unfiltered = without(replace(plan, group=None), "--seccomp 20")
        assert not nested & allowed(battery(unfiltered))
        assert nested <= allowed(battery(without(unfiltered, "--disable-userns")))


@pytest.mark.skipif(not ROOT, reason="only root's own id escapes the limit on processes")
def test_roots_own_id_is_not_held_to_a_number_of_processes_without_a_group():
    with planned(uid=0) as plan:
        grouped = battery(plan)
        bare = battery(replace(plan, group=None))
    words = {outcome.name: outcome.word for outcome in grouped.outcomes}
    assert words["exceed-processes"] == "not applicable"
    assert "exceed-processes" in allowed(bare)


def test_a_waived_probe_opens_and_is_not_held_against_the_jail():
    with planned(waive=("memfd",)) as plan:
        report = battery(plan)
        assert allowed(report) == {"memfd", *HARMLESS}
        assert judge(report, plan.tier, plan.policy.waive) == ()
        assert len(judge(report, plan.tier)) == 1


def test_an_outcome_that_is_missing_counts_as_open():
    with planned() as plan:
        report = battery(plan)
        short = replace(report, outcomes=report.outcomes[1:])
        missing = report.outcomes[0].name
        assert judge(short, plan.tier) == (f"{missing}: no outcome, so it may be open",)
        assert judge(replace(report, ready=False), plan.tier)
        assert judge(replace(report, died=-14), plan.tier)
        assert judge(replace(report, failed="apply Landlock: EPERM"), plan.tier)
