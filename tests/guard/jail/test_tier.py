from __future__ import annotations

import os

import pytest
from jails import folders, planned
from msgspec.structs import replace

from offswitch.errors import GuardError, PolicyError
from offswitch.guard.jail.catalog import PROBES
from offswitch.guard.jail.host import CgroupRoom, Host, find_cgroups, inspect_host
from offswitch.guard.jail.plan import plan_jail
from offswitch.guard.jail.settings import JailPolicy, Limits, check_jail_policy
from offswitch.guard.jail.tier import agent_uid, require_tier, tier_of

FULL = Host(
    kernel="6.12.0",
    machine="x86_64",
    uid=1000,
    bubblewrap="/usr/bin/bwrap",
    bubblewrap_version=(0, 8, 0),
    bubblewrap_refused=None,
    landlock_abi=6,
    seccomp=True,
    cgroups=CgroupRoom("/sys/fs/cgroup/mine", ("memory", "pids"), {}),
    gvisor=False,
)
BARE = replace(FULL, cgroups=CgroupRoom())
NOWHERE = JailPolicy(workspace="/nowhere", uid=1000)


@pytest.mark.parametrize(
    ("host", "level"),
    [
        (FULL, 3),
        (BARE, 2),
        (replace(BARE, landlock_abi=1), 2),
        (replace(BARE, landlock_abi=0), 0),
        (replace(BARE, bubblewrap=None), 1),
        (replace(BARE, bubblewrap=None, landlock_abi=5), 0),
        (replace(BARE, bubblewrap_refused="Creating new namespace failed"), 1),
        (replace(FULL, seccomp=False), 0),
        (replace(FULL, uid=0), 3),  # the agent under jail.uid
    ],
)
def test_the_tier_is_what_the_host_can_carry(host, level):
    tier = tier_of(host, NOWHERE)
    assert tier.level == level
    assert tier.missing
    assert "acts already sent over an allowed channel" in tier.not_covered


def test_root_gets_no_tier_3_for_itself_and_no_jail_without_a_bound_on_processes():
    root = replace(FULL, uid=0)
    as_root = replace(NOWHERE, uid=0)
    assert tier_of(root, as_root).level == 2
    assert "root's user id" in tier_of(root, as_root).not_covered[-1]
    assert tier_of(replace(root, cgroups=CgroupRoom()), as_root).level == 0


def test_tier_4_is_the_operators_word_and_no_group_or_no_jail_takes_it_away():
    attested = replace(NOWHERE, attested="Firecracker; watchdog on the hypervisor")
    assert tier_of(FULL, attested).level == 4
    assert tier_of(BARE, attested).level == 2


def test_memory_of_the_whole_tree_is_promised_only_where_a_group_counts_it():
    alone = (
        "memory of the whole tree: the bounds hold for each process alone, and what a process maps "
        "to share counts only against address_space"
    )
    assert alone in tier_of(BARE, NOWHERE).not_covered
    assert alone not in tier_of(FULL, NOWHERE).not_covered


@pytest.mark.parametrize("only", ["memory", "pids"])
def test_a_group_that_counts_one_of_two_is_no_tier_3_and_promises_what_it_counts(only):
    room = CgroupRoom(None, (), {only: "/sys/fs/cgroup/x"})
    tier = tier_of(replace(FULL, cgroups=room), NOWHERE)
    assert tier.level == 2
    promised = not any(line.startswith("memory of the whole tree") for line in tier.not_covered)
    assert promised is (only == "memory")
    other = {"memory": "pids", "pids": "memory"}[only]
    assert [f"the {other} controller" in line for line in tier.missing] == [True]
    as_root = tier_of(replace(FULL, uid=0, cgroups=room), replace(NOWHERE, uid=0))
    assert as_root.level == (2 if only == "pids" else 0)


def test_a_stronger_tier_says_what_it_prevents_in_its_own_words_and_a_weaker_what_is_lacking():
    weak = replace(BARE, bubblewrap=None)
    for host, sockets in ((weak, 1), (BARE, 0), (FULL, 0)):
        covered = tier_of(host, NOWHERE).covered
        assert len([line for line in covered if line.startswith("TCP by Landlock")]) == sockets
    for host in (weak, replace(weak, landlock_abi=0)):
        assert "bubblewrap is not installed" in tier_of(host, NOWHERE).missing[0]


