"""A decoy that nobody could reach proves nothing: each is reached here, and gone afterwards."""

from __future__ import annotations

import ctypes
import os
import socket
from pathlib import Path

import pytest
from jails import LIMITS, ORDINARY, planned
from msgspec.structs import replace

from offswitch.errors import GuardError
from offswitch.guard.jail.bait import laid_bait
from offswitch.guard.jail.host import inspect_host


def is_there(number: int | None) -> bool:
    libc = ctypes.CDLL(None)
    libc.shmat.restype = ctypes.c_void_p
    place = libc.shmat(number, None, 0o10000)  # SHM_RDONLY
    if place == ctypes.c_void_p(-1).value:
        return False
    libc.shmdt(ctypes.c_void_p(place))
    return True


def test_every_decoy_can_be_reached_without_a_jail_and_is_gone_after_its_battery(
    open_folder: Path,
) -> None:
    with planned() as plan, laid_bait(plan, open_folder) as bait:
        folder = open_folder / "bait"
        assert (folder.stat().st_mode & 0o7777, folder.stat().st_uid) == (0o700, ORDINARY)
        for name in ("goal", "log", "stream", "datagram"):
            assert (folder / name).stat().st_mode & 0o666 == 0o666
        assert (bait["goal"], bait["log"]) == (f"{folder}/goal", f"{folder}/log")
        for address in (bait["stream"], f"\0{bait['abstract']}"):
            with socket.socket(socket.AF_UNIX) as plug:
                plug.connect(address)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as plug:
            plug.sendto(b"x", bait["datagram"])
        with socket.create_connection(("127.0.0.1", bait["tcp"])):
            pass
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plug:
            plug.connect(("127.0.0.1", bait["udp"]))
            plug.send(b"x")
            plug.send(b"x")  # a port where nobody listens refuses the second
        assert bait["memory_segment"] is not None
        assert is_there(bait["memory_segment"])
        assert bait["supervisor"] == os.getpid()
        assert bait["hostname"] == os.uname().nodename
        assert bait["user_map"] == Path("/proc/self/uid_map").read_text(encoding="ascii")
        assert bait["session"] == os.getsid(0)
        assert bait["named_group"] or plan.group is None
        assert (bait["memory"], bait["file"], bait["tmp"], bait["open_files"], bait["cpu"]) == (
            LIMITS.memory, LIMITS.file, LIMITS.tmp, LIMITS.open_files, LIMITS.cpu,
        )  # fmt: skip
        assert bait["processes"] == plan.entry.limits["NPROC"]
        assert bait["group_counts_processes"] is (plan.group is not None)
    assert not is_there(bait["memory_segment"])
    assert [*open_folder.iterdir()] == []


@pytest.mark.parametrize("level", [1, 2])
def test_what_a_probe_writes_it_tries_where_the_agent_may_write(level: int) -> None:
    host = inspect_host() if level == 2 else replace(inspect_host(), bubblewrap=None)
    with planned(host=host, tier=level) as plan, laid_bait(plan) as bait:
        assert plan.entry.landlock is not None
        assert bait["scratch"] in plan.entry.landlock.write
        assert bait["tier"] == plan.tier.level


def test_a_folder_that_is_there_already_is_nobodys_bait(open_folder: Path) -> None:
    (open_folder / "bait").mkdir()
    with planned() as plan, pytest.raises(FileExistsError), laid_bait(plan, open_folder):
        pass
    (open_folder / "bait").rmdir()
    deep = open_folder / ("a" * 100)
    deep.mkdir()
    with planned() as plan, pytest.raises(GuardError, match="TMPDIR"), laid_bait(plan, deep):
        pass
    assert [*deep.iterdir()] == []
