"""What a program that the spawner starts is in from its first instruction."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from offswitch.guard.jail.cgroups import plan_group, run_group
from offswitch.guard.jail.host import find_cgroups
from offswitch.guard.jail.settings import Limits
from offswitch.guard.stop import wire
from offswitch.guard.stop.birth import fork_into
from offswitch.guard.stop.launch import LaunchOrder, order_fields

ROOM = find_cgroups()
needs_v2 = pytest.mark.skipif(
    ROOM.unified is None, reason="not enforceable here: no writable cgroup 2"
)
SPAWNER = """
import socket, sys
from offswitch.guard.stop import spawner, wire
if sys.argv[2] == "moved": spawner.fork_into = lambda folder: None
with socket.socket(fileno=int(sys.argv[1])) as asked:
    pid, orders = spawner.start_spawner()
    wire.send(asked, {"pid": pid}, (orders.fileno(),))
orders.close()
sys.stdin.read()
"""
FORKED = """
import os, sys
from offswitch.guard.stop.birth import fork_into
pid = fork_into(sys.argv[1])
if pid == 0: os.execv("/bin/cat", ["cat", "/proc/self/cgroup"])
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def _groups_of_a_started_program(way: str, files: tuple[str, ...]) -> list[str]:
    read, write = os.pipe()
    ours, theirs = wire.pair()
    ours.settimeout(60)
    command = [sys.executable, "-c", SPAWNER, str(theirs.fileno()), way]
    with subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.PIPE):
        theirs.close()
        greeting = wire.receive(ours)
        assert greeting is not None
        with socket.socket(fileno=greeting.fds[0]) as orders:
            order = LaunchOrder(("/bin/cat", "/proc/self/cgroup"), {}, cgroup_procs=files)
            order = order._replace(fds={1: write})
            wire.send(orders, {"order": order_fields(order)}, (write,))
            os.close(write)
            told = [wire.receive(orders) for _ in range(2)]
    assert [one and one.fields["type"] for one in told] == ["launched", "exited"]
    with os.fdopen(read, encoding="ascii") as said:
        return said.read().splitlines()


@needs_v2
@pytest.mark.parametrize("way", ["born", "moved"])
def test_a_started_program_is_in_every_group_of_its_order(way: str) -> None:
    group = plan_group(ROOM, f"spawned-{way}", Limits())
    assert group is not None
    with run_group(group):
        lines = _groups_of_a_started_program(way, group.enter_files)
        inside = [line for line in lines if f"-spawned-{way}" in line]
        assert len(inside) >= len(group.folders)
        assert any(line.startswith("0::") for line in inside)


@needs_v2
def test_a_fork_into_a_group_is_there_before_it_does_anything() -> None:
    group = plan_group(ROOM, "born", Limits())
    assert group is not None
    assert group.unified is not None
    with run_group(group):  # in a process of one thread, which this one may not be
        command = [sys.executable, "-c", FORKED, group.unified]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    unified = [line for line in told.splitlines() if line.startswith("0::")]
    assert unified[0].endswith(f"/{Path(group.unified).name}")


@pytest.mark.parametrize("folder", ["/nowhere", "/tmp"])
def test_where_there_is_no_such_group_nothing_is_forked(folder: str) -> None:
    pid = fork_into(folder)
    if pid == 0:
        os._exit(1)
    assert pid is None