def test_only_a_guard_that_is_root_runs_an_agent_as_somebody_else(tmp_path):
    other = replace(NOWHERE, uid=4242)
    assert agent_uid(FULL, other) == FULL.uid
    root = replace(FULL, uid=0)
    assert agent_uid(root, other) == 4242
    assert agent_uid(root, replace(other, uid=0)) == 0
    owned = replace(NOWHERE, uid=None, workspace=str(tmp_path))
    assert agent_uid(root, owned) == tmp_path.stat().st_uid


def test_a_tier_out_of_reach_is_refused_with_what_to_install():
    host = replace(BARE, bubblewrap=None)
    tier = tier_of(host, NOWHERE)
    with pytest.raises(GuardError, match=r"apt install bubblewrap.*dnf install bubblewrap"):
        require_tier(tier, host, NOWHERE)
    require_tier(tier, host, replace(NOWHERE, tier=1))


def test_every_tier_up_to_the_one_asked_for_says_what_it_lacks_and_the_highest_lacks_nothing():
    asked = replace(NOWHERE, tier=4)
    with pytest.raises(GuardError) as refused:
        require_tier(tier_of(BARE, asked), BARE, asked)
    lacks = [line.partition(":")[0] for line in str(refused.value).split("\n") if "  - " in line]
    assert lacks == ["  - for tier 3", "  - for tier 3", "  - for tier 4"]
    assert "jail.attested" in str(refused.value)
    there = replace(asked, attested="gVisor, and a watchdog on another host")
    assert (tier_of(FULL, there).level, tier_of(FULL, there).missing) == (4, ())


def test_every_problem_of_a_policy_is_told_at_once():
    policy = JailPolicy(
        workspace="/nowhere",
        tier=7,
        read=("relative", "/proc", "/no/such"),
        limits=Limits(memory=1, processes=1, address_space=0),
        waive=("memfdd",),
        tcp_ports=(0,),
        environment={"A=B": "c"},
    )
    with pytest.raises(PolicyError, match="11 problems") as told:
        check_jail_policy(policy, frozenset(PROBES))
    assert "'memfdd'" in str(told.value)


@pytest.mark.parametrize(
    ("workspace", "told"),
    [
        ("/etc/hosts", "not a folder"),
        ("/etc", "the system's own"),
        ("/usr/../", "the system's own"),
    ],
)
def test_a_workspace_is_a_folder_and_none_of_the_systems(workspace, told):
    with pytest.raises(PolicyError, match=told):
        check_jail_policy(JailPolicy(workspace=workspace), frozenset(PROBES))


def test_the_runs_own_folder_must_be_out_of_the_agents_sight():
    with folders() as (workspace, _), pytest.raises(GuardError, match="own folder"):
        plan_jail(JailPolicy(workspace=workspace), inspect_host(), ["true"], workspace)
    with folders() as (workspace, run_dir), pytest.raises(GuardError, match="own folder"):
        seeing = JailPolicy(workspace=workspace, read=(run_dir,))
        plan_jail(seeing, inspect_host(), ["true"], f"{run_dir}/runs/1")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can run the agent as another user")
def test_a_workspace_the_agents_user_cannot_write_is_refused():
    with (
        folders(0) as (workspace, run_dir),
        pytest.raises(GuardError, match=f"chown -R 4242 {workspace}"),
    ):
        plan_jail(JailPolicy(workspace=workspace, uid=4242), inspect_host(), ["true"], run_dir)


def test_node_may_reserve_more_than_it_may_use():
    with planned() as plan:
        limits = plan.entry.limits
    assert limits["DATA"] == 256 << 20
    assert limits.get("AS", 1 << 60) > 32 << 30


MOUNTS = """\
30 23 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw
31 30 0:27 /docker/ab {root}/unified rw - cgroup2 cgroup2 rw
32 30 0:28 / {root}/memory rw - cgroup cgroup rw,memory
33 30 0:29 / {root}/cpu rw - cgroup cgroup rw,cpu
"""
OWN = "4:memory:/mine\n3:cpu:/\n0::/docker/ab/inner\n"


def test_a_group_is_found_below_the_part_of_its_hierarchy_that_is_mounted(tmp_path):
    for folder in ("unified/inner", "memory/mine", "cpu"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "unified/inner/cgroup.controllers").write_text("pids cpu\n")
    (tmp_path / "mounts").write_text(MOUNTS.format(root=tmp_path))
    (tmp_path / "own").write_text(OWN)
    room = find_cgroups(str(tmp_path / "mounts"), str(tmp_path / "own"))
    assert room.unified == f"{tmp_path}/unified/inner"
    assert room.legacy == {"memory": f"{tmp_path}/memory/mine", "cpu": f"{tmp_path}/cpu"}
    assert room.counts == {"memory", "pids"}
